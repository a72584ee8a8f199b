import { commandOf, outputOf, type Program, parseCommand, type RunStep, type Step } from './program.ts';

/** A name in a file system: a file, or a directory without content. */
interface Node {
  content?: string;
  mode: number;
}

type Files = Map<string, Node>;

/** What a step changes. Layers with the same changes are the same layer. */
interface Layer {
  identity: string;
  changes: Files;
}

interface StageResult {
  layers: Layer[];
  /** `ENV` and `ARG` in their order. */
  variables: [name: string, value: string][];
  directory: string;
}

/** What a build of a program comes to. */
export interface Expectation {
  /** What each step that makes a layer can observe, by its place (`stage.step`): equal for equal work. */
  steps: Map<string, string>;
  /** Those of `steps` that were never done before. */
  fresh: Set<string>;
}

/** A source of a COPY that is not there: such a program is not built. */
export class MissingSource extends Error {}

/**
 * The reference: a step runs when nothing that it can observe was ever observed by the same step before, and what it
 * can observe are the layers under it, its own text, and the content of what it reads (DESIGN, decisions 5 and 6).
 * Knows nothing of keys, digests or schedules.
 */
export class Reference {
  readonly #done = new Map<string, Layer>();

  /** @throws MissingSource */
  build(program: Program): Expectation {
    const run = new ReferenceBuild(program, this.#done);
    run.stage(program.target);
    for (const [key, layer] of run.made) this.#done.set(key, layer);
    return { steps: run.steps, fresh: new Set(run.made.keys()) };
  }
}

class ReferenceBuild {
  readonly steps = new Map<string, string>();
  readonly made = new Map<string, Layer>();
  readonly #program: Program;
  readonly #done: ReadonlyMap<string, Layer>;
  readonly #stages = new Map<number, StageResult>();

  constructor(program: Program, done: ReadonlyMap<string, Layer>) {
    this.#program = program;
    this.#done = done;
  }

  stage(index: number): StageResult {
    const known = this.#stages.get(index);
    if (known) return known;
    const { base, steps } = this.#program.stages[index]!;
    const parent = base === 'image' ? { layers: [], variables: [], directory: '/' } : this.stage(base);
    const result = { ...parent, layers: [...parent.layers], variables: [...parent.variables] };
    steps.forEach((step, position) => {
      this.#apply(step, result, `${index}.${position}`);
    });
    this.#stages.set(index, result);
    return result;
  }

