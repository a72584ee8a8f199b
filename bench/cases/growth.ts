import { hash, randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openStore, type Store } from '../../src/store/store.ts';
import { BASE_IMAGE, type Bench } from '../bench.ts';
import { type Candidate, medians, runProgram } from '../measure.ts';
import { bound } from '../report.ts';

/** Stored images, each with its own layers and records of their steps. */
const IMAGES = 10;
const STEPS_PER_IMAGE = 10;
const FACTORS = [1, 10, 100];

/** What a cached build costs as the store, the Dockerfile and the context grow. */
export const growth: Bench = {
  name: 'growth',
  async run({ rounds, memory, shared, slipway }) {
    const command = slipway.slice(0, -1);
    const tar = await baseTar();
    const candidates: Candidate[] = [];
    const add = (name: string, root: string, context: string): void => {
      const words = [...command, root, 'build', '-t', 'slipway-bench/growth', context];
      candidates.push({ name, run: () => runProgram(words) });
    };
    const small = makeContext(join(shared, 'growth'), 3, 10);
    const rootOf = (factor: number): string => join(memory, `growth-${factor}`);
    for (const factor of FACTORS) {
      runProgram([...command, rootOf(factor), 'import', '-', BASE_IMAGE], { input: tar });
      fill(rootOf(factor), IMAGES * factor);
      add(storeName(factor), rootOf(factor), small);
    }
    for (const steps of [30, 100])
      add(`${steps} steps`, rootOf(1), makeContext(join(shared, `growth-steps-${steps}`), steps, 10));
    for (const files of [100, 1000, 10_000])
      add(
        `${files} files in the context`,
        rootOf(1),
        makeContext(join(shared, `growth-files-${files}`), 3, files),
      );
    const times = await medians(candidates, rounds);
    return {
      title: 'A cached build of 3 steps and 10 files in a store that grows; of more steps; of more files',
      values: [...times].map(([name, value]) => ({ name, value, unit: 'ms' })),
      // Within what the clock of a busy machine tells apart.
      bounds: bound(times, { of: storeName(FACTORS.at(-1)!), to: storeName(1) }, 1.15),
      missing: [],
    };
  },
};

function storeName(factor: number): string {
  return `${IMAGES * factor} images, ${IMAGES * factor * STEPS_PER_IMAGE} results`;
}

async function baseTar(): Promise<Buffer> {
  const { makeBaseRootfs } = await import('../../tools/base/base.ts');
  return (await makeBaseRootfs()).tar;
}

function makeContext(path: string, steps: number, files: number): string {
  mkdirSync(join(path, 'src'), { recursive: true });
  for (let file = 0; file < files; file++) writeFileSync(join(path, 'src', `f${file}`), `${file}\n`);
  const runs = Array.from({ length: steps - 1 }, (_, index) => `RUN echo ${index} > /o${index}`);
  writeFileSync(join(path, 'Dockerfile'), `${[`FROM ${BASE_IMAGE}`, 'COPY src /src', ...runs].join('\n')}\n`);
  return path;
}

/** Rows as builds leave them. Their directories are not there: a cached build looks at none. */
function fill(root: string, images: number): void {
  using store = openStore(root);
  store.database.transaction(() => {
    for (let image = 0; image < images; image++) addImage(store);
  });
}

function addImage({ database }: Store): void {
  const digest = (): string => `sha256:${hash('sha256', randomUUID(), 'hex')}`;
  const [id, now] = [digest(), Date.now()];
  const config = Buffer.from('{"rootfs":{"type":"layers","diff_ids":[]}}');
  database.run(
    'INSERT INTO images (id, config, created, size, added_ms, tagged_ms) VALUES (?, ?, ?, 1, ?, ?)',
    ...[id, config, new Date().toISOString(), now, now],
  );
  database.run(
    'INSERT INTO tags (name, image) VALUES (?, ?)',
    `docker.io/slipway-bench/${id.slice(7, 19)}:latest`,
    id,
  );
  for (let step = 0; step < STEPS_PER_IMAGE; step++) {
    const diffId = digest();
    const layer = database.run(
      "INSERT INTO layers (state, diff_id, tar_size, size, packer, boot_id, created_ms) VALUES ('ready', ?, 1024, 1, 1, '', ?)",
      ...[diffId, now],
    ).lastId;
    database.run('INSERT INTO image_layers (image, position, layer) VALUES (?, ?, ?)', id, step, layer);
    database.run(
      `INSERT INTO steps (key, definition, parent_chain, diff_id, layer, created, duration_ms, build_id, boot_id, parts, used_ms)
         VALUES (?, ?, ?, ?, ?, ?, 1, 'b', '', '{}', ?)`,
      ...[digest(), digest(), digest(), diffId, layer, new Date().toISOString(), now],
    );
  }
}
