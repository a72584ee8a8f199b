/** Query parameters whose values open doors: pre-signed addresses, tokens. */
const SECRET_KEY =
  /(?:^|[-_.])(?:auth|credential|key|passw(?:or)?d|secret|sig|signature|token)(?:$|[-_.])|token$|signature$/i;

/** Stands for what is not shown. */
const HIDDEN = 'xxxxx';

/**
 * A URL as it may be shown and recorded: without user name and password, and with the values of query parameters that
 * look like secrets hidden. Text that is no URL with a scheme comes back as it is; nothing is otherwise normalised, so
 * that people find their own words again.
 */
export function redactUrl(url: string): string {
  return url
    .replace(/^(https?:\/\/)[^/?#]*@/i, '$1')
    .replace(/^([a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/?#:@]*):[^/?#]*@/, '$1@')
    .replace(/([?&])([^=&#]+)=([^&#]*)/g, (whole, mark: string, key: string) =>
      SECRET_KEY.test(key) ? `${mark}${key}=${HIDDEN}` : whole,
    );
}

/**
 * Text in which URLs may stand (a line of a Dockerfile, what a program printed), with the secrets of each hidden behind
 * as many characters, so that columns stay where they are.
 */
export function maskUrls(text: string): string {
  return replaceSecrets(text, (secret) => 'x'.repeat(secret.length));
}

/** The same with one mark for every secret, for titles and history. */
export function hideUrls(text: string): string {
  return replaceSecrets(text, (secret) => (secret.includes(':') ? `${HIDDEN}:${HIDDEN}` : HIDDEN));
}

function replaceSecrets(text: string, hidden: (secret: string) => string): string {
  if (!text.includes('://')) return text;
  return text
    .replace(
      /(https?:\/\/)([^\s/?#"'@]*)@/gi,
      (_, scheme: string, user: string) => `${scheme}${hidden(user)}@`,
    )
    .replace(
      // Of ssh and the like the user is a part of the address.
      /([a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^\s/?#"'@:]*:)([^\s/?#"'@]*)@/g,
      (whole, start: string, password: string) =>
        /^https?:/i.test(start) ? whole : `${start}${hidden(password)}@`,
    )
    .replace(/([a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^\s?#"']*\?)([^\s#"']*)/g, (_, start: string, query: string) => {
      const masked = query.replace(/([^=&]+)=([^&]*)/g, (whole, key: string, value: string) =>
        SECRET_KEY.test(key) ? `${key}=${hidden(value)}` : whole,
      );
      return start + masked;
    });
}
