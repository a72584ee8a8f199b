import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILES_PER_FOLDER = 50;
const USUAL = { folders: 400, bytesPerFile: 10_000 };

/** How many files {@link writeTree} usually makes, and how large each is. */
export const TREE = { files: USUAL.folders * FILES_PER_FOLDER, bytesPerFile: USUAL.bytesPerFile };

/** Writes 50 files, no two alike, into each of 400 folders below `root`, which is made: 20,000 of 10 kB. */
export function writeTree(root: string, { folders, bytesPerFile } = USUAL): void {
  const content = Buffer.alloc(bytesPerFile);
  for (let folder = 0; folder < folders; folder++) {
    mkdirSync(join(root, `d${folder}`), { recursive: true });
    for (let file = 0; file < FILES_PER_FOLDER; file++) {
      content.writeUInt32LE(folder * FILES_PER_FOLDER + file, 0);
      writeFileSync(join(root, `d${folder}`, `f${file}`), content);
    }
  }
}
