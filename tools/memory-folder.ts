import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';

/** A folder on tmpfs where there is one that can be written to, else the temporary folder. */
export function memoryFolder(): string {
  try {
    accessSync('/dev/shm', constants.W_OK | constants.X_OK);
    return '/dev/shm';
  } catch {
    return tmpdir();
  }
}
