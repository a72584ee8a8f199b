import { SlipwayError } from '../errors/index.ts';
import { type HttpClientOptions, type HttpResponse, openHttpClient } from '../http/http-client.ts';
import { digestOf } from '../image/digest.ts';
import { MAX_DOCUMENT_SIZE } from '../image/json-guard.ts';
import { DOCKER, OCI } from '../image/media-types.ts';
import type { Digest } from '../image/types.ts';
import { documentPages } from './pages.ts';
import { discard, openTransport, type Transport } from './transport.ts';
import type {
  BlobStream,
  CallOptions,
  Credential,
  FetchedManifest,
  RegistryClient,
  RegistryHost,
  Upload,
  UploadBody,
} from './types.ts';

/** All that there is, so that a registry never converts a document into what we did not ask about. */
const ACCEPT = [
  OCI.index,
  OCI.manifest,
  DOCKER.index,
  DOCKER.manifest,
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/json',
  '*/*',
].join(', ');

export interface RegistryClientOptions {
  host: RegistryHost;
  /** What tokens are asked for: reading alone, or writing too. */
  intent: 'pull' | 'push';
  credential: () => Promise<Credential | undefined>;
  http: Pick<HttpClientOptions, 'env' | 'idleMs' | 'attempts' | 'delayMs'>;
}

/** Opens a client of one host. Loads undici. */
export async function openRegistryClient(options: RegistryClientOptions): Promise<RegistryClient> {
  const { host } = options;
  const http = await openHttpClient({
    ...options.http,
    tls: { ca: host.ca, clientCertificates: host.clientCertificates, insecure: host.insecure },
  });
  const transport = openTransport({ ...options, http, retry: options.http });
  return { ...reading(transport), ...writing(transport), host, close: () => http.close() };
}

type Reading = Pick<
  RegistryClient,
  'ping' | 'getManifest' | 'headManifest' | 'headBlob' | 'getBlob' | 'readBlob' | 'listTags' | 'catalog'
>;

function reading({ send, read, pullScope }: Transport): Reading {
  async function getManifest(
    repository: string,
    reference: string,
    { signal }: CallOptions = {},
  ): Promise<FetchedManifest | undefined> {
    const { answer, bytes } = await read(
      {
        path: `${repository}/manifests/${reference}`,
        headers: { accept: ACCEPT },
        scopes: pullScope(repository),
        ok: [200, 404],
        signal,
      },
      MAX_DOCUMENT_SIZE,
    );
    if (answer.status === 404) return undefined;
    const digest = digestOf(bytes);
    const said = isDigest(reference) ? reference : (answer.headers['docker-content-digest'] ?? '');
    if (isDigest(said) && said !== digest) throw mismatch('manifest', said, digest);
    return { mediaType: mediaTypeOf(answer, bytes), digest, bytes };
  }
  return {
    getManifest,
    async ping({ signal } = {}) {
      discard(await send({ path: '', scopes: [], ok: [200], signal }));
    },
    async headManifest(repository, reference, { signal } = {}) {
      const answer = await send({
        method: 'HEAD',
        path: `${repository}/manifests/${reference}`,
        headers: { accept: ACCEPT },
        scopes: pullScope(repository),
        ok: [200, 404],
        signal,
      });
      discard(answer, 'HEAD');
      if (answer.status === 404) return undefined;
      const digest = isDigest(reference) ? reference : answer.headers['docker-content-digest'];
      const mediaType = contentTypeOf(answer);
      const size = Number(answer.headers['content-length']);
      if (digest !== undefined && isDigest(digest) && mediaType !== undefined && Number.isSafeInteger(size))
        return { mediaType, digest, size };
      const found = await getManifest(repository, reference, { signal });
      return found && { mediaType: found.mediaType, digest: found.digest, size: found.bytes.length };
    },
    async headBlob(repository, digest, { signal } = {}) {
      const answer = await send({
        method: 'HEAD',
        path: `${repository}/blobs/${checked(digest)}`,
        scopes: pullScope(repository),
        ok: [200, 404],
        signal,
      });
      discard(answer, 'HEAD');
      return answer.status === 404 ? undefined : Number(answer.headers['content-length'] ?? 0);
    },
    async getBlob(repository, digest, { signal, from = 0 } = {}): Promise<BlobStream> {
      const answer = await send({
        path: `${repository}/blobs/${checked(digest)}`,
        // A blob is compressed as it is to be; another coding on top would hide its length.
        headers: { 'accept-encoding': 'identity', ...(from > 0 && { range: `bytes=${from}-` }) },
        scopes: pullScope(repository),
        ok: from > 0 ? [200, 206] : [200],
        signal,
      });
      return blobStream(answer, from);
    },
    async readBlob(repository, { digest, size }, { signal } = {}) {
      const { bytes } = await read(
        { path: `${repository}/blobs/${checked(digest)}`, scopes: pullScope(repository), ok: [200], signal },
        MAX_DOCUMENT_SIZE,
      );
      const found = digestOf(bytes);
      if (found !== digest || bytes.length !== size) throw mismatch('blob', digest, found);
      return bytes;
    },
    listTags: (repository, { signal } = {}) =>
      documentPages({
        path: `${repository}/tags/list`,
        field: 'tags',
        read: (path, limit) => read({ path, scopes: pullScope(repository), ok: [200], signal }, limit),
      }),
    catalog: ({ signal } = {}) =>
      documentPages({
        path: '_catalog',
        field: 'repositories',
        read: (path, limit) => read({ path, scopes: ['registry:catalog:*'], ok: [200], signal }, limit),
      }),
  };
}

