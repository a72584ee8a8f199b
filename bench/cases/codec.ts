import { createReadStream, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hashLayer } from '../../src/layer/pack.ts';
import { unpackLayer } from '../../src/layer/unpack.ts';
import type { Bench } from '../bench.ts';
import { medians, runProgram } from '../measure.ts';
import { bound } from '../report.ts';
import { TREE, writeTree } from '../tree.ts';

/** The layer codec beside GNU tar: packing a tree into a digest, and unpacking it. In memory, so that no disk counts. */
export const codec: Bench = {
  name: 'codec',
  async run({ rounds, memory }) {
    const tree = join(memory, 'codec');
    const archive = join(memory, 'codec.tar');
    const target = join(memory, 'codec-unpacked');
    writeTree(tree);
    runProgram(['tar', '-C', tree, '-cf', archive, '.']);
    const prepare = () => {
      rmSync(target, { recursive: true, force: true });
      mkdirSync(target);
    };
    const times = await medians(
      [
        { name: 'pack and hash', run: () => void hashLayer(tree) },
        {
          name: 'tar | sha256sum',
          run: () => runProgram(['sh', '-c', 'tar -C "$0" -cf - . | sha256sum', tree]),
        },
        {
          name: 'unpack and hash',
          prepare,
          run: async () => {
            await unpackLayer(createReadStream(archive, { highWaterMark: 1 << 20 }), target, {});
          },
        },
        {
          name: 'sha256sum, tar -x',
          prepare,
          run: () => runProgram(['sh', '-c', 'sha256sum "$0" && tar -C "$1" -xf "$0"', archive, target]),
        },
      ],
      Math.min(rounds, 5),
    );
    for (const path of [tree, archive, target]) rmSync(path, { recursive: true, force: true });
    const megabytes = (TREE.files * TREE.bytesPerFile) / 1e6;
    return {
      title: `Layer codec, ${TREE.files} files, ${megabytes} MB`,
      values: [...times].flatMap(([name, time]) => [
        { name, value: time, unit: 'ms' as const },
        { name: `${name}, rate`, value: megabytes / (time / 1000), unit: 'MB/s' as const },
      ]),
      bounds: [
        ...bound(times, { of: 'pack and hash', to: 'tar | sha256sum' }, 1.5),
        ...bound(times, { of: 'unpack and hash', to: 'sha256sum, tar -x' }, 2),
      ],
      missing: [],
    };
  },
};
