/**
 * `npm run bench [-- NAME…] [--rounds=N] [--check]`: measures whole processes against each other in one run. Peers come
 * from PATH, or from what the PEERS variable names; a missing one is printed as missing. With `--check` the exit code
 * is 1 when a bound is missed.
 */
import { arch, cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import type { Bench } from './bench.ts';
import { cachedRebuild } from './cases/cached-rebuild.ts';
import { codec } from './cases/codec.ts';
import { copyTree } from './cases/copy-tree.ts';
import { growth } from './cases/growth.ts';
import { largeTree } from './cases/large-tree.ts';
import { parseSpeed } from './cases/parse.ts';
import { pullBench } from './cases/pull.ts';
import { push } from './cases/push.ts';
import { runSteps } from './cases/run-steps.ts';
import { runWrites } from './cases/run-writes.ts';
import { parallelStages, schedule } from './cases/schedule.ts';
import { openEnvironment } from './environment.ts';
import { holds, reportText } from './report.ts';

const BENCHES: readonly Bench[] = [
  cachedRebuild,
  runSteps,
  parallelStages,
  schedule,
  runWrites,
  growth,
  copyTree,
  largeTree,
  push,
  parseSpeed,
  codec,
  pullBench,
];

const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, check: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `bench: no ${unknown.join(', ')}; there are ${BENCHES.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(2);
}

process.stdout.write(
  `Node ${process.versions.node}, Linux ${release()} ${arch()}, ${cpus().length} × ${cpus()[0]?.model ?? 'processor'}\n\n`,
);
using environment = await openEnvironment(Number(values.rounds));
for (const bench of BENCHES) {
  if (positionals.length > 0 && !positionals.includes(bench.name)) continue;
  const report = await bench.run(environment);
  process.stdout.write(`${reportText(report)}\n`);
  if (values.check && !holds(report)) process.exitCode = 1;
}
