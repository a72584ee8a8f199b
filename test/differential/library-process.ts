/**
 * Builds with the library, one after the other or several at once, as it is told on standard input: a line of JSON
 * for each build, and a line with its number and its error for each answer. Usage: node library-process.ts LIBRARY
 */
import { createInterface } from 'node:readline';
import type { BuildOptions } from '../../src/index.ts';

export interface LibraryRequest {
  id: number;
  options: BuildOptions;
}

export interface LibraryAnswer {
  id: number;
  /** Undefined when it was built. */
  error?: string;
}

const { build } = (await import(process.argv[2]!)) as typeof import('../../src/index.ts');

async function answer({ id, options }: LibraryRequest): Promise<LibraryAnswer> {
  try {
    await build(options);
    return { id };
  } catch (error) {
    return { id, error: (error as Error).message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  void answer(JSON.parse(line) as LibraryRequest).then((result) => {
    process.stdout.write(`${JSON.stringify(result)}\n`);
  });
}
