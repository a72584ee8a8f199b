import { Socket } from 'node:net';
import { serve } from '../protocol/server.ts';
import { endProcess } from './end-process.ts';
import { operations } from './operations.ts';
import { endHost } from './start-host.ts';

/** The front's death closes this; so does its wish that the worker ends. */
const PROTOCOL_FD = 3;

// The front decides what Ctrl-C means.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

await serve(new Socket({ fd: PROTOCOL_FD, readable: true, writable: true }), operations);
endHost();
endProcess();
