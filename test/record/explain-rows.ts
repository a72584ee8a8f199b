import { chmodSync, linkSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Cause } from '../../src/cache/explain/cause.ts';
import { renderExplanation } from '../../src/cli/render/explanation.ts';
import { build, builds, type Explanation, explain } from '../../src/index.ts';
import { buildsPath } from '../../src/record/layout.ts';
import { dropSteps, listSteps } from '../../src/store/steps.ts';
import { openStore } from '../../src/store/store.ts';
import { simulateBuild } from './simulate-build.ts';

/** A file of a context: text, a file with a mode, a symbolic or a hard link; null takes it away. */
type File = string | { content: string; mode?: string } | { link: string } | { hardLink: string } | null;

/** What is built; the second build takes what it does not say from the first. */
interface Input {
  dockerfile?: string;
  files?: Record<string, File>;
  /** Images that are built first, by name. */
  images?: Record<string, string>;
  buildArgs?: Record<string, string>;
  secrets?: Record<string, string>;
  network?: 'none' | 'host' | 'default';
  noCache?: boolean | string[];
  /** SOURCE_DATE_EPOCH. */
  epoch?: string | null;
}

/** Two builds, and everything that the second one's explanation says of steps that ran. */
export interface ExplainRow {
  name: string;
  before: Input;
  after: Input;
  /** Part of the title of a step whose result is taken out of the store in between. */
  prune?: string;
  /** The records of builds are gone in between, their results are not: as with a cache from another machine. */
  elsewhere?: boolean;
  /** Built for real: what other stages and images give is read. Elsewhere what matters is known before a step runs. */
  real?: boolean;
  /** In both builds steps whose command holds this fail. */
  failing?: string;
  ran: { step: string; text: string[]; causes: Cause[] }[];
}

/** Runs a row in the store at `root`, which has the image `base`, with an empty cache; gives what `ran` should be. */
export async function runRow(
  root: string,
  row: Omit<ExplainRow, 'ran'>,
  context: string,
): Promise<ExplainRow['ran']> {
  forget(root);
  const first = row.before;
  const second: Input = { ...first, ...row.after, files: { ...first.files, ...row.after.files } };
  const run = async (input: Input): Promise<string> => {
    for (const [name, dockerfile] of Object.entries(input.images ?? {}))
      await build({ context: root, dockerfile, tags: [name], root, runtime: 'embedded' });
    if (row.real) return buildReally(root, input, context);
    const { secrets: _, images: __, files: ___, dockerfile = '', epoch, ...rest } = input;
    const failing = row.failing === undefined ? {} : { failing: row.failing };
    return simulateBuild({ ...rest, ...failing, root, context, dockerfile, epoch: epoch ?? undefined });
  };
  writeFiles(context, first.files ?? {});
  const before = await run(first);
  if (row.prune !== undefined) prune(root, row.prune);
  if (row.elsewhere) rmSync(buildsPath(root), { recursive: true });
  writeFiles(context, row.after.files ?? {});
  const after = await run(second);
  if (builds(root)[0]?.id !== after) throw new Error('the last build is not listed first');
  return ranSteps(explain({ root, build: after }), { [before]: '<before>', [after]: '<after>' });
}

async function buildReally(root: string, input: Input, context: string): Promise<string> {
  const { SOURCE_DATE_EPOCH: _, ...env } = process.env;
  const secrets = Object.entries(input.secrets ?? {});
  const { buildId } = await build({
    context,
    dockerfile: input.dockerfile!,
    root,
    runtime: 'embedded',
    jobs: 1,
    env: { ...env, ...(input.epoch ? { SOURCE_DATE_EPOCH: input.epoch } : {}) },
    secrets: Object.fromEntries(secrets.map(([name, value]) => [name, { value }])),
    ...(input.buildArgs && { buildArgs: input.buildArgs }),
    ...(input.noCache !== undefined && { noCache: input.noCache }),
  });
  return buildId;
}

/** Steps that ran, with builds and digests replaced by names for them. */
function ranSteps(explanation: Explanation, builds: Record<string, string>): ExplainRow['ran'] {
  const name = (text: string): string => {
    const known = Object.entries(builds).reduce((all, [id, label]) => all.replaceAll(id, label), text);
    return known.replace(/sha256:[0-9a-f]{12,64}/g, '<digest>');
  };
  const steps = explanation.steps.filter(({ outcome }) => outcome === 'ran' || outcome === 'failed');
  return steps.map((step) => {
    const [, , ...lines] = renderExplanation({ ...explanation, steps: [step] }, 0)
      .trimEnd()
      .split('\n');
    return {
      step: step.step,
      text: lines.map((line) => name(line.trim())),
      causes: JSON.parse(name(JSON.stringify(step.causes))) as Cause[],
    };
  });
}

/** Every row begins with an empty cache and no builds. */
function forget(root: string): void {
  using store = openStore(root);
  dropSteps(
    store,
    listSteps(store).map(({ key }) => key),
  );
  rmSync(buildsPath(root), { recursive: true, force: true });
}

function prune(root: string, text: string): void {
  using store = openStore(root);
  const keys = listSteps(store).filter(({ parts }) =>
    JSON.stringify(parts).includes(text.replace(/^RUN /, '')),
  );
  dropSteps(
    store,
    keys.map(({ key }) => key),
  );
}

function writeFiles(context: string, files: Record<string, File>): void {
  mkdirSync(context, { recursive: true });
  for (const [name, file] of Object.entries(files)) {
    const path = join(context, name);
    rmSync(path, { force: true });
    if (file === null) continue;
    mkdirSync(dirname(path), { recursive: true });
    if (typeof file === 'string') writeFileSync(path, file);
    else if ('link' in file) symlinkSync(file.link, path);
    else if ('hardLink' in file) linkSync(join(context, file.hardLink), path);
    else {
      writeFileSync(path, file.content);
      if (file.mode !== undefined) chmodSync(path, Number.parseInt(file.mode, 8));
    }
  }
}
