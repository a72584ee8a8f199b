import fs from 'node:fs';
import path from 'node:path';
import { SlipwayError } from '../../errors/index.ts';
import type { GitLocation, GitTransport } from './git-location.ts';

const SCHEME = /^([a-zA-Z0-9]+):\/\//;
/** `user@host:path`, with query and fragment. */
const SCP = /^([a-zA-Z0-9_-]+)@([a-zA-Z0-9.-]+):(.*?)(?:\?(.*?))?(?:#(.*))?$/s;

/**
 * Reads what may name a git repository: `https://….git`, `http://….git`, `git://`, `ssh://`, `user@host:path` and
 * `github.com/…`, each with `#ref:subdir` or a query (`?ref=…&subdir=…`).
 *
 * @returns undefined for what names something else: a path, an address of a file
 * @throws SlipwayError `invalid` GIT_URL_INVALID for a git URL whose query makes no sense or contradicts itself
 */
export function parseGitLocation(text: string): GitLocation | undefined {
  if (text.startsWith('github.com/')) {
    const location = withQuery(fromUrl(`https://${text}`, 'https'), queryOf(text));
    return location && { ...location, likeLocal: true };
  }
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return fromScp(text);
    case 'http':
    case 'https': {
      const location = fromUrl(text, scheme);
      return location?.remote.endsWith('.git') ? withQuery(location, queryOf(text)) : undefined;
    }
    case 'git':
    case 'ssh':
      return withQuery(fromUrl(text, scheme), queryOf(text));
    default:
      return undefined;
  }
}

/**
 * Reads what names a repository of this machine: `file://…`, or a path that ends in `.git` and is a bare repository
 * (with `#ref:subdir` even `./.git` may be meant). Only for what the user names: a Dockerfile names no files of the
 * machine.
 */
