import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomOf, testSeed } from '../robustness/random.ts';
import { BASE, libraryStore } from '../support/library-store.ts';
import { Generator } from './generate.ts';
import { MemoryWorld } from './memory-world.ts';
import { type Program, render } from './program.ts';
import { Reference } from './reference.ts';

/** SLIPWAY_MODEL_EDITS gives more, or fewer. */
const MEMORY_EDITS = Number(process.env.SLIPWAY_MODEL_EDITS ?? 2000);

/** SLIPWAY_MODEL_REAL_EDITS gives more, or fewer. */
const REAL_EDITS = Number(process.env.SLIPWAY_MODEL_REAL_EDITS ?? 150);

/** Edits go on from one program for so long, then another one is made, which finds what is left of the others. */
const EDITS_PER_PROGRAM = 25;

const seed = testSeed();

interface BuildOutcome {
  /** How each step ended, by its place. */
  steps: Map<string, string>;
  /** Equal for equal images. */
  content: string;
}

interface Builders {
  incremental(program: Program, edit: number): Promise<BuildOutcome>;
  /** The content of a build that reuses nothing. */
  clean(program: Program, edit: number): Promise<string>;
}

/** Builds programs and their edits, and compares every build with the reference and with a clean build. */
async function check(edits: number, builders: Builders): Promise<void> {
  const generator = new Generator(randomOf(seed));
  const reference = new Reference();
  let program = generator.program();
  let history: Program[] = [];
  let what = 'a first program';
  // A clean build goes on beside the next incremental one.
  let compared = Promise.resolve();
  for (let edit = 0; edit <= edits; edit++) {
    if (edit > 0 && edit % EDITS_PER_PROGRAM === 0) {
      [program, what, history] = [generator.program(), 'another program', []];
    } else if (edit > 0) {
      history.push(program);
      ({ program, what } = generator.edit(program, history));
    }
    const expected = reference.build(program);
    const { steps, content } = await builders.incremental(program, edit);
    const told = `seed ${seed}, edit ${edit} (${what}) of\n${tell(program)}`;
    expect([...steps.keys()].sort(), told).toEqual([...expected.steps.keys()].sort());
    for (const outcome of steps.values()) expect(['done', 'cached'], told).toContain(outcome);
    const ran = [...steps].flatMap(([place, outcome]) =>
      outcome === 'done' ? [expected.steps.get(place)!] : [],
    );
    expect(ran.sort(), told).toEqual([...expected.fresh].sort());
    await compared;
    compared = builders.clean(program, edit).then((clean) => expect(content, told).toBe(clean));
    compared.catch(() => {});
  }
  await compared;
}

function tell(program: Program): string {
  const { stages: _, ...rest } = program;
  return `${render(program, BASE).text}${JSON.stringify(rest, undefined, 1)}`;
}

describe(`random programs and edits (seed ${seed})`, () => {
  test(`in memory: ${MEMORY_EDITS} edits`, { timeout: 600_000 }, async () => {
    const world = new MemoryWorld();
    await check(MEMORY_EDITS, {
      incremental: async (program) => {
        const { steps, files } = await world.build(program);
        return { steps, content: files };
      },
      clean: async (program) => (await new MemoryWorld().build(program)).files,
    });
  });

  const store = libraryStore();

  test(`with real RUNs: ${REAL_EDITS} edits`, { timeout: 1_200_000 }, async () => {
    // The next one is written while a clean build reads the last.
    const contextOf = (edit: number): string => join(store.folder, `model-${edit % 2}`);
    const build = async (program: Program, context: string, noCache: boolean): Promise<BuildOutcome> => {
      const { text, places } = render(program, BASE);
      const lines = new Map<string, string | undefined>();
      const steps = new Map<string, string>();
      const { imageId } = await store.build(
        text,
        {
          context,
          target: `s${program.target}`,
          buildArgs: program.buildArgs,
          noCache,
          outputs: [],
          store: true,
          // Equal steps make equal layers, whenever they run.
          env: { ...process.env, SOURCE_DATE_EPOCH: '0' },
        },
        (event) => {
          if (event.type === 'announced') lines.set(event.vertex, places.get(event.range?.start.line ?? 0));
          const place = event.type === 'ended' ? lines.get(event.vertex) : undefined;
          if (event.type === 'ended' && place !== undefined) steps.set(place, event.outcome);
        },
      );
      return { steps, content: imageId };
    };
    await check(REAL_EDITS, {
      incremental: (program, edit) => {
        writeContext(contextOf(edit), program);
        return build(program, contextOf(edit), false);
      },
      clean: async (program, edit) => (await build(program, contextOf(edit), true)).content,
    });
  });
});

/** Files of equal content are written again, at another time, which must not count. */
function writeContext(folder: string, { context, ignore }: Program): void {
  rmSync(folder, { recursive: true, force: true });
  for (const [name, { content, mode }] of Object.entries(context)) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode });
    utimesSync(path, 1e9 + Math.random() * 1e6, 1e9);
  }
  writeFileSync(join(folder, '.dockerignore'), ignore.map((rule) => `${rule}\n`).join(''));
}
