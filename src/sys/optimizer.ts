import { availableParallelism } from 'node:os';

/** What keeps V8 busy for longer is worth its last tier. */
const HOLD_MS = 1000;

/** With more of them V8 compiles where nobody waits. */
const FEW_PROCESSORS = 2;

let isOurs = false;
let held = false;

/** Says that nobody else's code runs in this process: its flags may be set. */
export function ownProcess(): void {
  isOurs = true;
}

/**
 * Keeps V8 off its last tier for the first second of work that occupies all processors: what TurboFan takes for it in
 * each thread (a fifth of the processor time of a COPY of 20,000 files) it gives back only to work of several
 * seconds. To be called when the threads are loaded, since V8 takes no kept code under other flags. Does nothing in
 * the process of a program that uses the library.
 */
export function holdOptimizer(): void {
  if (!isOurs || held || availableParallelism() > FEW_PROCESSORS) return;
  held = true;
  const { setFlagsFromString } = process.getBuiltinModule('node:v8');
  setFlagsFromString('--no-turbofan');
  setTimeout(() => setFlagsFromString('--turbofan'), HOLD_MS).unref();
}
