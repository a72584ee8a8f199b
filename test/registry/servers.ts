import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { memoryFolder } from '../../tools/memory-folder.ts';
import { freePort } from '../support/git.ts';
import { type Need, program } from '../support/need.ts';
import { type Authority, makeAuthority } from './authority.ts';
import { ISSUER, SERVICE, startTokenServer, type TokenServer } from './token-server.ts';
import { HTPASSWD } from './users.ts';

/** What a suite with these servers needs. */
export const REGISTRY_NEEDS: readonly Need[] = [program('docker-registry'), program('openssl')];

/** A real registry server on the loopback, with an empty storage of its own. */
export interface TestRegistry {
  /** `127.0.0.1:PORT`, the beginning of its images' names. */
  readonly host: string;
  /** The same under another name: other credentials, other configuration. */
  readonly otherHost: string;
  /** With its scheme. */
  readonly url: string;
  /** Its storage: blobs are at `docker/registry/v2/blobs/sha256/ab/abcd…/data`. */
  readonly storage: string;
  /** Of a registry with tokens. */
  readonly tokens: TokenServer;
  /** Of a registry with TLS. */
  readonly authority: Authority;
  /** Method and path of each request that it has answered, from its own log, which may lag a little. */
  readonly log: readonly string[];
}

export interface TestRegistryOptions {
  /** `basic`: `USER` and `PASSWORD` are asked for; `token`: a token server is (always with TLS). Default: nothing. */
  auth?: 'basic' | 'token';
  tls?: boolean;
  /** Only clients with a certificate of the authority are served (with TLS). */
  clientCertificates?: boolean;
  /** Serves what another registry has, and keeps it. */
  mirrorOf?: () => string;
}

/** Runs Debian's docker-registry while the tests of a suite run. */
export function testRegistry(options: TestRegistryOptions = {}): TestRegistry {
  const tls = options.tls ?? options.auth === 'token';
  const state: { folder: string; port: number; tokens?: TokenServer; authority?: Authority } = {
    folder: '',
    port: 0,
  };
  const log: string[] = [];
  let child: ChildProcess | undefined;
  beforeAll(async () => {
    state.folder = mkdtempSync(join(memoryFolder(), 'slipway-registry-'));
    mkdirSync(join(state.folder, 'storage'));
    if (tls) state.authority = makeAuthority(state.folder);
    if (options.auth === 'token') state.tokens = await startTokenServer(state.authority!.issue('tokens'));
    state.port = await freePort();
    const file = join(state.folder, 'config.yml');
    writeFileSync(file, JSON.stringify(configuration(options, { ...state, tls })));
    child = spawn('docker-registry', ['serve', file], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    follow(child.stdout!, log);
    await listening(child);
  });
  afterAll(async () => {
    if (child?.kill('SIGKILL')) await once(child, 'close');
    await state.tokens?.close();
    if (state.folder !== '') rmSync(state.folder, { recursive: true, force: true });
  });
  return {
    get host() {
      return `127.0.0.1:${state.port}`;
    },
    get otherHost() {
      return `localhost:${state.port}`;
    },
    get url() {
      return `${tls ? 'https' : 'http'}://127.0.0.1:${state.port}`;
    },
    get storage() {
      return join(state.folder, 'storage');
    },
    get tokens() {
      return state.tokens!;
    },
    get authority() {
      return state.authority!;
    },
    log,
  };
}

/** config.yml of docker-registry; JSON is YAML. */
function configuration(
  options: TestRegistryOptions,
  state: { folder: string; port: number; tls: boolean; tokens?: TokenServer; authority?: Authority },
): unknown {
  const { folder, port, tls, tokens, authority } = state;
  const server = tls ? authority!.issue('registry') : undefined;
  return {
    version: '0.1',
    // Stands for all output but the log of requests.
    log: { level: 'info' },
    storage: {
      filesystem: { rootdirectory: join(folder, 'storage') },
      cache: { blobdescriptor: 'inmemory' },
      delete: { enabled: true },
    },
    http: {
      addr: `127.0.0.1:${port}`,
      secret: 'of the tests',
      ...(server && {
        tls: {
          certificate: server.cert,
          key: server.key,
          ...(options.clientCertificates === true ? { clientcas: [authority!.ca] } : {}),
        },
      }),
    },
    ...auth(),
    ...(options.mirrorOf && { proxy: { remoteurl: options.mirrorOf() } }),
  };

  function auth(): object {
    if (options.auth === 'token') {
      const { realm } = tokens!;
      const rootcertbundle = authority!.ca;
      return { auth: { token: { realm, service: SERVICE, issuer: ISSUER, rootcertbundle } } };
    }
    if (options.auth !== 'basic') return {};
    const path = join(folder, 'htpasswd');
    writeFileSync(path, HTPASSWD);
    return { auth: { htpasswd: { realm: 'tests', path } } };
  }
}

/** Waits for the line that says that connections are taken. */
function listening(child: ChildProcess): Promise<void> {
  let said = '';
  return new Promise((resolve, reject) => {
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('listening on')) resolve();
    });
    child.once('error', reject);
    child.once('close', () => reject(new Error(`docker-registry did not start: ${said}`)));
  });
}

/** `127.0.0.1 - - [date] "GET /v2/ HTTP/1.1" 200 2 "" "agent"` */
function follow(stream: NodeJS.ReadableStream, log: string[]): void {
  let rest = '';
  stream.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const request = /"([A-Z]+ \S+) HTTP/.exec(line);
      if (request !== null) log.push(request[1]!);
    }
  });
}
