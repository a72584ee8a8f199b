import type { Mount, Program, RunStep, Stage, Step } from './program.ts';
import { MissingSource, Reference } from './reference.ts';

/** Folders of every context; what a program copies or mounts from it. */
const FOLDERS = ['d0', 'd1'];
const NAMES = ['a', 'b', 'c.log', 'd.tmp'];
const RULES = ['*.log', 'd0/*.log', 'd1/*.tmp', '**/*.log', '**/*.tmp', '*.none', 'd0/*.none'];
const MODES = [0o644, 0o755, 0o600];

/** Makes programs and edits of them out of a stream of random numbers. */
export class Generator {
  readonly #random: () => number;
  #next = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  program(): Program {
    for (;;) {
      this.#next = 0;
      const program: Program = { context: {}, ignore: ['*.none'], buildArgs: {}, stages: [], target: 0 };
      for (const folder of FOLDERS)
        for (const name of NAMES)
          program.context[`${folder}/${name}`] = { content: this.#text(), mode: 0o644 };
      const count = 2 + this.#below(3);
      for (let index = 0; index < count; index++) program.stages.push(this.#stage(program, index));
      program.target = count - 1;
      if (isWhole(program)) return program;
    }
  }

  /** A changed copy, and what was changed. `earlier` are programs to which an edit may go back. */
  edit(program: Program, earlier: readonly Program[]): { program: Program; what: string } {
    for (;;) {
      const changed = structuredClone(program);
      const what = this.#change(changed, earlier);
      if (what === undefined) continue;
      const result = what === 'an earlier program' ? this.#pick(earlier) : changed;
      if (isWhole(result)) return { program: structuredClone(result), what };
    }
  }

  #change(program: Program, earlier: readonly Program[]): string | undefined {
    const stage = this.#pick(program.stages);
    const step = stage.steps.length === 0 ? undefined : this.#pick(stage.steps);
    const file = this.#pick(Object.keys(program.context));
    const edits: (() => string | undefined)[] = [
      () => {
        program.context[file]!.content = this.#text();
        return `content of ${file}`;
      },
      () => {
        program.context[file]!.mode = this.#pick(MODES);
        return `mode of ${file}`;
      },
      () => {
        if (this.#below(2) === 0) delete program.context[file];
        else
          program.context[`${this.#pick(FOLDERS)}/${this.#pick(['x', 'y.log'])}`] = {
            content: this.#text(),
            mode: 0o644,
          };
        return 'files of the context';
      },
      () => {
        program.ignore = RULES.filter(() => this.#below(4) === 0);
        return 'the ignore file';
      },
      () => {
        const args = program.stages.flatMap(({ steps }) => steps.filter(({ kind }) => kind === 'arg'));
        if (args.length === 0) return undefined;
        const { name } = this.#pick(args) as { name: string };
        if (this.#below(3) === 0) delete program.buildArgs[name];
        else program.buildArgs[name] = this.#pick(['one', 'two', 'three']);
        return `argument ${name}`;
      },
      () => this.#changeStep(step),
      () => this.#changeStep(step),
      () => {
        const index = program.stages.indexOf(stage);
        stage.steps.splice(this.#below(stage.steps.length + 1), 0, this.#step(program, index));
        return 'a new step';
      },
      () => {
        if (stage.steps.length < 2) return undefined;
        stage.steps.splice(this.#below(stage.steps.length), 1);
        return 'a step less';
      },
      () => {
        const at = this.#below(stage.steps.length - 1);
        if (stage.steps.length < 2) return undefined;
        stage.steps.splice(at, 2, stage.steps[at + 1]!, stage.steps[at]!);
        return 'two steps swapped';
      },
      () => {
        program.target = this.#below(program.stages.length);
        return 'the target';
      },
      () => (earlier.length > 0 ? 'an earlier program' : undefined),
      () => 'nothing',
    ];
    return this.#pick(edits)();
  }

  #changeStep(step: Step | undefined): string | undefined {
    if (step === undefined) return undefined;
    switch (step.kind) {
      case 'run':
        if (this.#below(3) === 0) step.constant = !step.constant;
        else if (this.#below(2) === 0) step.token = this.#pick(['t1', 't2', this.#name('t')]);
        else step.reads = this.#reads();
        return 'a command';
      case 'copy':
        if (this.#below(2) === 0) step.chmod = step.chmod === undefined ? '0755' : undefined;
        else step.link = !step.link;
        return 'flags of a COPY';
      case 'workdir':
        step.path = this.#pick(['/w1', '/w2']);
        return 'a WORKDIR';
      default:
        step.value = this.#pick(['red', 'green', 'blue']);
        return `value of ${step.kind}`;
    }
  }

  #stage(program: Program, index: number): Stage {
    const base = index > 0 && this.#below(3) === 0 ? this.#below(index) : 'image';
    const stage: Stage = { base, steps: [] };
    program.stages.push(stage);
    const count = 2 + this.#below(4);
    for (let i = 0; i < count; i++) stage.steps.push(this.#step(program, index));
    program.stages.pop();
    return stage;
  }

  #step(program: Program, index: number): Step {
    const roll = this.#below(12);
    if (roll < 5) return this.#run(program, index);
    if (roll < 8) return this.#copy(program, index);
    if (roll === 8) return { kind: 'arg', name: this.#name('A'), value: 'zero' };
    if (roll === 9) return { kind: 'env', name: this.#name('E'), value: 'white' };
    if (roll === 10) return { kind: 'label', name: 'colour', value: 'red' };
    return { kind: 'workdir', path: this.#pick(['/w1', '/w2']) };
  }

  #run(program: Program, index: number): RunStep {
    const variables = program.stages.flatMap(({ steps }) =>
      steps.flatMap((step) => (step.kind === 'arg' || step.kind === 'env' ? [step.name] : [])),
    );
    const mounts: Mount[] = [];
    if (this.#below(3) === 0) {
      const type = this.#below(3);
      if (type === 0 && index > 0) mounts.push({ type: 'stage', stage: this.#below(index), source: '/srv' });
      else if (type === 1) mounts.push({ type: 'context', source: this.#pick(FOLDERS) });
      else mounts.push({ type: 'cache', id: this.#pick(['k1', 'k2']) });
    }
    return {
      kind: 'run',
      token: this.#pick(['t1', this.#name('t')]),
      uses: variables.filter(() => this.#below(3) === 0),
      reads: this.#reads(),
      mounts,
      output: `/srv/o${this.#below(4)}`,
      constant: this.#below(5) === 0,
    };
  }

  #copy(program: Program, index: number): Step {
    const copy = {
      kind: 'copy' as const,
      destination: this.#pick(['/srv/c0/', '/srv/c1/', '/srv/']),
      chmod: this.#below(6) === 0 ? '0755' : undefined,
      link: this.#below(6) === 0,
    };
    if (index > 0 && this.#below(2) === 0) {
      const from = this.#below(index);
      const written = program.stages[from]!.steps.flatMap((step) =>
        step.kind === 'run' ? [step.output] : [],
      );
      if (written.length > 0) return { ...copy, from, sources: [this.#pick([...written, '/srv/'])] };
    }
    const sources =
      this.#below(2) === 0 ? [this.#pick(FOLDERS)] : [`${this.#pick(FOLDERS)}/${this.#pick(NAMES)}`];
    return { ...copy, from: 'context', sources };
  }

  #reads(): string[] {
    return ['/srv/o0', '/srv/o1', '/srv/o2', '/srv/c0/a', '/srv/c1/b', '/srv/o3'].filter(
      () => this.#below(3) === 0,
    );
  }

  #text(): string {
    return `${this.#pick(['same', 'other', `text ${this.#below(1e6)}`])}\n`;
  }

  #name(prefix: string): string {
    return `${prefix}${100 + this.#next++}`;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * Math.max(limit, 1));
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }
}

/** Every source is there. */
function isWhole(program: Program): boolean {
  try {
    new Reference().build(program);
    return true;
  } catch (error) {
    if (error instanceof MissingSource) return false;
    throw error;
  }
}
