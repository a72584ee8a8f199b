import fs from 'node:fs';
import path from 'node:path';

export interface IgnoreCases {
  /** Version of the engine that gave the results. */
  engine: string;
  /** Files of every context that names none. A trailing slash makes a directory. */
  tree: string[];
  cases: IgnoreCase[];
}

export interface IgnoreCase {
  name: string;
  ignore: string;
  files?: string[];
  /** Paths that `COPY . /x` brings along, sorted. */
  visible?: string[];
  /** Fragment of the engine's refusal. */
  error?: string;
}

export function makeTree(root: string, files: readonly string[]): void {
  for (const file of files) {
    const full = path.join(root, file);
    fs.mkdirSync(file.endsWith('/') ? full : path.dirname(full), { recursive: true });
    if (!file.endsWith('/')) fs.writeFileSync(full, file);
  }
}
