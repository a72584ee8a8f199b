import { closeSync, constants, openSync, readSync } from 'node:fs';
import { SlipwayError } from '../errors/index.ts';
import { type BytePath, textOf } from '../sys/bytes.ts';
import { RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } from '../sys/constants.ts';
import { loadSys } from '../sys/linux.ts';
import { withOutput } from './output.ts';
import type { Aborted, Output } from './types.ts';

const CHUNK = 1 << 20;

/**
 * Writes the content of one file of a root file system. `path` has no links on its way. Runs in the worker.
 *
 * @throws SlipwayError `CANCELED`, and those of `openOutput`
 */
export async function writeRootfsFile(
  root: string,
  path: BytePath,
  output: Output,
  aborted: Aborted,
): Promise<void> {
  const directory = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    const name = Buffer.from(path, 'latin1');
    const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS;
    const file = loadSys().openat2(directory, name, { flags: constants.O_RDONLY, resolve });
    try {
      await withOutput(output, async (out) => copy(file, (bytes) => out.write(bytes), path, aborted));
    } finally {
      closeSync(file);
    }
  } finally {
    closeSync(directory);
  }
}

function copy(file: number, write: (bytes: Uint8Array) => void, path: BytePath, aborted: Aborted): void {
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  for (;;) {
    if (aborted())
      throw new SlipwayError('canceled', `canceled while reading /${textOf(path)}`, { code: 'CANCELED' });
    const bytes = readSync(file, buffer);
    if (bytes === 0) return;
    write(buffer.subarray(0, bytes));
  }
}
