import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { findProgram } from '../../tools/base/programs.ts';

/** Authors, times and settings that are the same everywhere. */
const ENV = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.com',
  GIT_AUTHOR_DATE: '2024-01-02T03:04:05Z',
  GIT_COMMITTER_DATE: '2024-01-02T03:04:05Z',
};

/** Runs git for a test, in a folder; gives its output. */
export function git(cwd: string, ...args: string[]): string {
  return execFileSync('git', ['-c', 'protocol.file.allow=always', ...args], {
    cwd,
    env: ENV,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).trim();
}

/** A repository being made, with a work tree. */
export interface TestRepository {
  /** The work tree. */
  readonly path: string;
  /** Writes files (a name with `!` in front is executable), commits all there is, gives the commit's id. */
  commit(files: Readonly<Record<string, string>>, message?: string): string;
  git(...args: string[]): string;
  /** Makes a bare copy at `path`, as servers have them; again after more commits. */
  publish(path: string): void;
}

/** Makes an empty repository. */
export function makeRepository(path: string, options: { format?: 'sha256' } = {}): TestRepository {
  mkdirSync(path, { recursive: true });
  const format = options.format === undefined ? [] : [`--object-format=${options.format}`];
  git(path, 'init', '-q', '-b', 'main', ...format);
  return {
    path,
    commit(files, message = 'commit') {
      for (const [name, content] of Object.entries(files)) {
        const file = join(path, name.replace(/^!/, ''));
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, content);
        if (name.startsWith('!')) chmodSync(file, 0o755);
      }
      git(path, 'add', '-A');
      git(path, 'commit', '-q', '--allow-empty', '-m', message);
      return git(path, 'rev-parse', 'HEAD');
    },
    git: (...args) => git(path, ...args),
    publish(to) {
      rmSync(to, { recursive: true, force: true });
      git(path, 'clone', '-q', '--bare', path, to);
    },
  };
}

/** What a server was asked, and what it does to those who ask. */
export interface HttpGit {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Method, path and Authorization of each request. */
  readonly requests: { path: string; authorization: string | undefined }[];
  /** Answers in place of git when it returns true. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
}

/** Serves the bare repositories of a folder by http, with git's own program, while the tests of a suite run. */
export function httpGit(folder: () => string): HttpGit {
  let server: Server | undefined;
  const state: HttpGit = {
    get url() {
      return `http://127.0.0.1:${(server!.address() as AddressInfo).port}`;
    },
    requests: [],
    intercept: undefined,
  };
  beforeAll(async () => {
    server = createServer((request, response) => {
      state.requests.push({ path: request.url!, authorization: request.headers.authorization });
      if (state.intercept?.(request, response)) return;
      backend(folder(), request, response);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => {
    server?.closeAllConnections();
    server?.close();
  });
  return state;
}

/** git-http-backend(1) as a CGI program. */
function backend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url!, 'http://x');
  const child = spawn('git', ['http-backend'], {
    env: {
      ...ENV,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_ADDR: '127.0.0.1',
      // The repositories may belong to another user than the one who tests.
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => {});
  request.pipe(child.stdin);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.on('close', () => {
    const output = Buffer.concat(chunks);
    const end = output.indexOf('\r\n\r\n');
    let status = 200;
    for (const line of output.toString('latin1', 0, end).split('\r\n')) {
      const [name, value] = line.split(/: (.*)/s);
      if (name === 'Status') status = Number.parseInt(value!, 10);
      else response.setHeader(name!, value!);
    }
    response.writeHead(status);
    response.end(output.subarray(end + 4));
  });
}

/** An ssh server that lets one key in, on a port of its own. */
export interface SshServer {
  readonly port: number;
  /** A private key that it lets in. */
  readonly key: string;
  /** For GIT_SSH_COMMAND: with the key and the server's own key known. */
  readonly command: string;
  /** The same without a key: one that an agent has. */
  readonly commandWithoutKey: string;
  readonly user: string;
}

/** Runs sshd while the tests of a suite run; needs the packages openssh-server and openssh-client. */
export function sshServer(): SshServer {
  let folder = '';
  let child: ChildProcess | undefined;
  const state = { port: 0, user: userInfo().username };
  const options = (): string =>
    `ssh -F /dev/null -o IdentitiesOnly=no -o UserKnownHostsFile=${folder}/known -o BatchMode=yes -p ${state.port}`;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'slipway-sshd-'));
    for (const name of ['host', 'key'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)]);
    state.port = await freePort();
    writeFileSync(join(folder, 'allowed'), readFileSync(join(folder, 'key.pub')), { mode: 0o600 });
    const hostKey = readFileSync(join(folder, 'host.pub'), 'utf8');
    writeFileSync(join(folder, 'known'), `[127.0.0.1]:${state.port} ${hostKey}`);
    const settings = {
      HostKey: `${folder}/host`,
      AuthorizedKeysFile: `${folder}/allowed`,
      PidFile: 'none',
      UsePAM: 'no',
      StrictModes: 'no',
      PasswordAuthentication: 'no',
      PermitRootLogin: 'prohibit-password',
      AcceptEnv: 'GIT_PROTOCOL',
    };
    mkdirSync('/run/sshd', { recursive: true });
    child = spawn(
      findProgram('sshd')!,
      [
        '-D',
        '-e',
        '-f',
        '/dev/null',
        '-p',
        String(state.port),
        '-o',
        'ListenAddress=127.0.0.1',
        ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    for await (const chunk of child.stderr!) {
      said += chunk;
      if (said.includes('listening on')) break;
    }
    child.stderr!.resume();
  });
  afterAll(() => {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    get port() {
      return state.port;
    },
    get key() {
      return join(folder, 'key');
    },
    get command() {
      return `${options()} -i ${folder}/key`;
    },
    get commandWithoutKey() {
      return `${options()} -o IdentityFile=none`;
    },
    user: state.user,
  };
}

/** A port of the loopback that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
