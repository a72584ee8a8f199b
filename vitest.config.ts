import { existsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: existsSync('dist/lib') ? [] : ['test/e2e/**', 'test/rootless/**'],
    // Tests mount file systems and change directories: processes, not threads.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
});
