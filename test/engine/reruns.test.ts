import { chmodSync, mkdirSync, readFileSync, renameSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { BASE, type LibraryBuild, libraryStore } from '../support/library-store.ts';
import { describeWith, severalIds } from '../support/need.ts';

interface Case {
  name: string;
  /** Texts of the Dockerfile, and what stands there instead. */
  replace?: [string, string][];
  /** Files with other content. */
  files?: Record<string, string>;
  modes?: Record<string, string>;
  rename?: [string, string][];
  touch?: string[];
  buildArgs?: Record<string, string>;
  labels?: Record<string, string>;
  target?: string;
  secret?: string;
  normalizeModes?: boolean;
  /** The image `other` gets another layer. */
  moveBase?: boolean;
  epoch?: string;
  /** Steps that must run, by stage and title, sorted; all others are found. */
  runs: string[] | 'all';
}

const { dockerfile, files, cases } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../testdata/cache/reruns.json'), 'utf8'),
) as { dockerfile: string[]; files: Record<string, string>; cases: Case[] };

const TEXT = `${dockerfile.join('\n')}\n`;

describeWith({ needs: [severalIds()] }, 'which steps run again after a change', () => {
  const store = libraryStore();

  /** Builds all stages; the steps that ran and those that were found. */
  async function build(text: string, change: Omit<Case, 'name' | 'runs'>, context: string) {
    const names = new Map<string, string>();
    const outcomes: Record<string, string[]> = { done: [], cached: [] };
    const { buildArgs = {}, labels = {}, target, secret = 'hush', normalizeModes, epoch = '0' } = change;
    const options: LibraryBuild = {
      context,
      allStages: true,
      buildArgs,
      labels,
      target,
      normalizeModes,
      secrets: { s: { env: 'SECRET' }, s2: { env: 'SECRET' } },
      outputs: [{ type: 'oci', dest: join(store.empty(), 'image'), tar: false }],
      store: false,
      env: { ...process.env, SECRET: secret, SOURCE_DATE_EPOCH: epoch },
    };
    await store.build(text, options, (event) => {
      if (event.type === 'announced') names.set(event.vertex, event.name);
      if (event.type !== 'ended') return;
      const [, stage, title] = /^\[(\S+) \d+\/\d+\] (.*)$/s.exec(names.get(event.vertex) ?? '') ?? [];
      if (title !== undefined && !title.startsWith('FROM '))
        outcomes[event.outcome]?.push(`${stage} ${title}`);
    });
    return { ran: outcomes.done!.sort(), found: outcomes.cached! };
  }

  function write(context: string, change: Case): void {
    for (const [name, content] of Object.entries({ ...files, ...change.files })) {
      const path = join(context, name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content, { mode: 0o644 });
      chmodSync(path, 0o644);
      if (change.touch?.includes(name)) utimesSync(path, 1_000_000, 1_000_000);
    }
    for (const [from, to] of change.rename ?? []) renameSync(join(context, from), join(context, to));
    for (const [name, mode] of Object.entries(change.modes ?? {}))
      chmodSync(join(context, name), Number.parseInt(mode, 8));
  }

  beforeAll(async () => {
    for (const tag of ['other', 'same'])
      await store.build(`FROM ${BASE}\nLABEL name=${tag}\n`, { tags: [tag], outputs: [] });
    const context = store.empty();
    write(context, { name: '', runs: [] });
    const { ran } = await build(TEXT, {}, context);
    expect(ran.length).toBeGreaterThan(25);
  });

  it.each(cases)('$name', async (change) => {
    const context = store.empty();
    write(context, change);
    let text = TEXT;
    for (const [from, to] of change.replace ?? []) {
      expect(text).toContain(from);
      text = text.replaceAll(from, () => to);
    }
    if (change.moveBase)
      await store.build(`FROM ${BASE}\nRUN echo moved > /moved\n`, { tags: ['other'], outputs: [] });
    const { ran, found } = await build(text, change, context);
    if (change.moveBase)
      await store.build(`FROM ${BASE}\nLABEL name=other\n`, { tags: ['other'], outputs: [] });
    if (change.runs === 'all') expect(found).toEqual([]);
    else expect(ran).toEqual(change.runs);
  });
});
