/** The agent protocol (draft-ietf-sshm-ssh-agent): a byte says what a message is. */
const REQUEST_IDENTITIES = 11;
const SIGN_REQUEST = 13;
const FAILURE = 5;

/** The longest message of OpenSSH's agent. */
export const MAX_AGENT_MESSAGE = 256 * 1024;

/** An agent's no. */
export const AGENT_FAILURE: Uint8Array = new Uint8Array([FAILURE]);

/** Listing keys and signing with them is what a step may ask for. */
export function isForwarded(message: Uint8Array): boolean {
  return message[0] === REQUEST_IDENTITIES || message[0] === SIGN_REQUEST;
}
