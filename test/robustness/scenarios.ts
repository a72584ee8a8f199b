import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { imageByName, imageLayers } from '../../src/store/images.ts';
import { removeImage } from '../../src/store/removal.ts';
import { dropSteps, listSteps } from '../../src/store/steps.ts';
import { openStore, type Store } from '../../src/store/store.ts';
import { makeBaseRootfs } from '../../tools/base/base.ts';
import { type CommandOptions, succeed } from './command.ts';

export const BASE = 'test/base:latest';

/** Something that a user does, which can be interrupted anywhere and done again. */
export interface Scenario {
  name: string;
  /** The command line. */
  args: string[];
  /** The name that only the whole result may have. */
  tag: string | undefined;
  /** What stands under the name or in the file that the command makes; undefined while there is none. */
  visible: () => string | undefined;
  /** Steps of its Dockerfile. */
  steps: number;
  /** Takes away what it made outside the store. */
  remove?: () => void;
}

/** A store with a base image, and what the scenarios need beside it. */
export interface Ground {
  options: CommandOptions;
  store: Store;
  scenarios: Scenario[];
}

const DOCKERFILES: Record<string, { text: string; steps: number }> = {
  run: {
    steps: 4,
    text: `FROM ${BASE} AS other
RUN for i in 1 2 3 4 5 6 7 8 9; do echo $i > /o$i; done; (sleep 300 &) ; sleep 0.05
FROM ${BASE}
RUN mkdir /d && i=0; while [ $i -lt 100 ]; do echo $i > /d/$i; i=$((i+1)); done
RUN rm -r /d/1* && ln -s 2 /d/link && chmod 700 /d && sleep 0.05
RUN --mount=from=other,target=/other --mount=type=cache,target=/cache cat /other/o* > /all; echo x >> /cache/x
`,
  },
  copy: {
    steps: 4,
    text: `FROM ${BASE} AS other
COPY files /files
FROM ${BASE}
WORKDIR /here
COPY --chown=3:4 files/d1 .
COPY --from=other /files /copied/
`,
  },
  commit: {
    steps: 3,
    text: `FROM ${BASE}
RUN i=0; while [ $i -lt 300 ]; do echo $i > /f$i; i=$((i+1)); done; dd if=/dev/zero of=/big bs=1048576 count=32
RUN true > /next
RUN sleep 0.2; true > /last
`,
  },
};

/**
 * Makes contexts and archives under `folder`; the store, and what is saved from it, under `disk`, which has to be the
 * user's where there is one.
 */
export async function makeGround(
  folder: string,
  { disk = folder, user }: { disk?: string; user?: CommandOptions['user'] } = {},
): Promise<Ground> {
  const options = { root: join(disk, 'store'), user };
  const { tar } = await makeBaseRootfs();
  writeFileSync(join(folder, 'base.tar'), tar);
  await succeed(['import', join(folder, 'base.tar'), BASE], options);
  const store = openStore(options.root);
  const ground = { folder, disk, options, store };
  const builds = Object.entries(DOCKERFILES).map(([name, { text, steps }]) => {
    const context = join(folder, name);
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), text);
    if (name === 'copy') writeFiles(join(context, 'files'), 'copied');
    return buildScenario(ground, { name, context, steps });
  });
  const archives = await archiveScenarios(ground);
  return {
    options,
    store,
    scenarios: [...builds, importScenario(ground), ...archives, await deltaScenario(ground)],
  };
}

interface Place {
  folder: string;
  disk: string;
  options: CommandOptions;
  store: Store;
}

/** So many that they are copied in a thread. */
function writeFiles(folder: string, word: string): void {
  for (let i = 0; i < 400; i++) {
    mkdirSync(join(folder, `d${i % 8}`), { recursive: true });
    writeFileSync(join(folder, `d${i % 8}`, `f${i}`), `${word} ${i}\n`.repeat(i));
  }
}

