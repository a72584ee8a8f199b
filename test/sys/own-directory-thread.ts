import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { leaveDirectory, ownDirectory, pathIn } from '../../src/sys/own-directory.ts';

const { bases } = workerData as { bases: string[] };

const cwd = () => readlinkSync('/proc/thread-self/cwd');

const before = cwd();
ownDirectory();
const steps = bases.map((base) => ({
  path: String(pathIn(base, 'a/file')),
  content: readFileSync(pathIn(base, 'a/file'), 'utf8'),
  names: readdirSync(pathIn(base, '')),
  cwd: cwd(),
}));
let missing: unknown;
try {
  pathIn(`${bases[0]}/missing`, 'a');
} catch (error) {
  missing = (error as NodeJS.ErrnoException).code;
}
const again = readFileSync(pathIn(bases[0]!, 'a/file'), 'utf8');
leaveDirectory();
parentPort!.postMessage({ before, steps, missing, again, after: cwd() });
