import { SlipwayError } from '../errors/index.ts';

/** A name of an image, fully written out: `docker.io/library/debian`, with tag, digest, both or none. */
export interface ImageReference {
  /** Host, with its port: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  domain: string;
  /** Repository: `library/debian`. */
  path: string;
  tag?: string;
  /** `algorithm:hex`. */
  digest?: string;
}

const DEFAULT_DOMAIN = 'docker.io';
const LEGACY_DOMAIN = 'index.docker.io';
const OFFICIAL_PREFIX = 'library/';
const MAX_NAME_LENGTH = 255;

// The grammar of distribution/reference, with its names.
const DOMAIN_COMPONENT = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const DOMAIN = `(?:${DOMAIN_COMPONENT}(?:\\.${DOMAIN_COMPONENT})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const PATH_COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const TAG = '[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}';
const DIGEST = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const REFERENCE = new RegExp(
  `^(${DOMAIN})/(${PATH_COMPONENT}(?:/${PATH_COMPONENT})*)(?::(${TAG}))?(?:@(${DIGEST}))?$`,
);
const TAG_ALONE = new RegExp(`^${TAG}$`);
const DIGEST_HEX_LENGTH: Record<string, number> = { sha256: 64, sha384: 96, sha512: 128 };

/**
 * Reads an image name as Docker does: without a domain it is Docker Hub's, a single word there is in `library/`.
 * No tag is added (see `withDefaultTag`).
 *
 * @throws SlipwayError `REFERENCE_INVALID` with Docker's texts (`invalid reference format`).
 */
export function parseReference(text: string): ImageReference {
  if (/^[a-f0-9]{64}$/.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  const [domain, remainder] = splitDomain(text);
  const name = remainder.split(':', 1)[0]!;
  // Docker lower-cases with Unicode rules; what has no lower case form fails in the grammar below.
  if (name.toLowerCase() !== name) {
    throw invalid(
      `invalid reference format: repository name (${name}) must be lowercase`,
      `Write ${text.replace(name.replace(/^library\//, ''), (part) => part.toLowerCase())}.`,
    );
  }
  // Long names cannot be valid; the limit also keeps the pattern's work small.
  const match = text.length > 1024 ? null : REFERENCE.exec(`${domain}/${remainder}`);
  if (match === null) throw invalid('invalid reference format', placeHint(text));
  const [, foundDomain, path, tag, digest] = match;
  if (path!.length > MAX_NAME_LENGTH) throw invalid('repository name must not be more than 255 characters');
  if (digest !== undefined) checkDigest(digest);
  return {
    domain: foundDomain!,
    path: path!,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** For whoever writes a place of another tool (containers-transports(5)) where the name of an image is meant. */
export function placeHint(text: string): string | undefined {
  const name = /^docker:\/\/(.+)$/s.exec(text)?.[1];
  if (name !== undefined) return `Write ${name}.`;
  return /^(?:oci|oci-archive|docker-archive):./.test(text)
    ? `The name of an image is meant here: slipway load -i ${text} takes that one into the store.`
    : undefined;
}

/** True when `text` can be read by `parseReference`. */
export function isReference(text: string): boolean {
  try {
    parseReference(text);
    return true;
  } catch {
    return false;
  }
}

/** Adds `latest` when there is neither tag nor digest. */
export function withDefaultTag(reference: ImageReference): ImageReference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: 'latest' }
    : reference;
}

/** The full form: `docker.io/library/debian:12`. */
export function formatReference(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}${suffix(reference)}`;
}

/** The short form people write and `docker images` shows: `debian:12`. */
export function familiarReference(reference: ImageReference): string {
  return `${familiarName(reference)}${suffix(reference)}`;
}

/** The short form without tag and digest: `debian`, `user/app`, `localhost:5000/app`. */
export function familiarName(reference: ImageReference): string {
  if (reference.domain !== DEFAULT_DOMAIN) return `${reference.domain}/${reference.path}`;
  const inside = reference.path.startsWith(OFFICIAL_PREFIX)
    ? reference.path.slice(OFFICIAL_PREFIX.length)
    : reference.path;
  // `library/a/b` shortened to `a/b` would be read as another repository.
  return inside.includes('/') ? reference.path : inside;
}

/** Throws `usage` for a name that nobody could use, since what is written like it is a digest: `sha256:1`. */
export function checkNewName(reference: ImageReference): void {
  if (familiarName(reference) !== 'sha256') return;
  throw new SlipwayError('usage', 'refusing to create an ambiguous tag using digest algorithm as name', {
    code: 'TAG_AMBIGUOUS',
  });
}

/** The full form of what a Dockerfile or a command line names, `latest` filled in; a digest makes the tag moot. */
export function normalizeReference(text: string): string {
  return formatReference(withDefaultTag(parseReference(text)));
}

/** True when `text` is a valid tag. */
export function isTag(text: string): boolean {
  return TAG_ALONE.test(text);
}

function suffix(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  return reference.digest === undefined ? tag : `${tag}@${reference.digest}`;
}

/** The part before the first slash is a domain when it has a dot, a colon, an upper-case letter, or is localhost. */
function splitDomain(text: string): [domain: string, remainder: string] {
  const slash = text.indexOf('/');
  const head = slash === -1 ? '' : text.slice(0, slash);
  const isDomain =
    slash !== -1 &&
    (head === 'localhost' || head.includes('.') || head.includes(':') || head.toLowerCase() !== head);
  let domain = isDomain ? head : DEFAULT_DOMAIN;
  let remainder = isDomain ? text.slice(slash + 1) : text;
  if (domain === LEGACY_DOMAIN) domain = DEFAULT_DOMAIN;
  if (domain === DEFAULT_DOMAIN && !remainder.includes('/')) remainder = OFFICIAL_PREFIX + remainder;
  return [domain, remainder];
}

function checkDigest(digest: string): void {
  const colon = digest.indexOf(':');
  const length = DIGEST_HEX_LENGTH[digest.slice(0, colon)];
  const hex = digest.slice(colon + 1);
  if (length === undefined) throw invalid('unsupported digest algorithm', 'Write the digest as sha256:….');
  if (hex.length !== length) throw invalid('invalid checksum digest length');
  if (!/^[0-9a-f]+$/.test(hex)) throw invalid('invalid checksum digest format');
}

function invalid(message: string, hint?: string): SlipwayError {
  return new SlipwayError('syntax', message, { code: 'REFERENCE_INVALID', hint });
}
