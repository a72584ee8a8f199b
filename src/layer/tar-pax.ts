import type { BytePath } from '../sys/bytes.ts';
import { badTar, tarLimits } from './tar-format.ts';

const second = 1_000_000_000n;

/** Records of a PAX extended header in their order: keys with one code unit per byte, values raw. */
export type PaxRecords = [key: string, value: Buffer][];

/**
 * `length key=value\n`, where the length counts itself: one record of an extended header. POSIX.1-2001, pax Extended
 * Header. Key, value and the result have one code unit per byte.
 */
export function encodePax(key: string, value: string): string {
  const rest = key.length + value.length + 3;
  let length = rest + decimals(rest);
  if (rest + decimals(length) > length) length = rest + decimals(length);
  return `${length} ${key}=${value}\n`;
}

function decimals(number: number): number {
  return number < 10 ? 1 : number < 100 ? 2 : String(number).length;
}

/** Splits the body of an extended header. Throws `invalid` (`TAR_PAX`) if it is not made as it must be. */
export function decodePax(body: Buffer): PaxRecords {
  const records: PaxRecords = [];
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(32, at);
    const digits = space < 0 ? '' : body.toString('latin1', at, space);
    const end = at + Number(digits);
    if (!/^[0-9]{1,8}$/.test(digits) || end > body.length || end <= space + 1 || body[end - 1] !== 10) {
      throw badTar('TAR_PAX', 'bad length of a record in a PAX header');
    }
    const equals = body.indexOf(61, space);
    if (equals < 0 || equals >= end || equals === space + 1) {
      throw badTar('TAR_PAX', 'a record in a PAX header has no key');
    }
    records.push([body.toString('latin1', space + 1, equals), body.subarray(equals + 1, end - 1)]);
    at = end;
  }
  return records;
}

/** `-1.5`: seconds with as many decimals as needed, sign and magnitude as Go and GNU tar write it. */
export function formatPaxTime(ns: bigint): string {
  const magnitude = ns < 0n ? -ns : ns;
  const seconds = magnitude / second;
  const fraction = Number(magnitude - seconds * second);
  const whole = `${ns < 0n ? '-' : ''}${seconds}`;
  if (fraction === 0) return whole;
  const digits = String(1e9 + fraction);
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 48) end--;
  return `${whole}.${digits.slice(1, end)}`;
}

/** Nanoseconds since 1970; digits beyond the ninth decimal are cut off. */
export function parsePaxTime(value: Buffer): bigint {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value.toString('latin1', 0, 64));
  if (match === null || value.length > 64) throw badTar('TAR_PAX', 'bad time in a PAX header');
  const nanoseconds = (match[3] ?? '').slice(0, 9).padEnd(9, '0');
  const magnitude = BigInt(match[2]!) * second + BigInt(nanoseconds);
  return match[1] === '-' ? -magnitude : magnitude;
}

/** A decimal number from 0 to 2^53. */
export function parsePaxNumber(key: string, value: Buffer): number {
  const text = value.toString('latin1', 0, 32);
  const number = Number(text);
  if (!/^[0-9]{1,20}$/.test(text) || !Number.isSafeInteger(number)) {
    throw badTar('TAR_PAX', `bad ${key} in a PAX header`);
  }
  return number;
}

/** A path or link text: bytes as they are, without NUL, not longer than the limit. */
export function parsePaxPath(key: string, value: Buffer): BytePath {
  if (value.length > tarLimits.path) {
    throw badTar('TAR_PATH_TOO_LONG', `${key} in a tar header is longer than ${tarLimits.path} bytes`);
  }
  if (value.includes(0)) throw badTar('TAR_PAX', `${key} in a tar header holds a NUL byte`);
  return value.toString('latin1');
}

/** GNU tar's escapes in the names of attributes, which may hold `=` where PAX keys may not. */
export function encodeXattrKey(name: string): string {
  return `SCHILY.xattr.${name.replace(/[%=]/g, (c) => (c === '=' ? '%3D' : '%25'))}`;
}

const schily = 'SCHILY.xattr.';
const libarchive = 'LIBARCHIVE.xattr.';

/** The attribute that a record carries, if it carries one: `SCHILY.xattr.` raw, `LIBARCHIVE.xattr.` in base 64. */
export function decodeXattrRecord(key: string, value: Buffer): [name: string, value: Buffer] | undefined {
  if (key.startsWith(schily)) {
    const name = key.slice(schily.length).replace(/%3D|%25/g, (c) => (c === '%3D' ? '=' : '%'));
    return [checkedName(name), Buffer.from(value)];
  }
  if (key.startsWith(libarchive)) {
    const unescaped = key
      .slice(libarchive.length)
      .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    return [checkedName(unescaped), Buffer.from(value.toString('latin1'), 'base64')];
  }
  return undefined;
}

function checkedName(name: string): string {
  if (name.includes('\0'))
    throw badTar('TAR_PAX', 'the name of an attribute in a PAX header holds a NUL byte');
  return name;
}
