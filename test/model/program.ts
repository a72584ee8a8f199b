/** A Dockerfile with its context and arguments, as the model sees it: plain data that is rendered to text. */
export interface Program {
  context: Record<string, ContextFile>;
  /** Lines of .dockerignore. */
  ignore: string[];
  /** `--build-arg`. */
  buildArgs: Record<string, string>;
  stages: Stage[];
  /** Index of the stage that is built. */
  target: number;
}

export interface ContextFile {
  content: string;
  mode: number;
}

export interface Stage {
  /** Index of an earlier stage, or the base image. */
  base: number | 'image';
  steps: Step[];
}

export type Step =
  | RunStep
  | CopyStep
  | { kind: 'arg' | 'env' | 'label'; name: string; value: string }
  | { kind: 'workdir'; path: string };

export interface RunStep {
  kind: 'run';
  /** Tells it from others; a change of it is a change of the command. */
  token: string;
  /** Names of variables that go into what it writes. */
  uses: string[];
  /** Files that go into what it writes, where they are there. */
  reads: string[];
  mounts: Mount[];
  /** The file that it writes. */
  output: string;
  /** It writes the same whatever it reads. */
  constant: boolean;
}

/** A stage's or the context's folder at /m0, /m1, …, all of whose files are read, or a cache that is not. */
export type Mount =
  | { type: 'stage'; stage: number; source: string }
  | { type: 'context'; source: string }
  | { type: 'cache'; id: string };

export interface CopyStep {
  kind: 'copy';
  from: number | 'context';
  sources: string[];
  /** With a slash at its end. */
  destination: string;
  chmod: string | undefined;
  link: boolean;
}

/** What a RUN of the model does, in its command line as JSON: for executors without a shell. */
export interface RunCommand {
  token: string;
  uses: string[];
  reads: string[];
  /** Folders. */
  mounts: string[];
  output: string;
  constant: boolean;
}

const MARK = ' # ';

/** The Dockerfile, and which step each of its lines (from 1) has. */
export function render(program: Program, image: string): { text: string; places: Map<number, string> } {
  const lines: string[] = [];
  const places = new Map<number, string>();
  program.stages.forEach((stage, index) => {
    lines.push(`FROM ${stage.base === 'image' ? image : `s${stage.base}`} AS s${index}`);
    stage.steps.forEach((step, position) => {
      lines.push(renderStep(step));
      places.set(lines.length, `${index}.${position}`);
    });
  });
  return { text: `${lines.join('\n')}\n`, places };
}

function renderStep(step: Step): string {
  switch (step.kind) {
    case 'run':
      return ['RUN', ...step.mounts.map(renderMount), commandOf(step)].join(' ');
    case 'copy': {
      const flags = [
        ...(step.from === 'context' ? [] : [`--from=s${step.from}`]),
        ...(step.chmod === undefined ? [] : [`--chmod=${step.chmod}`]),
        ...(step.link ? ['--link'] : []),
      ];
      return ['COPY', ...flags, ...step.sources, step.destination].join(' ');
    }
    case 'workdir':
      return `WORKDIR ${step.path}`;
    default:
      return `${step.kind.toUpperCase()} ${step.name}=${step.value}`;
  }
}

function renderMount(mount: Mount, index: number): string {
  switch (mount.type) {
    case 'stage':
      return `--mount=type=bind,from=s${mount.stage},source=${mount.source},target=/m${index}`;
    case 'context':
      return `--mount=type=bind,source=${mount.source},target=/m${index}`;
    case 'cache':
      return `--mount=type=cache,id=${mount.id},target=/m${index}`;
  }
}

/** The command line of a RUN: it does in a shell what {@link outputOf} says. */
export function commandOf(step: RunStep): string {
  const folders = step.mounts.flatMap(({ type }, index) => (type === 'cache' ? [] : [`/m${index}`]));
  const { token, uses, reads, output, constant } = step;
  const words = uses.map((name) => `$${name}`).join(' ');
  const files = [...reads, ...folders.map((folder) => `${folder}/*`)].join(' ');
  // Read to the end before anything is written: the output may be one of the files.
  const read = `sum=$({ echo "${token} ${words}"; for f in ${files || '/none'}; do echo "$f"; cat "$f" 2>/dev/null; done; } | sha256sum)`;
  const script = `${read}; echo ${constant ? 'fixed' : '$sum'} > ${output}`;
  const command: RunCommand = { token, uses, reads, mounts: folders, output, constant };
  return `mkdir -p /srv; ${script}${MARK}${JSON.stringify(command)}`;
}

/** The model's command in a command line. */
export function parseCommand(line: string): RunCommand {
  return JSON.parse(line.slice(line.indexOf(MARK) + MARK.length)) as RunCommand;
}

/** What a command can look at. */
export interface Surroundings {
  variable(name: string): string | undefined;
  /** Content of a file, if there is one. */
  file(path: string): string | undefined;
  /** Names in a folder, sorted. */
  names(folder: string): string[];
}

/** What a command writes into its output, but for the hash that the shell puts over it. */
export function outputOf(command: RunCommand, around: Surroundings): string {
  if (command.constant) return 'fixed\n';
  const variables = command.uses.map((name) => around.variable(name) ?? '').join(' ');
  const globbed = command.mounts.flatMap((folder) => {
    const names = around.names(folder);
    return names.length === 0 ? [`${folder}/*`] : names.map((name) => `${folder}/${name}`);
  });
  const files = [...command.reads, ...globbed];
  return JSON.stringify([
    `${command.token} ${variables}`,
    ...files.map((path) => [path, around.file(path) ?? null]),
  ]);
}
