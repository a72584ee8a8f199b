import { spawnSync } from 'node:child_process';

/** One way of doing the work that a benchmark compares. */
export interface Candidate {
  name: string;
  /** The measured part. */
  run(): void | Promise<void>;
  /** Done before every measured run, not measured. */
  prepare?(): void | Promise<void>;
}

/**
 * Times candidates in rounds, each once per round, so that a slow moment of the machine meets all of them. The first
 * round warms caches and does not count. Gives the median of each in milliseconds, by name.
 */
export async function medians(
  candidates: readonly Candidate[],
  rounds: number,
): Promise<Map<string, number>> {
  const times = new Map<string, number[]>(candidates.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const candidate of candidates) {
      await candidate.prepare?.();
      const begin = performance.now();
      await candidate.run();
      const time = performance.now() - begin;
      if (round > 0) times.get(candidate.name)!.push(time);
    }
  }
  return new Map([...times].map(([name, list]) => [name, median(list)]));
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Runs a program to its end without looking at its output. @throws Error, with the output, when it fails */
export function runProgram(
  command: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; input?: Buffer } = {},
): void {
  const [file, ...args] = command;
  const { status, stderr, error } = spawnSync(file!, args, {
    ...options,
    stdio: [options.input === undefined ? 'ignore' : 'pipe', 'ignore', 'pipe'],
    maxBuffer: 64 << 20,
  });
  if (status !== 0)
    throw new Error(`${command.join(' ')}: ${error?.message ?? stderr.toString().slice(-2000)}`);
}
