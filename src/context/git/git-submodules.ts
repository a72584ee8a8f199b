import { SlipwayError } from '../../errors/index.ts';
import { redactUrl } from '../../errors/redact-url.ts';
import { type BytePath, bytesOf, textOf } from '../../sys/bytes.ts';
import type { GitLink } from './git-checkout.ts';
import type { GitLocation } from './git-location.ts';
import type { GitRepository } from './git-repository.ts';
import { parseGitLocation } from './parse-git-location.ts';

/** A submodule that is wanted: where it goes, and where it comes from. */
export interface Submodule {
  path: BytePath;
  commit: string;
  location: GitLocation;
}

/**
 * Where the submodules of a commit come from, by its `.gitmodules` (gitmodules(5)). That file is the repository's
 * word: only addresses on the network count, and nothing in it is ever an option, a path of this machine or a command.
 *
 * @throws SlipwayError `invalid` GIT_SUBMODULE_INVALID
 */
export async function submodulesOf(
  repository: GitRepository,
  parent: GitLocation,
  links: readonly GitLink[],
): Promise<Submodule[]> {
  if (links.length === 0) return [];
  const modules = await readModules(repository);
  return links.flatMap(({ path, commit }) => {
    const module = [...modules.values()].find((one) => cleaned(one.path) === path);
    if (module?.update === 'none') return [];
    if (module?.url === undefined) {
      throw new SlipwayError('invalid', `No url found for submodule path '${textOf(path)}' in .gitmodules`, {
        code: 'GIT_SUBMODULE_INVALID',
        hint: 'Leave submodules out with ?submodules=0.',
      });
    }
    return [{ path, commit, location: locationOf(module.url, parent, path) }];
  });
}

interface Module {
  path?: BytePath;
  url?: string;
  update?: string;
}

async function readModules(repository: GitRepository): Promise<Map<string, Module>> {
  const { run, commit } = repository;
  const modules = new Map<string, Module>();
  const entry = await run(['ls-tree', '-z', '--full-tree', commit, '.gitmodules']);
  // A link would lead to another file of the repository: git refuses it as well.
  if (!entry.startsWith('100')) return modules;
  let listing = '';
  await run(['config', `--blob=${commit}:.gitmodules`, '--no-includes', '-z', '--list'], {
    onOutput: (text) => {
      listing += text;
    },
  });
  for (const record of listing.split('\0')) {
    const [, name, key] = /^submodule\.(.*)\.(path|url|update)$/s.exec(record.split('\n', 1)[0]!) ?? [];
    if (name === undefined) continue;
    const value = record.slice(record.indexOf('\n') + 1);
    const module = modules.get(name) ?? {};
    if (key === 'path') module.path = value;
    else if (key === 'url') module.url = Buffer.from(value, 'latin1').toString('utf8');
    else module.update = value;
    modules.set(name, module);
  }
  return modules;
}

function cleaned(path: BytePath | undefined): BytePath | undefined {
  return path?.replace(/\/+$/, '');
}

function locationOf(url: string, parent: GitLocation, path: BytePath): GitLocation {
  const absolute = /^\.\.?\//.test(url) ? resolveRelative(parent.remote, url) : url;
  const location = readAddress(absolute);
  if (location === undefined) {
    throw new SlipwayError(
      'invalid',
      `submodule '${textOf(path)}' has an address that is not fetched: ${redactUrl(textOf(bytesOf(url)))}`,
      {
        code: 'GIT_SUBMODULE_INVALID',
        hint: 'Submodules come by https, http, git or ssh. Leave them out with ?submodules=0.',
      },
    );
  }
  // Beside its parent it is let in as its parent was.
  return location.host === parent.host &&
    location.transport === parent.transport &&
    location.userinfo === undefined
    ? { ...location, userinfo: parent.userinfo }
    : location;
}

/** As ADD reads it, but https needs no `.git`, and there is neither query nor fragment. */
function readAddress(url: string): GitLocation | undefined {
  if (/[?#]/.test(url) || url.startsWith('github.com/')) return undefined;
  const bare = url.replace(/\/+$/, '');
  if (!/^https?:\/\//i.test(bare) || bare.endsWith('.git')) return parseGitLocation(bare);
  const location = parseGitLocation(`${bare}.git`);
  return location && { ...location, remote: location.remote.slice(0, -'.git'.length) };
}

/** git-submodule(1): each `../` takes an element from the end of the parent's address. */
function resolveRelative(parent: string, url: string): string {
  let base = parent.replace(/\/+$/, '');
  let rest = url;
  for (;;) {
    if (rest.startsWith('./')) rest = rest.slice(2);
    else if (rest.startsWith('../')) {
      rest = rest.slice(3);
      const slash = base.lastIndexOf('/');
      const colon = base.lastIndexOf(':');
      const cut = Math.max(slash, colon);
      if (cut < 0 || (/:\/{0,2}$/.test(base.slice(0, cut + 1)) && slash >= colon))
        return `${base}/../${rest}`;
      if (colon > slash) return `${base.slice(0, colon + 1)}${rest}`;
      base = base.slice(0, cut);
    } else return `${base}/${rest}`;
  }
}
