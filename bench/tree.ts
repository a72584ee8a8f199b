import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = 400;
const FILES_PER_FOLDER = 50;

/** How many files {@link writeTree} makes, and how large each is. */
export const TREE = { files: FOLDERS * FILES_PER_FOLDER, bytesPerFile: 10_000 };

/** Writes 20,000 files of 10 kB, no two alike, in 400 folders below `root`, which is made. */
export function writeTree(root: string): void {
  const content = Buffer.alloc(TREE.bytesPerFile);
  for (let folder = 0; folder < FOLDERS; folder++) {
    mkdirSync(join(root, `d${folder}`), { recursive: true });
    for (let file = 0; file < FILES_PER_FOLDER; file++) {
      content.writeUInt32LE(folder * FILES_PER_FOLDER + file, 0);
      writeFileSync(join(root, `d${folder}`, `f${file}`), content);
    }
  }
}
