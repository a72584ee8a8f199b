import { hash } from 'node:crypto';
import { parse, parseTrigger } from '../../grammar/parse.ts';
import type { CacheBackend } from '../../src/cache/cache-backend.ts';
import { chainId } from '../../src/cache/keys.ts';
import type { ContextSource } from '../../src/context/context-source.ts';
import { parseExcludes } from '../../src/context/ignore-file.ts';
import { stepPreparer } from '../../src/engine/prepare-step.ts';
import type { ExecuteRequest, Executor, RunSettings, StepSource } from '../../src/execute/executor.ts';
import { compilePlan } from '../../src/plan/compile.ts';
import type { CopyOperation, RunOperation } from '../../src/plan/types.ts';
import { solve } from '../../src/solve/solve.ts';
import { layerNames, type Snapshot } from '../../src/solve/types.ts';
import { memoryTree } from '../context/memory-tree.ts';
import { memoryCache } from '../solve/memory.ts';
import { outputOf, type Program, parseCommand, render } from './program.ts';

interface Entry {
  content: string;
  mode: number;
  directory?: true;
}

type Files = Map<string, Entry>;

const BASE_DIFF_ID = `sha256:${hash('sha256', 'base', 'hex')}`;
const PLATFORM = { os: 'linux', architecture: 'amd64' };

/** How each step of a build ended, by its place, and the files of its target. */
export interface Outcome {
  steps: Map<string, string>;
  files: string;
}

/**
 * A store without a kernel: the real grammar, planner, keys and scheduler over layers that are maps. Builds of one
 * world share its cache.
 */
export class MemoryWorld {
  readonly #cache: CacheBackend = memoryCache();
  readonly #layers = new Map<string, Files>();
  readonly #contents = new Map<string, string>();

  constructor() {
    const id = this.#cache.allocateLayer();
    this.#layers.set(id, new Map());
    this.#cache.completeLayer(id, { diffId: BASE_DIFF_ID, tarSize: 0, size: 0, packer: 1, recipe: {} });
  }

