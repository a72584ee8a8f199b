/**
 * A file name or path as the kernel sees it: one JavaScript code unit (0 to 255) per byte ("latin1"). Lossless
 * for names that are not UTF-8, cheap as a map key, and sorted bytewise by `<`. Never shown to people as it is.
 */
export type BytePath = string & { readonly __bytes?: never };

/** Text (a Dockerfile's, a person's) to the bytes of its UTF-8 form. */
export function bytesOf(text: string): BytePath {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** For people: UTF-8 where the bytes are UTF-8, U+FFFD elsewhere, control characters as `\x1b`. */
export function textOf(path: BytePath): string {
  const text = Buffer.from(path, 'latin1').toString('utf8');
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** What Node's fs functions take for a path of bytes. */
export function bufferOf(path: BytePath): Buffer {
  return Buffer.from(path, 'latin1');
}

/** What Node's fs functions take for a path of bytes, without a copy when it is plain ASCII. */
export function fsPath(path: BytePath): string | Buffer {
  return isAscii(path) ? path : Buffer.from(path, 'latin1');
}

/** Whether all bytes are below 0x80. */
export function isAscii(path: BytePath): boolean {
  return !/[\x80-\xff]/.test(path);
}
