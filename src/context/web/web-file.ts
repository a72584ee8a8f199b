import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import { redactUrl } from '../../errors/redact-url.ts';
import { type Download, download, type Validators } from '../../http/download.ts';
import { openHttpClient } from '../../http/http-client.ts';
import { reportFetch } from '../fetch-progress.ts';
import { firstSecret, REMOTE_LIMITS, type RemoteAccess } from '../remote-access.ts';
import { fileNameOf } from './file-name.ts';

/** The content of a URL, on this machine. */
export interface WebFile {
  /** Absolute path. The file has mode 0600 and the time that the server gives the content, else 1970 (SPEC A4). */
  path: string;
  /** Hex. */
  sha256: string;
  size: number;
  /** What it is called where only a directory is named: see `fileNameOf`. */
  name: string;
  /** Seconds since 1970. */
  mtime: number;
  release(): void;
}

/** What was learned of a URL, as it is kept. The URL itself is not: it may be a secret. */
interface AddressRecord extends Validators {
  sha256: string;
  size: number;
  disposition?: string | undefined;
}

export interface WebFileRequest {
  url: string;
  /** `sha256:…`: what the content must be. */
  checksum?: string | undefined;
}

/**
 * The content of a URL: what is kept of it when the server says that it is unchanged (ETag, else Last-Modified), or
 * when it is pinned by a checksum and here already; else it is fetched. Two builds that want the same fetch it once.
 *
 * @throws SlipwayError those of `download`; `invalid` HTTP_DIGEST_MISMATCH, HTTP_CHECKSUM_INVALID
 */
export async function openWebFile(request: WebFileRequest, access: RemoteAccess): Promise<WebFile> {
  const wanted = checksumOf(request.checksum);
  const address = await access.kept.hold('address', await addressKey(request.url, access), access.signal);
  try {
    const file = path.join(address.directory, 'record.json');
    const record = readRecord(file);
    const isHere = record !== undefined && access.kept.has('file', fileKey(record));
    if (wanted !== undefined && record?.sha256 === wanted && isHere)
      return await openKept(request.url, record, access);
    const body = path.join(address.directory, 'body');
    try {
      const known = isHere ? record : undefined;
      const answer = await fetchBody(request.url, { body, known }, access);
      if (!answer.changed) {
        checkDigest(request, record!.sha256, wanted);
        return await openKept(request.url, record!, access);
      }
      const fresh: AddressRecord = {
        ...answer.validators,
        sha256: answer.sha256,
        size: answer.size,
        disposition: answer.disposition,
      };
      checkDigest(request, fresh.sha256, wanted);
      const opened = await openKept(request.url, fresh, access, body);
      fs.writeFileSync(file, JSON.stringify(fresh), { mode: 0o600 });
      return opened;
    } finally {
      fs.rmSync(body, { force: true });
    }
  } finally {
    address.release();
  }
}

async function fetchBody(
  url: string,
  { body, known }: { body: string; known: AddressRecord | undefined },
  access: RemoteAccess,
): Promise<Download> {
  const { env, signal, limits, progress } = access;
  const authorization = await authorizationFor(url, access);
  const client = await openHttpClient({ env });
  const limit = limits?.bytes ?? REMOTE_LIMITS.bytes;
  try {
    return await reportFetch(
      progress,
      { kind: 'web', address: redactUrl(url) },
      (received) => download(client, { url, file: body, known, authorization, limit, received, signal }),
      ({ changed }) => !changed,
    );
  } finally {
    await client.close();
  }
}

/** SPEC A8: by the name of the host, without the port. Credentials in the URL itself go before. */
async function authorizationFor(url: string, access: RemoteAccess): Promise<string | undefined> {
  const parsed = URL.parse(url);
  if (parsed === null || parsed.username !== '' || parsed.password !== '') return undefined;
  const { hostname } = parsed;
  const found = await firstSecret(access, [`HTTP_AUTH_HEADER_${hostname}`, `HTTP_AUTH_TOKEN_${hostname}`]);
  return found?.id.startsWith('HTTP_AUTH_TOKEN_') ? `Bearer ${found.value}` : found?.value;
}

async function openKept(
  url: string,
  record: AddressRecord,
  access: RemoteAccess,
  body?: string,
): Promise<WebFile> {
  const mtime = mtimeOf(record);
  const entry = await access.kept.obtain(
    'file',
    fileKey(record),
    async (directory) => {
      if (body === undefined) throw gone(url);
      const file = path.join(directory, 'context');
      fs.renameSync(body, file);
      fs.utimesSync(file, mtime, mtime);
    },
    access.signal,
  );
  return {
    path: path.join(entry.directory, 'context'),
    sha256: record.sha256,
    size: record.size,
    name: fileNameOf(url, record.disposition),
    mtime,
    release: () => entry.release(),
  };
}

/** Contents lie under their digest and time: addresses with the same share one. */
function fileKey(record: AddressRecord): string {
  return `${record.sha256}-${mtimeOf(record)}`;
}

function mtimeOf({ lastModified }: AddressRecord): number {
  const at = Date.parse(lastModified ?? '');
  return Number.isFinite(at) ? Math.floor(at / 1000) : 0;
}

/** Between the look and the use another build made room. */
function gone(url: string): SlipwayError {
  return new SlipwayError('changed', `the content of ${redactUrl(url)} was removed meanwhile`, {
    code: 'HTTP_CONTENT_GONE',
    hint: 'Build again.',
  });
}

async function addressKey(url: string, access: RemoteAccess): Promise<string> {
  const authorization = await authorizationFor(url, access);
  const identity = [url, authorization !== undefined];
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, 32);
}

function readRecord(file: string): AddressRecord | undefined {
  try {
    const record = JSON.parse(fs.readFileSync(file, 'utf8')) as AddressRecord;
    return /^[0-9a-f]{64}$/.test(record.sha256) ? record : undefined;
  } catch {
    return undefined;
  }
}

function checksumOf(checksum: string | undefined): string | undefined {
  if (checksum === undefined) return undefined;
  const hex = /^sha256:([0-9a-f]{64})$/.exec(checksum)?.[1];
  if (hex !== undefined) return hex;
  throw new SlipwayError('invalid', `invalid checksum digest format: ${checksum}`, {
    code: 'HTTP_CHECKSUM_INVALID',
    hint: 'Write sha256: and 64 hexadecimal digits, as sha256sum prints them.',
  });
}

function checkDigest({ url }: WebFileRequest, found: string, wanted: string | undefined): void {
  if (wanted === undefined || wanted === found) return;
  throw new SlipwayError(
    'invalid',
    `digest mismatch for ${redactUrl(url)}: sha256:${found} (expected: sha256:${wanted})`,
    {
      code: 'HTTP_DIGEST_MISMATCH',
      hint: 'The content has changed, or the checksum is of something else.',
      subject: { part: 'flag', name: 'checksum' },
    },
  );
}
