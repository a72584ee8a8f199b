import { Socket } from 'node:net';
import { loadSys } from '../../sys/linux.ts';
import { ownProcess } from '../../sys/optimizer.ts';
import { serve } from '../protocol/server.ts';
import { endProcess } from './end-process.ts';
import { PROTOCOL_FD } from './init.ts';
import { operations } from './operations.ts';
import { endHost } from './start-host.ts';

ownProcess();
// The front decides what Ctrl-C means.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

try {
  // There is time for it until the front says what this is for, which then hears what is wrong.
  loadSys();
} catch {}
// The front's death closes this socket; so does its wish that the worker ends.
await serve(new Socket({ fd: PROTOCOL_FD, readable: true, writable: true }), operations);
try {
  endHost();
} catch {
  // A container still has it mounted: it ends with this process, and the next worker removes what is left.
}
endProcess();
