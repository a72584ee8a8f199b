import type { Digest, ImageAnnotations } from '../image/types.ts';
import { getValue, putValue } from './memory.ts';
import type { Store } from './store.ts';

/** Remembers an image's annotations, or that it has none: they are written into its manifest when it leaves. */
export function putAnnotations(store: Store, id: Digest, annotations: ImageAnnotations | undefined): void {
  putValue(store, nameOf(id), annotations && JSON.stringify(annotations));
}

/** As `putAnnotations`, where there is something to remember or to forget. */
export function rememberAnnotations(
  store: Store,
  id: Digest,
  annotations: ImageAnnotations | undefined,
): void {
  if (annotations !== undefined || annotationsOf(store, id) !== undefined)
    putAnnotations(store, id, annotations);
}

/** The annotations of an image, as it was built last. */
export function annotationsOf(store: Store, id: Digest): ImageAnnotations | undefined {
  const text = getValue(store, nameOf(id));
  return text === undefined ? undefined : (JSON.parse(text) as ImageAnnotations);
}

function nameOf(id: Digest): string {
  return `annotations ${id}`;
}
