import { hash } from 'node:crypto';
import type { ProgressStream } from './clock.ts';
import type { BuildEvent, OutlinedLine, VertexEnded } from './events.ts';
import { classicSize } from './format.ts';
import { LogLines } from './log-lines.ts';
import { safeColouredText, safeText } from './safe-text.ts';
import type { ProgressSink } from './sink.ts';

/** Output of steps that wait for their turn; beyond this the rest is left out, with a line that says so. */
const MOST_WAITING = 16 << 20;

export interface ClassicOptions {
  /** Output of a step's standard error is red, as in the classic builder. */
  colour: boolean;
  /** Where warnings go that belong to no step. */
  errors: ProgressStream;
}

/** What is known of a step. */
interface Step {
  started: number | undefined;
  outcome: VertexEnded['outcome'] | undefined;
  lines: Record<'stdout' | 'stderr', LogLines>;
  /** To be printed when its turn comes. */
  waiting: string[];
  size: number;
}

interface Image {
  id: string | undefined;
  known: boolean;
}

/**
 * The lines of Docker's classic builder, for scripts and people that read them: every instruction in the order of the
 * file, the output of steps as it is, and the ids of images that hold what has been built so far.
 */
export function classicSink(stream: ProgressStream, options: ClassicOptions): ProgressSink {
  const printer = new ClassicPrinter((text) => stream.write(text), options);
  return {
    event: (event) => printer.event(event),
    close: async () => {},
  };
}

class ClassicPrinter {
  readonly #write: (text: string) => void;
  readonly #options: ClassicOptions;
  readonly #steps = new Map<string, Step>();
  readonly #images = new Map<number, Image>();
  #lines: readonly OutlinedLine[] = [];
  /** The line whose turn it is, and how far it is printed. */
  #at = 0;
  #headed = false;
  #running = false;
  /** Lines that are counted: triggers stand under their FROM. */
  #count = 0;
  #number = 0;

  constructor(write: (text: string) => void, options: ClassicOptions) {
    this.#write = write;
    this.#options = options;
  }

  event(event: BuildEvent): void {
    switch (event.type) {
      case 'outlined':
        this.#lines = event.lines;
        this.#count = event.lines.filter(({ trigger }) => !trigger).length;
        this.#write(`Sending build context to Docker daemon ${classicSize(event.contextSize).padStart(8)}\n`);
        break;
      case 'imaged':
        this.#images.set(event.line, { id: event.id, known: event.known });
        break;
      case 'started':
        this.#step(event.vertex).started = event.time;
        break;
      case 'ended': {
        const step = this.#step(event.vertex);
        for (const name of ['stdout', 'stderr'] as const) {
          for (const { text } of step.lines[name].flush()) this.#queue(step, name, safeColouredText(text));
        }
        step.outcome = event.outcome;
        break;
      }
      case 'log': {
        const step = this.#step(event.vertex);
        const lines = step.lines[event.stream].push(event.data, event.time);
        const text = lines.map((line) => safeColouredText(line.text) + (line.open ? '' : '\n')).join('');
        this.#queue(step, event.stream, text);
        break;
      }
      case 'warning':
        this.#warn(event.vertex, `${event.message}`);
        break;
      default:
    }
    while (this.#advance());
  }

  #warn(vertex: string | undefined, message: string): void {
    if (vertex === undefined) this.#options.errors.write(`WARNING: ${safeText(message)}\n`);
    else this.#queue(this.#step(vertex), 'stdout', ` ---> [Warning] ${safeText(message)}\n`);
  }

  #queue(step: Step, stream: 'stdout' | 'stderr', text: string): void {
    if (text === '' || step.size > MOST_WAITING) return;
    step.size += text.length;
    step.waiting.push(stream === 'stderr' && this.#options.colour ? `\x1b[91m${text}\x1b[0m` : text);
    if (step.size > MOST_WAITING) step.waiting.push('[output that waited for its turn is left out here]\n');
  }

  /** Prints what can be printed of the line whose turn it is; true when it is done and the next one has its turn. */
  #advance(): boolean {
    const line = this.#lines[this.#at];
    if (line === undefined) return false;
    this.#head(line);
    if (line.kind === 'global') return this.#next();
    const step = line.vertex === undefined ? undefined : this.#step(line.vertex);
    const container = containerId(line.vertex ?? `line ${this.#at}`, step?.started ?? 0);
    if (step?.started !== undefined && !this.#running) {
      this.#running = true;
      if (line.kind === 'run') this.#write(` ---> Running in ${container}\n`);
    }
    if (this.#running && step !== undefined && step.waiting.length > 0) {
      this.#write(step.waiting.join(''));
      step.waiting = [];
      step.size = 0;
    }
    const image = this.#images.get(this.#at);
    if (image === undefined) return false;
    if (step?.outcome === 'cached' || (line.kind === 'setting' && image.known))
      this.#write(' ---> Using cache\n');
    else if (line.kind === 'setting') {
      this.#write(` ---> Running in ${container}\n ---> Removed intermediate container ${container}\n`);
    } else if (line.kind === 'run') this.#write(` ---> Removed intermediate container ${container}\n`);
    // The image of a FROM with triggers is the one that they make.
    if (!this.#lines[this.#at + 1]?.trigger) this.#write(` ---> ${shortId(image.id)}\n`);
    return this.#next();
  }

  #head({ text, trigger }: OutlinedLine): void {
    if (this.#headed) return;
    this.#headed = true;
    if (trigger) return;
    this.#number++;
    this.#write(`Step ${this.#number}/${this.#count} : ${safeText(text)}\n`);
    const rest = this.#lines.slice(this.#at + 1);
    const end = rest.findIndex((line) => !line.trigger);
    const triggers = end < 0 ? rest.length : end;
    if (triggers > 0) this.#write(`# Executing ${triggers} build trigger${triggers === 1 ? '' : 's'}\n`);
  }

  #next(): boolean {
    this.#at++;
    this.#headed = false;
    this.#running = false;
    return true;
  }

  #step(vertex: string): Step {
    let step = this.#steps.get(vertex);
    if (step === undefined) {
      const lines = { stdout: new LogLines(), stderr: new LogLines() };
      step = { started: undefined, outcome: undefined, lines, waiting: [], size: 0 };
      this.#steps.set(vertex, step);
    }
    return step;
  }
}

/** Containers have no ids that anybody could use afterwards: one that is different each time. */
function containerId(name: string, started: number): string {
  return hash('sha256', `${name} ${started} ${process.pid}`, 'hex').slice(0, 12);
}

/** Twelve digits, as in the classic builder; nothing for no image. */
export function shortId(id: string | undefined): string {
  return id === undefined ? '' : id.slice('sha256:'.length, 'sha256:'.length + 12);
}
