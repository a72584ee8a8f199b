/** BuildKit's word for what has no name. */
const UNNAMED = '__unnamed__';

/**
 * The name of a download in a directory (SPEC A4): the last element of the URL's path, else the file name of a
 * `Content-Disposition` (RFC 6266), else `__unnamed__`. Never a path.
 */
export function fileNameOf(url: string, disposition: string | undefined): string {
  return lastElement(decoded(URL.parse(url)?.pathname ?? '')) ?? dispositionName(disposition) ?? UNNAMED;
}

function dispositionName(disposition: string | undefined): string | undefined {
  if (disposition === undefined) return undefined;
  const extended = /;\s*filename\*\s*=\s*(?:utf-8|iso-8859-1)'[^']*'([^;\s]+)/i.exec(disposition)?.[1];
  if (extended !== undefined) return lastElement(decoded(extended));
  const match = /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition);
  const name = match?.[1]?.replace(/\\(.)/g, '$1') ?? match?.[2];
  return name === undefined || name.endsWith('/') ? undefined : lastElement(name);
}

function lastElement(path: string): string | undefined {
  const name = path.replace(/\/+$/, '').split('/').at(-1) ?? '';
  return name === '' || name === '.' || name === '..' || /[\x00-\x1f\x7f]/.test(name) ? undefined : name;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