type Writing = Pick<
  RegistryClient,
  'putManifest' | 'startUpload' | 'mountBlob' | 'patchUpload' | 'uploadStatus' | 'putUpload' | 'cancelUpload'
>;

function writing({ send, pullScope, pushScope }: Transport): Writing {
  return {
    async putManifest(repository, reference, { mediaType, bytes }, { signal } = {}) {
      const answer = await send({
        method: 'PUT',
        path: `${repository}/manifests/${reference}`,
        headers: { 'content-type': mediaType },
        body: bytes,
        scopes: pushScope(repository),
        ok: [200, 201, 202, 204],
        repeat: true,
        signal,
      });
      discard(answer);
      return digestOf(bytes);
    },
    async startUpload(repository, { signal } = {}) {
      const answer = await send({
        method: 'POST',
        path: `${repository}/blobs/uploads/`,
        headers: { 'content-length': '0' },
        scopes: pushScope(repository),
        ok: [202],
        repeat: true,
        signal,
      });
      return uploadOf(answer, 0);
    },
    async mountBlob(repository, digest, from, { signal } = {}) {
      const query = new URLSearchParams({ mount: checked(digest), from });
      const answer = await send({
        method: 'POST',
        path: `${repository}/blobs/uploads/?${query}`,
        headers: { 'content-length': '0' },
        scopes: [...pushScope(repository), ...pullScope(from)],
        ok: [201, 202],
        repeat: true,
        signal,
      });
      if (answer.status === 202) return uploadOf(answer, 0);
      discard(answer);
      return undefined;
    },
    async patchUpload(upload, body, { signal } = {}) {
      const counted = countedBody(body);
      const { size } = counted;
      const answer = await send({
        method: 'PATCH',
        url: upload.location,
        headers: {
          'content-type': 'application/octet-stream',
          ...(size && { 'content-range': `${upload.offset}-${upload.offset + size - 1}` }),
        },
        body: counted.body,
        scopes: scopesOfUpload(upload, pushScope),
        ok: [200, 201, 202, 204],
        signal,
      });
      return { ...upload, ...uploadOf(answer, upload.offset + counted.sent()) };
    },
    async uploadStatus(upload, { signal } = {}) {
      const answer = await send({
        url: upload.location,
        scopes: scopesOfUpload(upload, pushScope),
        ok: [200, 202, 204, 404],
        signal,
      });
      if (answer.status === 404) return missing(answer);
      const end = /^(?:bytes=)?0-(\d+)$/.exec(answer.headers.range ?? '')?.[1];
      // `0-0` is said of nothing and of one byte; nothing is the safe reading.
      const offset = end === undefined || end === '0' ? 0 : Number(end) + 1;
      return { ...upload, ...uploadOf(answer, offset, upload.location) };
    },
    async putUpload(upload, digest, body = Buffer.alloc(0), { signal } = {}) {
      const url = new URL(upload.location);
      url.searchParams.set('digest', checked(digest));
      const answer = await send({
        method: 'PUT',
        url: url.href,
        headers: { 'content-type': 'application/octet-stream' },
        body,
        scopes: scopesOfUpload(upload, pushScope),
        ok: [200, 201, 204],
        signal,
      });
      discard(answer);
    },
    async cancelUpload(upload) {
      try {
        discard(
          await send({
            method: 'DELETE',
            url: upload.location,
            scopes: scopesOfUpload(upload, pushScope),
            ok: [200, 202, 204],
          }),
        );
      } catch {
        // The registry forgets it by itself.
      }
    },
  };
}

