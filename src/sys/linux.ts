import { SlipwayError } from '../errors/index.ts';
import { loadCalls } from './linux-call.ts';
import { fileCalls } from './linux-file.ts';
import { mountCalls } from './linux-mount.ts';
import { processCalls } from './linux-process.ts';
import { xattrCalls } from './linux-xattr.ts';
import type { Sys } from './sys.ts';

let loaded: Sys | undefined;

/**
 * The system calls of the running Linux kernel (x86-64 or arm64). The first call of a thread loads koffi (about
 * 13 ms). Throws `unsupported` (`NOT_LINUX`) on other systems and `unavailable` (`NO_SYSTEM_CALLS`) where koffi
 * has no build for this machine.
 */
export function loadSys(): Sys {
  loaded ??= bindAll();
  return loaded;
}

function bindAll(): Sys {
  if (process.platform !== 'linux') {
    throw new SlipwayError('unsupported', `this needs the Linux kernel; ${process.platform} cannot do it`, {
      code: 'NOT_LINUX',
      hint: 'Parsing, checking, planning and drawing work here; build on Linux, or in a Linux container.',
    });
  }
  let calls: ReturnType<typeof loadCalls>;
  try {
    calls = loadCalls();
  } catch (cause) {
    throw new SlipwayError('unavailable', 'the library for system calls (koffi) cannot be loaded', {
      code: 'NO_SYSTEM_CALLS',
      hint: `Install Slipway again with its optional packages for linux-${process.arch}.`,
      cause,
    });
  }
  return {
    ...mountCalls(calls),
    ...xattrCalls(calls),
    ...fileCalls(calls),
    ...processCalls(calls),
    syscall: (number, ...args) => calls.syscall(`syscall ${number}`, undefined, number, ...args),
    address: calls.address,
  };
}
