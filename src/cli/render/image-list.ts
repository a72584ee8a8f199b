import { safeText } from '../../progress/safe-text.ts';
import { createdSince, humanSize } from './human.ts';
import { renderTable } from './table.ts';

/** An image as lists show it. */
export interface ListedImage {
  /** `sha256:…` */
  id: string;
  /** Familiar repository (`debian`) and tag of each name. */
  tags: { repository: string; tag: string }[];
  digests: { repository: string; digest: string }[];
  /** RFC 3339. */
  created: string;
  /** Bytes. */
  size: number;
}

export interface ImageListOptions {
  quiet: boolean;
  noTrunc: boolean;
  digests: boolean;
  /** Milliseconds since 1970. */
  now: number;
}

const NONE = '<none>';

/** One line of the list: an image under one of its names. */
interface Line {
  image: ListedImage;
  repository: string;
  tag: string;
  digest: string;
}

/** The table of `docker images`, or with `quiet` the ids, one per name. `images` come in the order of the list. */
export function renderImageList(images: readonly ListedImage[], options: ImageListOptions): string {
  const lines = images.flatMap((image) => linesOf(image, options.digests));
  const id = (image: ListedImage) => (options.noTrunc ? image.id : shortId(image.id));
  if (options.quiet) return lines.map(({ image }) => `${id(image)}\n`).join('');
  const headers = [
    'REPOSITORY',
    'TAG',
    ...(options.digests ? ['DIGEST'] : []),
    'IMAGE ID',
    'CREATED',
    'SIZE',
  ];
  const rows = lines.map(({ image, repository, tag, digest }) => [
    safeText(repository),
    safeText(tag),
    ...(options.digests ? [safeText(digest)] : []),
    id(image),
    createdSince(image.created, options.now),
    humanSize(image.size),
  ]);
  return renderTable(headers, rows);
}

/** The twelve digits that stand for an id. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}

function linesOf(image: ListedImage, withDigests: boolean): Line[] {
  const lines: Line[] = image.tags.map(({ repository, tag }) => ({
    image,
    repository,
    tag,
    digest: image.digests.find((name) => name.repository === repository)?.digest ?? NONE,
  }));
  const tagged = new Set(image.tags.map(({ repository }) => repository));
  for (const { repository, digest } of image.digests) {
    if (!tagged.has(repository)) lines.push({ image, repository, tag: NONE, digest });
  }
  // Without the column, several digests of one repository would be lines that say the same.
  const seen = new Set<string>();
  const distinct = lines.filter(({ repository, tag, digest }) => {
    const key = `${repository}:${tag}${withDigests ? digest : ''}`;
    return seen.has(key) ? false : seen.add(key);
  });
  return distinct.length > 0 ? distinct : [{ image, repository: NONE, tag: NONE, digest: NONE }];
}
