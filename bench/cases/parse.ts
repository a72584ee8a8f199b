import { DockerfileParser } from 'dockerfile-ast';
import { parse } from '../../grammar/parse.ts';
import type { Bench } from '../bench.ts';
import { medians } from '../measure.ts';
import { bound } from '../report.ts';

const STAGE = `FROM debian:12 AS build
# What a stage tends to look like.
ARG VERSION=1.2.3
ENV PATH=/opt/bin:$PATH LANG=C.UTF-8
WORKDIR /src
COPY --chown=1000:1000 package.json package-lock.json ./
RUN --mount=type=cache,target=/var/cache/apt \\
    apt-get update && \\
    # a comment in between
    apt-get install -y --no-install-recommends ca-certificates curl && \\
    rm -rf /var/lib/apt/lists/*
RUN <<EOF
set -e
make VERSION=\${VERSION} all
EOF
HEALTHCHECK --interval=30s CMD curl -f http://localhost/ || exit 1
CMD ["node", "server.js", "--port", "8080"]

`;

/** A single stage is too short for one measurement. */
const timesOf = (name: string): number => (name === '1 stage' ? 200 : 1);

function repeat(name: string, read: () => void): void {
  for (let left = timesOf(name); left > 0; left--) read();
}

/** Parsing in a warm process: what an editor or a checker pays per file. */
export const parseSpeed: Bench = {
  name: 'parse',
  async run({ rounds }) {
    const texts = { '1 stage': STAGE, '20 stages': STAGE.repeat(20), '400 stages': STAGE.repeat(400) };
    const { errors } = parse(STAGE);
    if (errors.length > 0) throw new Error(`the benchmark's own Dockerfile: ${errors[0]!.message}`);
    const other = (text: string): void => {
      // It reads arguments and flags when it is asked for them; ours has them in the tree.
      for (const instruction of DockerfileParser.parse(text).getInstructions()) {
        instruction.getArguments();
        if ('getFlags' in instruction) (instruction.getFlags as () => unknown)();
      }
    };
    // Both are compiled by then.
    for (let round = 0; round < 3; round++) for (const read of [parse, other]) read(texts['400 stages']);
    const times = await medians(
      Object.entries(texts).flatMap(([name, text]) => [
        { name, run: () => repeat(name, () => parse(text)) },
        { name: `${name}, dockerfile-ast`, run: () => repeat(name, () => other(text)) },
      ]),
      rounds,
    );
    return {
      title: 'Parsing, in a warm process',
      values: Object.entries(texts).flatMap(([name, text]) => {
        const time = times.get(name)! / timesOf(name);
        const size = `${(text.length / 1e3).toFixed(1)} kB`;
        return [
          { name: `${name}, ${size}`, value: time, unit: 'ms' as const },
          { name: `${name}, rate`, value: text.length / 1e3 / time, unit: 'MB/s' as const },
          {
            name: `${name}, dockerfile-ast`,
            value: times.get(`${name}, dockerfile-ast`)! / timesOf(name),
            unit: 'ms' as const,
          },
        ];
      }),
      bounds: Object.keys(texts).flatMap((name) =>
        bound(times, { of: name, to: `${name}, dockerfile-ast` }, 1.5),
      ),
      missing: [],
    };
  },
};
