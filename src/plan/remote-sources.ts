import type { CopyInstruction } from '../../grammar/ast.ts';
import type { GitLocation } from '../context/git/git-location.ts';
import { parseGitLocation } from '../context/git/parse-git-location.ts';
import { flagBoolean } from '../dockerfile/validate.ts';
import { SlipwayError } from '../errors/index.ts';
import type { ErrorSubject } from '../errors/subject.ts';
import type { RemoteSource } from './types.ts';

const CHECKSUM: ErrorSubject = { part: 'flag', name: 'checksum' };

/**
 * The sources of a COPY or ADD that are fetched: addresses of the web and git repositories (SPEC 1.12 A4, A6, A7).
 *
 * @throws SlipwayError `invalid` COPY_SOURCE_INVALID with Docker's texts, GIT_URL_INVALID
 */
export function remoteSources(
  instruction: CopyInstruction,
  sources: readonly string[],
  checksum: string | undefined,
): RemoteSource[] {
  const { keyword, flags } = instruction;
  const keepGitDir = flagBoolean(flags, 'keep-git-dir');
  const locations = sources.map(gitLocation);
  if (checksum !== undefined) {
    if (sources.length !== 1) throw invalid("checksum can't be specified for multiple sources", CHECKSUM);
    if (locations[0] === undefined && !isAddress(sources[0]!))
      throw invalid('checksum requires HTTP(S) or Git sources', CHECKSUM);
  }
  return sources.flatMap((url, index): RemoteSource[] => {
    const location = locations[index];
    if (location !== undefined) {
      if (keyword === 'COPY') throw notForCopy("source can't be a git ref for COPY", index);
      return [{ kind: 'git', index, location: merged(location, { keepGitDir, checksum }) }];
    }
    if (!isAddress(url)) return [];
    if (keyword === 'COPY') throw notForCopy("source can't be a URL for COPY", index);
    if (checksum !== undefined && !/^sha256:[0-9a-f]{64}$/.test(checksum)) throw badChecksum(checksum);
    return [{ kind: 'http', index, url, ...(checksum === undefined ? {} : { checksum }) }];
  });
}

/** `github.com/…` is a path here: only a build's own context may be named so. */
function gitLocation(source: string): GitLocation | undefined {
  const location = parseGitLocation(source);
  return location?.likeLocal === true ? undefined : location;
}

function isAddress(source: string): boolean {
  return /^https?:\/\//.test(source);
}

function merged(
  location: GitLocation,
  flags: { keepGitDir: boolean | undefined; checksum: string | undefined },
): GitLocation {
  const { keepGitDir, checksum } = flags;
  if (keepGitDir !== undefined && location.keepGitDir !== undefined && keepGitDir !== location.keepGitDir)
    throw invalid('inconsistent keep-git-dir configuration', { part: 'flag', name: 'keep-git-dir' });
  if (checksum !== undefined && location.checksum !== undefined && checksum !== location.checksum)
    throw invalid(
      `checksum mismatch ${JSON.stringify(checksum)} != ${JSON.stringify(location.checksum)}`,
      CHECKSUM,
    );
  return {
    ...location,
    keepGitDir: location.keepGitDir ?? keepGitDir,
    checksum: location.checksum ?? checksum,
  };
}

function badChecksum(checksum: string): SlipwayError {
  const [algorithm] = checksum.split(':', 1);
  const why =
    !checksum.includes(':') || algorithm === 'sha256'
      ? 'invalid checksum digest format'
      : 'unsupported digest algorithm';
  const hint = 'Write sha256: and 64 hexadecimal digits, as sha256sum prints them.';
  return invalid(`${why}: ${checksum}`, CHECKSUM, hint);
}

function notForCopy(message: string, index: number): SlipwayError {
  return invalid(message, { part: 'word', index }, 'Use ADD for what has to be fetched.');
}

function invalid(message: string, subject: ErrorSubject, hint?: string): SlipwayError {
  return new SlipwayError('invalid', message, { code: 'COPY_SOURCE_INVALID', hint, subject });
}
