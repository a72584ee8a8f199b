import type { Descriptor, Digest } from '../image/types.ts';

/** What a host may be asked for: to say what a tag means, to give content by digest, to take content. */
export type HostCapability = 'resolve' | 'pull' | 'push';

/** A server that has a registry's content: the registry itself or a mirror of it. Plain data. */
export interface RegistryHost {
  /** Name under which its credentials are kept: `docker.io`, `localhost:5000`, of a mirror the mirror's own. */
  name: string;
  scheme: 'https' | 'http';
  /** Name or address, without port; of IPv6 with brackets. */
  host: string;
  /** The scheme's own when absent. */
  port?: number;
  /** What stands before `/v2/` in its addresses: empty, or `/some/path`. */
  pathPrefix: string;
  /** What the repository that was asked for is called there, where that is another name. */
  repository?: string;
  capabilities: readonly HostCapability[];
  /** Failures of a mirror make the next host be asked; those of the registry itself are told. */
  isMirror: boolean;
  /** Certificates (PEM) that are trusted beside those of the system. */
  ca?: readonly string[];
  /** Client certificates (PEM). */
  clientCertificates?: readonly { certificate: string; key: string }[];
  /** Take any certificate, and fall back to http where https is not spoken. */
  insecure: boolean;
}

/** Says which hosts have what a registry has: configuration of mirrors, certificates, insecure registries. */
export interface HostSource {
  /**
   * @param registry Domain of a reference: `docker.io`, `localhost:5000`.
   * @param repository Path of the reference, where the configuration goes by it: `library/debian`.
   * @returns In the order in which they are to be asked, the registry itself last.
   */
  hostsFor(registry: string, repository?: string): Promise<RegistryHost[]>;
}

/** Who we are to a registry. Never shown, never written down. */
export type Credential =
  | { kind: 'password'; username: string; password: string }
  /** An OAuth2 refresh token, to be exchanged at the token server. */
  | { kind: 'identity-token'; token: string }
  /** A bearer token that is sent as it is. */
  | { kind: 'registry-token'; token: string };

/** Where credentials are kept. */
export interface CredentialSource {
  /** @param name Of a `RegistryHost`; the match is exact. Undefined: ask without any. */
  credentialFor(name: string): Promise<Credential | undefined>;
}

/** A document of a registry, byte for byte. `digest` is that of the bytes. */
export interface FetchedManifest {
  mediaType: string;
  digest: Digest;
  bytes: Buffer;
}

/** A blob on its way, or the rest of it. Whoever does not read it to its end destroys it. */
export interface BlobStream {
  body: AsyncIterable<Buffer> & { destroy(): unknown };
  /** Where in the blob the body begins: what was asked for, or 0 where the server knows no ranges. */
  start: number;
  /** Bytes of the whole blob, where the server says so. */
  size?: number;
}

/**
 * What is uploaded. `open` is called again for each attempt. A `size` that shows only at the end is undefined: the body
 * then goes in chunks (RFC 9112, 7.1).
 */
export type UploadBody = Buffer | { size: number | undefined; open(): AsyncIterable<Buffer> };

/** An upload that was begun. Each call gives the one to go on with: its address changes. */
export interface Upload {
  /** Absolute address. */
  location: string;
  /** Bytes that have arrived. */
  offset: number;
  /** Least size of a chunk but the last (`OCI-Chunk-Min-Length`). */
  minChunk?: number;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
}

/**
 * The calls of the OCI distribution specification to one host. What fails in a way that may pass is tried again.
 * Names of methods are those of the specification's end points.
 *
 * @throws SlipwayError of every call: `not-found`, `denied`, `invalid`, `conflict`, `unavailable`, `unsupported`,
 *   `exhausted` with a code `REGISTRY_…`; `canceled`. `registryFailure(error)` has the answer's status and its errors.
 */
export interface RegistryClient {
  readonly host: RegistryHost;
  /** end-1: succeeds when the host speaks the protocol and takes our credentials. */
  ping(options?: CallOptions): Promise<void>;
  /** end-3. `reference` is a tag or a digest. Undefined when there is none. Bytes of a digest are verified. */
  getManifest(
    repository: string,
    reference: string,
    options?: CallOptions,
  ): Promise<FetchedManifest | undefined>;
  /** end-3 with HEAD. A server that does not tell the digest is asked for the document. */
  headManifest(repository: string, reference: string, options?: CallOptions): Promise<Descriptor | undefined>;
  /** end-7. Returns the digest of the bytes. */
  putManifest(
    repository: string,
    reference: string,
    manifest: { mediaType: string; bytes: Buffer },
    options?: CallOptions,
  ): Promise<Digest>;
  /** end-2 with HEAD. Size in bytes, undefined when it is not there. */
  headBlob(repository: string, digest: Digest, options?: CallOptions): Promise<number | undefined>;
  /** end-2, from byte `from` on. Neither digest nor size is verified. Throws `not-found` when it is not there. */
  getBlob(repository: string, digest: Digest, options?: CallOptions & { from?: number }): Promise<BlobStream>;
  /** end-2: a document, whole. Verified. */
  readBlob(
    repository: string,
    blob: Pick<Descriptor, 'digest' | 'size'>,
    options?: CallOptions,
  ): Promise<Buffer>;
  /** end-4a. */
  startUpload(repository: string, options?: CallOptions): Promise<Upload>;
  /** end-11. Undefined: the blob is there now. Otherwise the upload that the server began instead. */
  mountBlob(
    repository: string,
    digest: Digest,
    from: string,
    options?: CallOptions,
  ): Promise<Upload | undefined>;
  /** end-5: the next bytes, from `upload.offset` on; without a range where their number shows only at the end. */
  patchUpload(upload: Upload, body: UploadBody, options?: CallOptions): Promise<Upload>;
  /** end-13: how far an upload has come, after a broken connection. Undefined when the server knows it no more. */
  uploadStatus(upload: Upload, options?: CallOptions): Promise<Upload | undefined>;
  /** end-6: ends the upload; with a body, these are its last (or all its) bytes. */
  putUpload(upload: Upload, digest: Digest, body?: UploadBody, options?: CallOptions): Promise<void>;
  /** Gives an upload up. Nothing is thrown. */
  cancelUpload(upload: Upload): Promise<void>;
  /** end-8: page by page. */
  listTags(repository: string, options?: CallOptions): AsyncIterable<string>;
  /** `_catalog`, which not every registry has. */
  catalog(options?: CallOptions): AsyncIterable<string>;
  /** Gives all connections back. */
  close(): Promise<void>;
}

/** A host that can be asked for a repository, under the name that it has there. */
export interface RegistryEndpoint {
  client: RegistryClient;
  repository: string;
}

/** Clients of any number of registries, with what was learned about them (tokens, connections). */
export interface RegistryPool {
  /** The hosts that have a repository and may be asked for this, in order. */
  endpointsFor(registry: string, repository: string, need: HostCapability): Promise<RegistryEndpoint[]>;
  close(): Promise<void>;
}
