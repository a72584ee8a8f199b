import type { Report } from './report.ts';

/** One benchmark: a name to ask for it on the command line, and the measuring. */
export interface Bench {
  name: string;
  run(environment: BenchEnvironment): Promise<Report>;
}

/** What benchmarks share. Folders are empty at the start and removed at the end. */
export interface BenchEnvironment {
  /** Rounds that count, for things that take up to a second; slower ones take fewer. */
  rounds: number;
  /** For stores and unpacked trees: memory where there is some. */
  memory: string;
  /** For contexts: under the temporary folder, which peers in a chroot see too. */
  shared: string;
  /** Words that run `slipway` on a store in memory into which `slipway-bench/base` is imported. */
  slipway: readonly string[];
  /** Words that run `docker`, whose engine has `slipway-bench/base` too; or why there is none. */
  docker: BenchPeer;
  /** The same for `buildah`. */
  buildah: BenchPeer;
}

export type BenchPeer = { command: readonly string[]; env: NodeJS.ProcessEnv } | { missing: string };

export const BASE_IMAGE = 'slipway-bench/base:latest';
