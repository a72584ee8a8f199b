import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../tools/base/programs.ts';
import type { Bench, BenchEnvironment } from '../bench.ts';
import { IMAGE_TEXT, writeImageContext } from '../image-content.ts';
import { type Candidate, medians, runProgram } from '../measure.ts';
import { startRegistry } from '../registry-server.ts';
import type { Report } from '../report.ts';

const OURS = 'slipway';

/** An image of packed layers to a registry on the loopback that has nothing of it, and the same once more. */
export const push: Bench = {
  name: 'push',
  async run(environment) {
    const missing: Report['missing'] = ['docker-registry', 'skopeo']
      .filter((name) => findProgram(name) === undefined)
      .map((name) => ({ name, reason: 'it is not installed' }));
    const title = `Push of ${IMAGE_TEXT}, to a registry on this machine; gzip, ours at level 1, the others at theirs`;
    if (missing.length > 0) return { title, values: [], bounds: [], missing };
    await using registry = await startRegistry(join(environment.memory, 'push-registry'));
    const name = `${registry.host}/slipway-bench/push:1`;
    const pushes = prepare(environment, name, missing);
    const first: Candidate[] = pushes.map(([who, run]) => ({ name: who, prepare: registry.clear, run }));
    const times = await medians(first, Math.max(1, Math.min(3, environment.rounds)));
    const again = await medians(
      pushes.map(([who, run]) => ({ name: `${who}, again`, prepare: () => run(), run })),
      Math.max(1, Math.min(5, environment.rounds)),
    );
    const all = new Map([...times, ...again]);
    const fastest = Math.min(...pushes.slice(1).map(([who]) => times.get(who)!));
    return {
      title,
      values: [...all].map(([who, value]) => ({ name: who, value, unit: 'ms' })),
      bounds: [{ text: `${OURS} / the fastest of the others`, ratio: times.get(OURS)! / fastest, limit: 1 }],
      missing,
    };
  },
};

/** The image for each of them, and what pushes it. */
function prepare(
  { slipway, shared, memory, docker, buildah }: BenchEnvironment,
  name: string,
  missing: Report['missing'],
): [string, () => void][] {
  const context = join(shared, 'push');
  writeImageContext(context);
  runProgram([...slipway, 'build', '-q', '-t', name, context]);
  rmSync(context, { recursive: true });
  const archive = join(shared, 'push.tar');
  runProgram([...slipway, 'save', '-o', archive, name]);
  const bare = `dir:${join(memory, 'bare')}`;
  runProgram(['skopeo', '--insecure-policy', 'copy', `docker-archive:${archive}`, bare]);
  const copy = [
    'skopeo',
    '--insecure-policy',
    'copy',
    '--dest-compress',
    '--dest-tls-verify=false',
    bare,
    `docker://${name}`,
  ];
  const pushes: [string, () => void][] = [
    [OURS, () => runProgram([...slipway, 'push', '-q', name])],
    ['skopeo', () => runProgram(copy)],
  ];
  for (const [who, found, load, more] of [
    ['docker', docker, ['load', '-i', archive], ['push', '-q']],
    ['buildah', buildah, ['pull', `docker-archive:${archive}`], ['push', '-q', '--tls-verify=false']],
  ] as const) {
    if ('missing' in found) {
      missing.push({ name: who, reason: found.missing });
      continue;
    }
    const { command, env } = found;
    runProgram([...command, ...load], { env });
    pushes.push([who, () => runProgram([...command, ...more, name], { env })]);
  }
  rmSync(archive);
  return pushes;
}