function buildScenario(
  { store }: Place,
  { name, context, steps }: { name: string; context: string; steps: number },
): Scenario {
  const tag = `docker.io/test/${name}:latest`;
  return {
    name,
    tag,
    steps,
    args: ['build', '--progress=plain', '-t', tag, context],
    visible: () => imageByName(store, tag)?.id,
  };
}

function importScenario({ folder, store }: Place): Scenario {
  const source = join(folder, 'base.tar');
  const tag = 'docker.io/test/imported:latest';
  return {
    name: 'import',
    tag,
    steps: 0,
    args: ['import', source, tag],
    // Its time is in its id: its layers are what can be compared.
    visible: () => {
      const image = imageByName(store, tag);
      return (
        image &&
        imageLayers(store, image.id)
          .map((layer) => layer.diffId)
          .join()
      );
    },
  };
}

async function archiveScenarios({ folder, disk, options, store }: Place): Promise<Scenario[]> {
  const context = join(folder, 'archived');
  const archive = join(folder, 'archive.tar');
  const saved = join(disk, 'saved.tar');
  const tag = 'docker.io/test/loaded:latest';
  mkdirSync(context);
  writeFiles(join(context, 'files'), 'archived');
  writeFileSync(join(context, 'big'), Buffer.alloc(8 << 20, 'slipway'));
  writeFileSync(join(context, 'Dockerfile'), `FROM ${BASE}\nCOPY files /files\nCOPY big /big\n`);
  await succeed(['build', '-q', '-t', tag, context], options);
  await succeed(['save', '-o', archive, tag], options);
  await succeed(['rmi', tag], options);
  const keptTag = 'docker.io/test/kept:latest';
  writeFileSync(join(context, 'big'), Buffer.alloc(8 << 20, 'kept'));
  await succeed(['build', '-q', '-t', keptTag, context], options);
  dropSteps(store, stepKeys(store));
  return [
    {
      name: 'load',
      tag,
      steps: 0,
      args: ['load', '-q', '-i', archive],
      visible: () => imageByName(store, tag)?.id,
    },
    {
      name: 'save',
      tag: undefined,
      steps: 0,
      args: ['save', '-o', saved, keptTag],
      remove: () => rmSync(saved, { force: true }),
      visible: () =>
        existsSync(saved) ? createHash('sha256').update(readFileSync(saved)).digest('hex') : undefined,
    },
  ];
}

/** A COPY over the layer of an earlier one, which stays. */
async function deltaScenario(place: Place): Promise<Scenario> {
  const { folder, options, store } = place;
  const context = join(folder, 'delta');
  const files = join(context, 'files');
  writeFiles(files, 'below');
  writeFileSync(join(context, 'Dockerfile'), `FROM ${BASE}\nCOPY files /laid\n`);
  await succeed(['build', '-q', '-t', 'docker.io/test/below:latest', context], options);
  kept.set(store, new Set(listSteps(store).map((step) => step.key)));
  for (let i = 0; i < 40; i++) writeFileSync(join(files, `d${i % 8}`, `f${i}`), `changed ${i}\n`.repeat(500));
  rmSync(join(files, 'd7'), { recursive: true });
  writeFileSync(join(files, 'd1', 'new'), 'new\n');
  return buildScenario(place, { name: 'delta', context, steps: 1 });
}

/** Records that scenarios need and leave alone. */
const kept = new WeakMap<Store, Set<string>>();

/** Forgets what a scenario has made, so that it begins anew. */
export function forget({ store }: Ground, scenario: Scenario): void {
  if (scenario.tag !== undefined && imageByName(store, scenario.tag)) removeImage(store, scenario.tag);
  dropSteps(store, stepKeys(store));
  scenario.remove?.();
}

/** Keys of all steps that scenarios have recorded. */
export function stepKeys(store: Store): string[] {
  const keys = listSteps(store).map((step) => step.key);
  return keys.filter((key) => !kept.get(store)?.has(key));
}