/** The repository stands in the path of an upload where the registry follows the specification's form. */
function scopesOfUpload({ location }: Upload, pushScope: Transport['pushScope']): string[] {
  const match = /\/v2\/(.+)\/blobs\/uploads\//.exec(new URL(location).pathname);
  return match === null ? [] : pushScope(match[1]!);
}

/** A body, its size where that is known, and how many bytes of it were sent at last. */
function countedBody(body: UploadBody): { body: UploadBody; size: number | undefined; sent(): number } {
  const size = Buffer.isBuffer(body) ? body.length : body.size;
  if (Buffer.isBuffer(body) || size !== undefined) return { body, size, sent: () => size! };
  let sent = 0;
  const open = async function* (): AsyncGenerator<Buffer> {
    sent = 0;
    for await (const chunk of body.open()) {
      sent += chunk.length;
      yield chunk;
    }
  };
  return { body: { size, open }, size, sent: () => sent };
}

function uploadOf(answer: HttpResponse, offset: number, before?: string): Upload {
  discard(answer);
  const location = URL.parse(answer.headers.location ?? before ?? '', answer.url);
  if (
    location === null ||
    !/^https?:$/.test(location.protocol) ||
    (answer.headers.location ?? before) === undefined
  ) {
    throw new SlipwayError('unavailable', 'the registry does not say where an upload goes', {
      code: 'REGISTRY_UPLOAD_LOCATION',
    });
  }
  const least = Number(answer.headers['oci-chunk-min-length']);
  return {
    location: location.href,
    offset,
    ...(Number.isSafeInteger(least) && least > 0 ? { minChunk: least } : {}),
  };
}

function blobStream(answer: HttpResponse, from: number): BlobStream {
  const { body, headers, status } = answer;
  if (status === 200) {
    const size = Number(headers['content-length'] ?? Number.NaN);
    return { body, start: 0, ...(Number.isSafeInteger(size) ? { size } : {}) };
  }
  const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
  if (range === null || Number(range[1]) !== from) {
    body.destroy();
    throw new SlipwayError('unavailable', 'the registry sent another part of a blob than was asked for', {
      code: 'REGISTRY_RANGE',
    });
  }
  return { body, start: from, ...(range[2] === '*' ? {} : { size: Number(range[2]) }) };
}

/** What the document says of itself comes first: it is what the digest covers. */
function mediaTypeOf(answer: HttpResponse, bytes: Buffer): string {
  const header = contentTypeOf(answer) ?? '';
  try {
    const { mediaType } = JSON.parse(bytes.toString('utf8')) as { mediaType?: unknown };
    return typeof mediaType === 'string' && mediaType !== '' ? mediaType : header;
  } catch {
    return header;
  }
}

function contentTypeOf({ headers }: HttpResponse): string | undefined {
  return headers['content-type']?.replace(/;.*/, '').trim();
}

function missing(answer: HttpResponse): undefined {
  discard(answer);
  return undefined;
}

function isDigest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/** A digest becomes a part of an address. */
function checked(digest: Digest): Digest {
  if (isDigest(digest)) return digest;
  throw new SlipwayError('invalid', `not a sha256 digest: ${JSON.stringify(digest)}`, {
    code: 'DIGEST_INVALID',
  });
}

function mismatch(what: string, expected: string, found: Digest): SlipwayError {
  return new SlipwayError('corrupt', `${what} ${expected} has the digest ${found}`, {
    code: 'DIGEST_MISMATCH',
  });
}