  #apply(step: Step, stage: StageResult, place: string): void {
    switch (step.kind) {
      case 'label':
        return;
      case 'env':
        stage.variables.push([step.name, step.value]);
        return;
      case 'arg':
        stage.variables.push([step.name, this.#program.buildArgs[step.name] ?? step.value]);
        return;
      case 'workdir':
        stage.directory = step.path;
        this.#layer(stage, place, ['workdir', chain(stage), step.path], () => {
          const exists = merged(stage).has(step.path);
          return new Map(exists ? [] : [[step.path, { mode: 0o755 }]]);
        });
        return;
      case 'run':
        this.#run(step, stage, place);
        return;
      case 'copy': {
        const sources = step.sources.map((source) => this.#select(step.from, source));
        const selected = sources.flatMap(({ files }) => files);
        // A folder is another thing to copy than the only file in it.
        const seen = sources.map(({ folder, files }) => [
          folder,
          files.map(({ name, node: { content, mode } }) =>
            step.chmod === undefined ? [name, content, mode] : [name, content],
          ),
        ]);
        // With --chmod there is no independent layer, in Docker neither.
        const link = step.link && step.chmod === undefined;
        const under = link ? 'alone' : chain(stage);
        const key = ['copy', under, step.destination, step.chmod, link, seen];
        this.#layer(stage, place, key, () => {
          const mode = step.chmod === undefined ? undefined : Number.parseInt(step.chmod, 8);
          return new Map(
            selected.map(({ name, node }) => [
              `${step.destination}${name}`,
              { ...node, mode: mode ?? node.mode },
            ]),
          );
        });
        return;
      }
    }
  }

  #run(step: RunStep, stage: StageResult, place: string): void {
    const folders = new Map<string, Files>();
    const mounts = step.mounts.map((mount, index) => {
      if (mount.type === 'cache') return [mount.type, index];
      const files =
        mount.type === 'stage'
          ? this.#folder(merged(this.stage(mount.stage)), mount.source)
          : this.#contextFolder(mount.source);
      folders.set(`/m${index}`, files);
      return [mount.type === 'stage' ? 'bind' : 'bind', index, sorted(files)];
    });
    const command = commandOf(step);
    const key = ['run', chain(stage), command, stage.variables, stage.directory, mounts];
    this.#layer(stage, place, key, () => {
      const root = merged(stage);
      const text = outputOf(parseCommand(command), {
        variable: (name) => stage.variables.findLast(([other]) => other === name)?.[1],
        file: (path) => {
          const folder = folders.get(path.slice(0, path.lastIndexOf('/')));
          return folder
            ? folder.get(path.slice(path.lastIndexOf('/') + 1))?.content
            : root.get(path)?.content;
        },
        names: (folder) => topNames(folders.get(folder)!),
      });
      return new Map([[step.output, { content: text, mode: 0o644 }]]);
    });
  }

  /** The step's layer: an earlier one of equal work, or a new one. */
  #layer(stage: StageResult, place: string, observed: unknown[], work: () => Files): void {
    const key = JSON.stringify(observed);
    this.steps.set(place, key);
    let layer = this.#done.get(key) ?? this.made.get(key);
    if (!layer) {
      const changes = work();
      layer = { identity: JSON.stringify(sorted(changes)), changes };
      this.made.set(key, layer);
    }
    stage.layers.push(layer);
  }

  #select(
    from: number | 'context',
    source: string,
  ): { folder: boolean; files: { name: string; node: Node }[] } {
    const all = from === 'context' ? this.#contextFiles() : merged(this.stage(from));
    const path = from === 'context' ? source : source.replace(/\/$/, '');
    const file = all.get(path);
    if (file?.content !== undefined)
      return { folder: false, files: [{ name: path.slice(path.lastIndexOf('/') + 1), node: file }] };
    const inside = this.#folder(all, path);
    inside.delete('');
    if (inside.size === 0) throw new MissingSource(source);
    const files = sorted(inside).map(([name, node]) => ({ name, node }));
    return { folder: true, files };
  }

  /** What lies below a path, by relative names, and the folder itself as the empty one. */
  #folder(files: Files, path: string): Files {
    const prefix = `${path}/`;
    const found: Files = new Map();
    for (const [name, node] of files) {
      if (name.startsWith(prefix)) found.set(name.slice(prefix.length), node);
    }
    if (found.size === 0 && !files.has(path)) throw new MissingSource(path);
    return found;
  }

  #contextFolder(path: string): Files {
    return this.#folder(this.#contextFiles(), path);
  }

  #contextFiles(): Files {
    const { context, ignore } = this.#program;
    return new Map(Object.entries(context).filter(([name]) => !ignore.some((rule) => ignores(rule, name))));
  }
}

/** The three shapes of rules that programs have: `*.x`, `folder/*.x` and, for any depth, two stars before. */
function ignores(rule: string, name: string): boolean {
  const [pattern, folder] = [
    rule.slice(rule.lastIndexOf('/') + 1),
    rule.slice(0, Math.max(0, rule.lastIndexOf('/'))),
  ];
  const inFolder = name.slice(0, Math.max(0, name.lastIndexOf('/')));
  return name.endsWith(pattern.slice(1)) && (folder === '**' || folder === inFolder);
}

function merged(stage: StageResult): Files {
  const files: Files = new Map();
  for (const { changes } of stage.layers) for (const [name, node] of changes) files.set(name, node);
  return files;
}

function chain(stage: StageResult): string[] {
  return stage.layers.map(({ identity }) => identity);
}

function sorted(files: Files): [string, Node][] {
  return [...files].sort(([a], [b]) => (a < b ? -1 : 1));
}

function topNames(files: Files): string[] {
  return [
    ...new Set([...files.keys()].filter((name) => name !== '').map((name) => name.split('/')[0]!)),
  ].sort();
}
