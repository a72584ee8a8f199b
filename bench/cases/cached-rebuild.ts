import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BASE_IMAGE, type Bench } from '../bench.ts';
import { type Candidate, medians, runProgram } from '../measure.ts';
import { bound } from '../report.ts';

const DOCKERFILE = `FROM ${BASE_IMAGE} AS tools
WORKDIR /tools
RUN echo tool > tool
FROM ${BASE_IMAGE} AS build
COPY --from=tools /tools /tools
COPY src /src
RUN cat /src/* /tools/tool > /out
FROM ${BASE_IMAGE}
COPY --from=build /out /out
CMD ["cat", "/out"]
`;

/** Ten instructions in three stages, a context of a few files, nothing changed since the last build. */
export const cachedRebuild: Bench = {
  name: 'cached-rebuild',
  async run({ rounds, shared, slipway, docker, buildah }) {
    const context = join(shared, 'cached-rebuild');
    mkdirSync(join(context, 'src'), { recursive: true });
    for (const name of ['a', 'b', 'c']) writeFileSync(join(context, 'src', name), `${name}\n`);
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE);
    const words = ['build', '-t', 'slipway-bench/cached', context];
    const candidates: Candidate[] = [
      { name: 'node -e 0', run: () => runProgram([process.execPath, '-e', '0']) },
      { name: 'slipway build', run: () => runProgram([...slipway, ...words]) },
    ];
    if (!('missing' in docker)) {
      const { command, env } = docker;
      const [build, ...rest] = words;
      candidates.push({
        name: 'docker build',
        run: () => runProgram([...command, build!, '--network=host', ...rest], { env }),
      });
    }
    if (!('missing' in buildah)) {
      const { command, env } = buildah;
      const [build, ...rest] = words;
      candidates.push({
        name: 'buildah build',
        run: () => runProgram([...command, build!, '--layers', ...rest], { env }),
      });
    }
    const times = await medians(candidates, rounds);
    return {
      title: 'Fully cached rebuild: 10 instructions, 3 stages, 3 files',
      values: [...times].map(([name, value]) => ({ name, value, unit: 'ms' })),
      bounds: [
        ...bound(times, { of: 'slipway build', to: 'node -e 0' }, 2.5),
        ...bound(times, { of: 'slipway build', to: 'docker build' }, 0.5),
      ],
      missing: [
        ...('missing' in docker ? [{ name: 'docker build', reason: docker.missing }] : []),
        ...('missing' in buildah ? [{ name: 'buildah build', reason: buildah.missing }] : []),
      ],
    };
  },
};
