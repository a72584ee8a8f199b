import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';

/** Where administrators' programs lie; the PATH of an ordinary user often leaves these out. */
const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'];

/** Absolute path of the program `name`, looked for on PATH and in the system's folders; undefined when it is not there. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(':').filter(Boolean), ...SYSTEM_FOLDERS];
  return folders.map((folder) => join(folder, name)).find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
