import { SlipwayError } from '../../errors/index.ts';
import { redactUrl } from '../../errors/redact-url.ts';
import type { GitRemote } from './git-remote.ts';

/** What a location's ref stands for at the moment. */
export interface ResolvedRef {
  /** Full id of the object that the ref names: a commit, or a tag that names one. Undefined for a shortened id. */
  object: string | undefined;
  /** Full id of the commit as far as the server told it. */
  commit: string | undefined;
  /** Full name, `refs/heads/main`; undefined for an id. */
  name: string | undefined;
  /** A shortened commit id, which only a whole repository can complete. */
  short?: string;
}

/** True for a whole commit id: SHA-1 or SHA-256, hex. */
export function isCommitId(text: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/**
 * Asks a repository what a location's ref is; a whole commit id needs no asking. A branch goes before a tag of the same
 * name, as with git checkout, and what follows `refs/` before both.
 *
 * @throws SlipwayError `not-found` GIT_REF_NOT_FOUND, `invalid` GIT_REF_INVALID, those of `GitRemote.run`
 */
export async function resolveRef(remote: GitRemote): Promise<ResolvedRef> {
  const { ref, checksum, fetchByCommit } = remote.location;
  if (checksum !== undefined && !/^[0-9a-f]{4,64}$/.test(checksum))
    throw invalid(`invalid checksum ${JSON.stringify(checksum)}: a commit id, or its beginning, is expected`);
  if (fetchByCommit === true) {
    if (checksum === undefined || !isCommitId(checksum))
      throw invalid('fetch-by-commit requires checksum to be a full commit id');
    return { object: checksum, commit: checksum, name: ref?.startsWith('refs/') ? ref : undefined };
  }
  const wanted = ref ?? checksum;
  if (wanted === undefined) return await resolveDefault(remote);
  if (isCommitId(wanted)) return { object: wanted, commit: wanted, name: undefined };
  if (!isRefName(wanted)) throw invalid(`${JSON.stringify(wanted)} is not the name of a ref`);
  const refs = await listRefs(remote, [wanted, `${wanted}^{}`]);
  for (const name of [wanted, `refs/${wanted}`, `refs/heads/${wanted}`, `refs/tags/${wanted}`]) {
    const object = refs.get(name);
    // Anything else that ends in the same words was listed as well.
    if (object !== undefined && (name.startsWith('refs/') || name === 'HEAD'))
      return { object, commit: refs.get(`${name}^{}`) ?? object, name: name === 'HEAD' ? undefined : name };
  }
  if (/^[0-9a-f]{4,63}$/.test(wanted))
    return { object: undefined, commit: undefined, name: undefined, short: wanted };
  throw new SlipwayError(
    'not-found',
    `repository does not contain ref ${wanted}: ${redactUrl(remote.location.remote)}`,
    { code: 'GIT_REF_NOT_FOUND', hint: 'It takes the name of a branch or tag, or a commit id.' },
  );
}

async function resolveDefault(remote: GitRemote): Promise<ResolvedRef> {
  let name: string | undefined;
  const refs = await listRefs(remote, ['HEAD'], (target) => {
    name = target;
  });
  const object = refs.get('HEAD');
  if (object !== undefined) return { object, commit: object, name };
  throw new SlipwayError(
    'not-found',
    `repository ${redactUrl(remote.location.remote)} has no default branch`,
    {
      code: 'GIT_REF_NOT_FOUND',
      hint: 'It may be empty. Name a branch: URL#branch.',
    },
  );
}

/** Ids by name. Patterns are matched by git from the end of names. */
async function listRefs(
  remote: GitRemote,
  patterns: readonly string[],
  onHead: (target: string) => void = () => {},
): Promise<Map<string, string>> {
  const text = await remote.run(['ls-remote', '--symref', '--', remote.location.remote, ...patterns]);
  const refs = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [id, name] = line.split('\t');
    if (name === 'HEAD' && id!.startsWith('ref: ')) onHead(id!.slice('ref: '.length));
    else if (name !== undefined && isCommitId(id!)) refs.set(name, id!);
  }
  return refs;
}

/** git-check-ref-format(1), as far as it keeps patterns, options and ranges out. */
function isRefName(text: string): boolean {
  return (
    /^[^-/.~^:?*[\\\x00-\x20\x7f][^~^:?*[\\\x00-\x20\x7f]*$/.test(text) &&
    !/\.\.|@\{|\/\/|\/$|\.lock$/.test(text)
  );
}

function invalid(message: string): SlipwayError {
  return new SlipwayError('invalid', message, { code: 'GIT_REF_INVALID' });
}
