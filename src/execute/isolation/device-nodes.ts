import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../../errors/index.ts';
import { capabilityMask } from '../../runtime/capabilities.ts';
import { deviceNodes } from '../../runtime/standard-files.ts';
import { S_IFCHR } from '../../sys/constants.ts';
import type { Sys } from '../../sys/sys.ts';

const VERSION_3 = 0x20080522;
const [CAPGET, CAPSET] = process.arch === 'arm64' ? [90, 91] : [125, 126];

/**
 * Makes the nodes of a container's /dev in a directory of their own, then gives CAP_MKNOD up: no layer and no archive
 * brings a node in after that, where no mount keeps nodes from working. Call before any thread is started.
 */
export function makeDevices(sys: Sys, directory: string): void {
  mkdirSync(directory, { mode: 0o700 });
  for (const [name, major, minor] of deviceNodes) {
    const path = join(directory, name);
    try {
      sys.mknod(path, S_IFCHR | 0o666, major, minor);
      chmodSync(path, 0o666);
    } catch (error) {
      if (!isErrno(error, 'EPERM')) throw error;
      // What is written to it is lost with the step; the others have no stand-in.
      if (name === 'null') {
        writeFileSync(path, '');
        chmodSync(path, 0o666);
      }
    }
  }
  dropMknod(sys);
}

function dropMknod(sys: Sys): void {
  const header = Buffer.alloc(8);
  header.writeUInt32LE(VERSION_3);
  const sets = Buffer.alloc(24); // effective, permitted, inheritable: low halves, then high halves
  sys.syscall(CAPGET!, header, sets);
  const mask = Number(capabilityMask(['MKNOD']));
  for (const at of [0, 4, 8]) sets.writeUInt32LE((sets.readUInt32LE(at) & ~mask) >>> 0, at);
  sys.syscall(CAPSET!, header, sets);
}
