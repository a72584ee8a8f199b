import { spawnSync } from 'node:child_process';
import type { CheckResult } from './summary.ts';

const CHECKS: readonly { name: string; command: string; args: string[] }[] = [
  { name: 'lint and format', command: 'biome', args: ['check', '--error-on-warnings', '.'] },
  { name: 'types', command: 'tsc', args: ['--noEmit', '-p', 'tsconfig.json'] },
  { name: 'dead code', command: 'knip', args: [] },
];

/** Runs the checks beside the tests, all of them even when one fails; their findings go to standard output. */
export function runChecks(env: NodeJS.ProcessEnv): CheckResult[] {
  return CHECKS.map(({ name, command, args }) => {
    const begin = performance.now();
    process.stdout.write(`> ${command} ${args.join(' ')}\n`);
    const { status } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], env });
    return { name, ok: status === 0, seconds: (performance.now() - begin) / 1000 };
  });
}
