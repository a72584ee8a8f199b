import type { TarHeader } from '../../src/layer/tar-format.ts';
import { encodeTarHeader, endOfArchive } from '../../src/layer/tar-write.ts';

export type Part = Partial<TarHeader> & { path: string; content?: string | Buffer };

/** An archive of these entries, written as they are said, sane or not. */
export function makeTar(parts: readonly Part[]): Buffer {
  const blocks: Buffer[] = [];
  for (const { content = '', ...part } of parts) {
    const data = Buffer.from(content as string);
    const header = {
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtimeNs: 0n,
      size: data.length,
      ...part,
    } as const;
    blocks.push(encodeTarHeader(header), data, Buffer.alloc((512 - (data.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, endOfArchive]);
}