export function parseLocalRepository(text: string, cwd: string): GitLocation | undefined {
  const isUrl = text.startsWith('file://');
  const bare = text.replace(/[?#].*$/s, '');
  if (!bare.endsWith('.git')) return undefined;
  const directory = isUrl ? decodeURIComponent(bare.slice('file://'.length)) : path.resolve(cwd, bare);
  if (!isUrl && (!isRepository(directory) || (bare === text && path.basename(bare) === '.git')))
    return undefined;
  const location: GitLocation = {
    remote: `file://${directory}`,
    transport: 'file',
    host: '',
    shortName: shortName(directory),
    ...fragmentOf(text),
  };
  return withQuery(location, queryOf(text));
}

function isRepository(directory: string): boolean {
  return fs.existsSync(path.join(directory, 'HEAD')) && fs.existsSync(path.join(directory, 'objects'));
}

function fromUrl(text: string, transport: GitTransport): GitLocation | undefined {
  const bare = text.replace(/[?#].*$/s, '');
  const url = /^[a-zA-Z0-9]+:\/\/[^/]/.test(bare) ? URL.parse(bare) : null;
  // A host that begins with a dash would be an option for ssh; control characters are a protocol's line ends.
  if (url === null || url.hostname === '' || url.hostname.startsWith('-') || /[\x00-\x20\x7f]/.test(bare))
    return undefined;
  const at = /^[a-zA-Z0-9]+:\/\/([^/]*)@/.exec(bare)?.[1];
  const web = transport === 'http' || transport === 'https';
  // Of ssh the user is a part of the address; a password cannot be used.
  const user = web || at === undefined ? '' : `${at.split(':', 1)[0]}@`;
  if (user.startsWith('-')) return undefined;
  const remote = `${transport}://${user}${bare.replace(/^[a-zA-Z0-9]+:\/\/(?:[^/]*@)?/, '')}`;
  return {
    remote,
    transport,
    host: url.host,
    ...(web && at !== undefined ? { userinfo: at } : {}),
    shortName: shortName(remote),
    ...fragmentOf(text),
  };
}

function fromScp(text: string): GitLocation | undefined {
  const match = SCP.exec(text);
  if (match === null) return undefined;
  const [, user, host, where, query, fragment] = match;
  if (user!.startsWith('-') || host!.startsWith('-') || /[\x00-\x1f\x7f]/.test(where!)) return undefined;
  const location: GitLocation = {
    remote: `${user}@${host}:${where}`,
    transport: 'ssh',
    host: host!,
    shortName: shortName(where!),
    ...splitFragment(fragment ?? ''),
  };
  return withQuery(location, new URLSearchParams(query ?? ''));
}

function fragmentOf(text: string): Pick<GitLocation, 'ref' | 'subdir'> {
  const hash = text.indexOf('#');
  return hash < 0 ? {} : splitFragment(decoded(text.slice(hash + 1)));
}

function splitFragment(fragment: string): Pick<GitLocation, 'ref' | 'subdir'> {
  const colon = fragment.indexOf(':');
  const ref = colon < 0 ? fragment : fragment.slice(0, colon);
  const subdir = colon < 0 ? '' : fragment.slice(colon + 1);
  return { ...(ref === '' ? {} : { ref }), ...(subdir === '' ? {} : { subdir }) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function queryOf(text: string): URLSearchParams {
  const query = /^[^#?]*\?([^#]*)/s.exec(text)?.[1] ?? '';
  return new URLSearchParams(query);
}

function withQuery(location: GitLocation | undefined, query: URLSearchParams): GitLocation | undefined {
  if (location === undefined) return undefined;
  const read: GitLocation = { ...location };
  let tag: string | undefined;
  let branch: string | undefined;
  for (const key of new Set(query.keys())) {
    const values = query.getAll(key);
    const value = values[0]!;
    if (values.length > 1) throw invalid(`query ${JSON.stringify(key)} has multiple values`);
    const isSwitch = key === 'submodules' || key === 'keep-git-dir' || key === 'fetch-by-commit';
    if (value === '' && !isSwitch && KEYS.has(key))
      throw invalid(`query ${JSON.stringify(key)} has no value`);
    switch (key) {
      case 'ref':
        read.ref = agreed('ref', read.ref, value);
        break;
      case 'subdir':
        read.subdir = agreed('subdir', read.subdir, value);
        break;
      case 'tag':
        tag = value.startsWith('refs/tags/') ? value : `refs/tags/${value}`;
        break;
      case 'branch':
        branch = value.startsWith('refs/heads/') ? value : `refs/heads/${value}`;
        break;
      case 'checksum':
      case 'commit':
        read.checksum = agreed('checksum', read.checksum, value);
        break;
      case 'keep-git-dir':
        read.keepGitDir = booleanOf(key, value);
        break;
      case 'submodules':
        read.submodules = booleanOf(key, value);
        break;
      case 'fetch-by-commit':
        if (booleanOf(key, value)) read.fetchByCommit = true;
        break;
      case 'mtime':
        if (value !== 'checkout' && value !== 'commit')
          throw invalid(`invalid mtime value: ${JSON.stringify(value)} (must be "checkout" or "commit")`);
        read.mtime = value;
        break;
      default:
        throw invalid(`unexpected query ${JSON.stringify(key)}`, `Known are ${[...KEYS].join(', ')}.`);
    }
  }
  if (tag !== undefined && branch !== undefined) throw invalid('branch conflicts with tag');
  const named = tag ?? branch;
  if (named !== undefined) read.ref = agreed('ref', read.ref, named);
  return read;
}

const KEYS = new Set([
  'ref',
  'tag',
  'branch',
  'subdir',
  'checksum',
  'commit',
  'keep-git-dir',
  'submodules',
  'mtime',
  'fetch-by-commit',
]);

function agreed(what: string, one: string | undefined, other: string): string {
  if (one === undefined || one === other) return other;
  throw invalid(`${what} conflicts: ${JSON.stringify(one)} vs ${JSON.stringify(other)}`);
}

/** Go's `strconv.ParseBool`; a key alone is true. */
function booleanOf(key: string, value: string): boolean {
  if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw invalid(`invalid ${key} value: ${JSON.stringify(value)}`);
}

function shortName(remote: string): string {
  return remote.slice(remote.lastIndexOf('/') + 1).replace(/\.git$/, '');
}

function invalid(message: string, hint?: string): SlipwayError {
  return new SlipwayError('invalid', `invalid git URL: ${message}`, { code: 'GIT_URL_INVALID', hint });
}
