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

const NONE = '<none>';

/** One line of the list: an image under one of its names. */
export interface ImageLine {
  image: ListedImage;
  repository: string;
  tag: string;
  digest: string;
}

/** The lines of `docker images`. `images` come in the order of the list. */
export function imageLines(images: readonly ListedImage[], withDigests: boolean): ImageLine[] {
  return images.flatMap((image) => linesOf(image, withDigests));
}

/** The twelve digits that stand for an id. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}

/** The same with the algorithm in front: `sha256:0123456789ab`. */
export function shortDigest(digest: string): string {
  return `sha256:${shortId(digest)}`;
}

function linesOf(image: ListedImage, withDigests: boolean): ImageLine[] {
  const lines: ImageLine[] = image.tags.map(({ repository, tag }) => ({
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