  async build(program: Program): Promise<Outcome> {
    const { text, places } = render(program, 'base');
    const { dockerfile, errors } = parse(text);
    if (errors.length > 0) throw new Error(`${errors[0]!.message}\n${text}`);
    const plan = await compilePlan(dockerfile, {
      target: `s${program.target}`,
      buildArgs: new Map(Object.entries(program.buildArgs)),
      platform: PLATFORM,
      parseTrigger,
      text,
      resolveImage: async () => ({
        imageId: BASE_DIFF_ID,
        diffIds: [BASE_DIFF_ID],
        config: { ...PLATFORM, config: {}, rootfs: { type: 'layers', diff_ids: [BASE_DIFF_ID] } },
      }),
    });
    const context = contextOf(program);
    const signal = new AbortController().signal;
    const steps = new Map<string, string>();
    const lines = new Map(plan.nodes.map((node) => [node.id, places.get(node.range?.start.line ?? 0)]));
    const solved = await solve({
      plan,
      cache: this.#cache,
      prepare: stepPreparer({
        context: async () => context,
        loading: (_, select) => select(),
        treeOf: async (snapshot) => memoryTree(treeRecord(this.#merged(layerNames(snapshot)))),
        contents: {
          get: (snapshot, selector) => this.#contents.get(`${chainOf(snapshot)} ${selector}`),
          put: (snapshot, selector, digest) =>
            void this.#contents.set(`${chainOf(snapshot)} ${selector}`, digest),
        },
        platformOf: () => PLATFORM,
        epoch: undefined,
        secretsOf: async () => [],
        agentsOf: async () => [],
        fetched: unused,
        remembered: { get: () => undefined, put: () => {} },
        settings: {} as RunSettings,
        signal,
      }),
      executor: async () => this.#executor(program),
      onEvent: (event) => {
        const place = event.type === 'ended' ? lines.get(event.vertex) : undefined;
        if (event.type === 'ended' && place !== undefined) steps.set(place, event.outcome);
      },
      signal,
      jobs: 2,
    });
    const target = solved.snapshots.get(plan.stages[plan.target]!.result)!;
    return { steps, files: JSON.stringify([...this.#merged(layerNames(target))].sort()) };
  }

  #executor(program: Program): Executor {
    const execute = async (request: ExecuteRequest) => {
      const changes = this.#perform(request, program);
      this.#layers.set(request.layer, changes);
      const text = JSON.stringify([...changes].sort());
      const diffId = `sha256:${hash('sha256', text, 'hex')}`;
      return { digest: Promise.resolve({ diffId, tarSize: 1, size: text.length, packer: 1, recipe: {} }) };
    };
    return { execute, sync: async () => {} };
  }

  #perform({ step, parent }: ExecuteRequest, program: Program): Files {
    const root = this.#merged(parent);
    switch (step.kind) {
      case 'workdir':
        return new Map(
          root.has(step.operation.path)
            ? []
            : [[step.operation.path, { content: '', mode: 0o755, directory: true }]],
        );
      case 'copy':
        return this.#copy(step.operation, this.#filesOf(step.source, program));
      default: {
        if (step.kind !== 'run') throw new Error(`programs have no ${step.kind}`);
        const { operation, sources } = step;
        const folders = new Map(
          sources.map(({ mount, source }) => [
            operation.mounts[mount]!.target!,
            this.#filesOf(source, program),
          ]),
        );
        return run(operation, root, folders);
      }
    }
  }

  #copy(operation: CopyOperation, files: Files): Files {
    const mode = operation.chmod === undefined ? undefined : Number.parseInt(operation.chmod, 8);
    return new Map(
      [...files].map(([name, entry]) => [
        `${operation.destination}${name}`,
        { ...entry, mode: mode ?? entry.mode },
      ]),
    );
  }

  /** What a source selects, by the names that it gets; folders only where they hold something. */
  #filesOf(source: StepSource, program: Program): Files {
    const found: Files = new Map();
    if (source.kind === 'none') return found;
    const layers = source.kind === 'layers' ? this.#merged(source.layers) : undefined;
    for (const { path, name, directory, files } of source.sources) {
      for (const file of files) {
        if (file.type === 'directory') continue;
        const from = directory ? `${path}/${file.path}` : path;
        const content = layers ? layers.get(`/${from}`)!.content : program.context[from]!.content;
        found.set(directory ? file.path : name, { content, mode: file.mode });
      }
    }
    return found;
  }

  #merged(ids: readonly string[]): Files {
    const files: Files = new Map();
    for (const id of ids) for (const [name, entry] of this.#layers.get(id)!) files.set(name, entry);
    return files;
  }
}

async function unused(): Promise<never> {
  throw new Error('programs fetch nothing');
}

function run(operation: RunOperation, root: Files, folders: ReadonlyMap<string, Files>): Files {
  const command = parseCommand(operation.command);
  const content = outputOf(command, {
    variable: (name) =>
      operation.env.findLast((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1),
    file: (path) => {
      const cut = path.lastIndexOf('/');
      const folder = folders.get(path.slice(0, cut));
      return (folder ? folder.get(path.slice(cut + 1)) : root.get(path))?.content;
    },
    names: (folder) =>
      [...new Set([...folders.get(folder)!.keys()].map((name) => name.split('/')[0]!))].sort(),
  });
  return new Map([[command.output, { content, mode: 0o644 }]]);
}

function contextOf(program: Program): ContextSource {
  const rules = parseExcludes(program.ignore);
  const shown = Object.entries(program.context).filter(([name]) => !rules.verdict(name, false).hidden);
  return {
    description: 'memory',
    root: '/context',
    ignoreFile: undefined,
    tree: memoryTree(Object.fromEntries(shown)),
    hiddenBy: () => undefined,
    close: () => {},
  };
}

function treeRecord(files: Files): Parameters<typeof memoryTree>[0] {
  return Object.fromEntries(
    [...files].map(([path, { content, mode, directory }]) => [
      directory ? `${path.slice(1)}/` : path.slice(1),
      directory ? { mode } : { content, mode },
    ]),
  );
}

function chainOf(snapshot: Snapshot): string {
  return chainId(snapshot.layers.map((layer) => layer.stored!.diffId));
}
