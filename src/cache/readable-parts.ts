import { hash } from 'node:crypto';
import type { KeyParts } from './keys.ts';

/** Longer values are kept as a digest: a here-document may be megabytes. UTF-16 units. */
const MAX_VALUE = 4096;

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Names of variables that are likely to hold what nobody else should read. */
const SECRET_NAME = /pass|pwd|secret|token|auth|credential|api_?key|private/i;

/**
 * Parts of a key as they are kept and shown: equal where the parts are equal. Values that are long, and those of
 * variables whose names look secret, are replaced by digests. Readable parts stay as they are.
 */
export function readableParts(parts: KeyParts): KeyParts {
  const readable: KeyParts = {};
  for (const [name, value] of Object.entries(parts)) {
    const hidden = name.startsWith('env ') && name !== 'env order' && SECRET_NAME.test(name);
    if (DIGEST.test(value)) readable[name] = value;
    else
      readable[name] = hidden || value.length > MAX_VALUE ? `sha256:${hash('sha256', value, 'hex')}` : value;
  }
  return readable;
}
