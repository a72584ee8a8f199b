import { copyBlob } from '../../export/layer-source.ts';
import { blobName, OCI_LAYOUT } from '../../export/layout-documents.ts';
import { OuterTar } from '../../export/outer-tar.ts';
import { withOutput } from '../../export/output.ts';
import type { Output } from '../../export/types.ts';
import { buildIndex } from '../../image/build-manifest.ts';
import type { MadeBlob } from '../../registry/push/push-image.ts';
import type { CacheContent } from './cache-content.ts';
import { REF_NAME } from './layout-cache.ts';

/**
 * Writes a cache as one tar that holds an OCI layout; a file appears under its name only when it is whole. Same content,
 * same bytes.
 *
 * @throws SlipwayError those of `withOutput` and of making the blobs
 */
export async function writeCacheArchive(
  content: CacheContent,
  output: Output,
  { tag, signal }: { tag: string; signal: AbortSignal },
): Promise<void> {
  const made: MadeBlob[] = [];
  try {
    for (const blob of content.blobs) made.push(await blob.make());
    const manifest = content.manifest(made.map(({ descriptor }) => descriptor));
    const { mediaType, digest, bytes } = manifest;
    await withOutput(output, async (out) => {
      const tar = new OuterTar((chunk) => out.write(chunk));
      tar.directory('blobs');
      tar.directory('blobs/sha256');
      for (const document of [content.config, manifest]) tar.file(blobName(document.digest), document.bytes);
      const written = new Set<string>();
      for (const { descriptor, path } of made) {
        if (written.has(descriptor.digest)) continue;
        written.add(descriptor.digest);
        tar.begin(blobName(descriptor.digest), descriptor.size);
        copyBlob(
          { path, ...descriptor },
          (chunk) => tar.content(chunk),
          () => signal.aborted,
        );
        tar.end();
      }
      const entry = { mediaType, digest, size: bytes.length, annotations: { [REF_NAME]: tag } };
      tar.file('index.json', buildIndex([entry]).bytes);
      tar.file('oci-layout', OCI_LAYOUT);
      tar.finish();
    });
  } finally {
    for (const { release } of made) release?.();
  }
}
