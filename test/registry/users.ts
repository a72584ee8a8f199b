/** The one user whom the registries and token servers of the tests know. The password has what URLs and forms trip on. */
export const USER = 'alice';
export const PASSWORD = 'correct horse';

/** A line of htpasswd(1) for them: bcrypt, the one kind that docker-registry takes. */
export const HTPASSWD = `${USER}:$2b$04$yqYqBCC3y0OodCscBNdu0OR8LuyDKFXq8.VY0jFOjw8TDTl0xB5Bi\n`;
