import { isUtf8 } from 'node:buffer';
import type { BytePath } from '../sys/bytes.ts';

const ASCII = /^[\x00-\x7f]*$/;

/**
 * Bytes to text as Go iterates over a string: one U+FFFD per byte that is not part of valid UTF-8. (Node's own
 * decoder gives one U+FFFD for a whole truncated sequence, so `?` would match other names than with Docker.)
 */
export function goText(bytes: BytePath): string {
  if (ASCII.test(bytes)) return bytes;
  const buffer = Buffer.from(bytes, 'latin1');
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  for (let at = 0; at < buffer.length; ) {
    const length = sequenceLength(buffer, at);
    text += length === 0 ? '\ufffd' : buffer.toString('utf8', at, at + length);
    at += length || 1;
  }
  return text;
}

function sequenceLength(buffer: Buffer, at: number): number {
  const lead = buffer[at]!;
  const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return at + length <= buffer.length && isUtf8(buffer.subarray(at, at + length)) ? length : 0;
}

/** White space of Go's `unicode.IsSpace`, as bytes of UTF-8. */
const SPACE =
  '(?:[\\t-\\r ]|\\xc2[\\x85\\xa0]|\\xe1\\x9a\\x80|\\xe2\\x80[\\x80-\\x8a\\xa8\\xa9\\xaf]|\\xe2\\x81\\x9f|\\xe3\\x80\\x80)';
const LEADING = new RegExp(`^${SPACE}+`);
const TRAILING = new RegExp(`${SPACE}+$`);

/** Go's `strings.TrimSpace` on bytes. */
export function trimSpace(bytes: BytePath): BytePath {
  return bytes.replace(LEADING, '').replace(TRAILING, '');
}
