import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { defineConfig } from 'vitest/config';
import { SlowFirst } from './tools/test/slow-first.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: existsSync('dist/lib') ? [] : ['test/e2e/**', 'test/rootless/**'],
    // Tests mount file systems and change directories: processes, not threads.
    pool: 'forks',
    // On two cores: suites wait for processes a good part of their time.
    maxWorkers: 3,
    sequence: { sequencer: SlowFirst },
    // A test that hangs is found by it; on a busy machine everything takes many times as long.
    testTimeout: 300_000,
    // What a test names and its store does not have is not there, with a network and without; suites with registries
    // of their own say otherwise.
    env: {
      SLIPWAY_PULL: process.env.SLIPWAY_PULL ?? 'never',
      // Workers of builds in the tests' own process are started from src: their types are taken away once, not at each
      // of some thousand starts (550 ms against 160).
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? resolve('node_modules/.cache/tests'),
    },
    hookTimeout: 300_000,
  },
});
