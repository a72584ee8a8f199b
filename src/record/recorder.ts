import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { StepRecord, StoredLayer } from '../cache/cache-backend.ts';
import type { KeyParts } from '../cache/keys.ts';
import { readableParts } from '../cache/readable-parts.ts';
import { SlipwayError } from '../errors/index.ts';
import type { ExecutableStep } from '../execute/executor.ts';
import type { NodeId, Plan, PlanNode } from '../plan/types.ts';
import type { BuildEvent } from '../progress/events.ts';
import type { StepIdentity, StepObserver } from '../solve/step-observer.ts';
import { processIdentity } from '../sys/process-identity.ts';
import { type BuildRecord, type BuildSubject, RECORD_FORMAT, type RecordedStep } from './build-record.ts';
import { buildFolder, JOURNAL_FILE, listingName, logName, RECORD_FILE } from './layout.ts';
import { appendLog } from './log-file.ts';
import { recordedNodes, recordedStages } from './recorded-plan.ts';

export interface RecorderOptions {
  /** The store's directory. */
  root: string;
  subject: BuildSubject;
  tags: string[];
}

/**
 * Keeps the record of a build while it goes on. A build that finds everything in the cache writes one file at its
 * end. From the first step that runs there is a journal, so that a killed build leaves what it had come to.
 *
 * A record that cannot be written (a full disk) is given up in silence: the build's own result counts.
 */
export class BuildRecorder implements StepObserver {
  readonly id = randomBytes(6).toString('hex');
  readonly #record: BuildRecord;
  readonly #folder: string;
  readonly #steps = new Map<NodeId, { step: RecordedStep; index: number; log?: number }>();
  readonly #tasks = new Map<string, BuildRecord['tasks'][number]>();
  /** Listings are made while the steps run. */
  readonly #waiting: Promise<void>[] = [];
  #journal: number | undefined;
  #broken = false;

  constructor({ root, subject, tags }: RecorderOptions) {
    const started = Date.now();
    this.#folder = buildFolder(root, started, this.id);
    this.#record = {
      format: RECORD_FORMAT,
      id: this.id,
      started,
      state: 'running',
      subject,
      tags,
      stages: [],
      target: 0,
      steps: [],
      tasks: [],
    };
  }

  /** Corrects what was not known at the start. */
  setSubject(subject: BuildSubject): void {
    this.#record.subject = subject;
  }

  plan(plan: Plan): void {
    const record = this.#record;
    record.target = plan.target;
    record.stages = recordedStages(plan);
    record.steps = recordedNodes(plan);
    this.#steps.clear();
    for (const [index, step] of record.steps.entries()) this.#steps.set(step.id, { step, index });
  }

  event(event: BuildEvent): void {
    switch (event.type) {
      case 'log':
        this.#log(event);
        break;
      case 'announced':
        if (!this.#steps.has(event.vertex)) this.#tasks.set(event.vertex, { name: event.name, started: 0 });
        break;
      case 'started': {
        const step = this.#steps.get(event.vertex)?.step;
        if (step) step.started = event.time;
        this.#startTask(event.vertex, event.time);
        break;
      }
      case 'ended':
        this.#end(event);
        break;
    }
  }

  prepared(node: PlanNode, { parts, definition }: { parts: KeyParts; definition: string }): void {
    this.#change(node.id, { definition, parts: readableParts(parts) });
  }

  reused(node: PlanNode, { key, parentChain }: StepIdentity, { buildId, layer }: StepRecord): void {
    // The build that made it has the parts: a cached build writes little.
    const { diffId, size } = layer;
    this.#change(node.id, { key, parentChain, from: buildId, diffId, size, parts: undefined });
  }

  merged(node: PlanNode, same: NodeId): void {
    this.#change(node.id, { same, parts: undefined });
  }

  executing(node: PlanNode, step: ExecutableStep): void {
    const entry = this.#steps.get(node.id);
    if (entry === undefined || !this.#open()) return;
    this.#waiting.push(this.#keepListings(entry, step).catch(() => {}));
  }

  recorded(node: PlanNode, { key, parentChain }: StepIdentity, { diffId, size }: StoredLayer): void {
    this.#change(node.id, { key, parentChain, diffId, size, digested: Date.now() });
    const entry = this.#steps.get(node.id);
    if (entry) this.#note(entry.step);
  }

  /** The build has ended: the record gets its place, unless it cannot be written. Never throws. */
  async finish(result: { imageId?: string; error?: unknown }): Promise<void> {
    await Promise.all(this.#waiting);
    const record = this.#record;
    record.ended = Date.now();
    if (result.imageId !== undefined) record.imageId = result.imageId;
    record.state = result.error === undefined ? 'done' : 'failed';
    if (result.error !== undefined) {
      const { error } = result;
      const message = error instanceof Error ? error.message : String(error);
      record.error = { code: error instanceof SlipwayError ? error.code : 'INTERNAL', message };
      if (error instanceof SlipwayError && error.kind === 'canceled') record.state = 'canceled';
    }
    for (const [id, { log }] of this.#steps) if (log !== undefined) this.#closeLog(id);
    try {
      if (this.#broken) throw new Error('given up');
      if (this.#journal === undefined) mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      const file = join(this.#folder, RECORD_FILE);
      writeFileSync(`${file}.new`, JSON.stringify(record), { mode: 0o600 });
      renameSync(`${file}.new`, file);
      if (this.#journal !== undefined) {
        closeSync(this.#journal);
        rmSync(join(this.#folder, JOURNAL_FILE), { force: true });
      }
    } catch {
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  #change(id: NodeId, values: { [K in keyof RecordedStep]?: RecordedStep[K] | undefined }): void {
    const entry = this.#steps.get(id);
    if (entry) Object.assign(entry.step, values);
  }

  #startTask(vertex: string, time: number): void {
    const task = this.#tasks.get(vertex);
    if (task === undefined) return;
    task.started = time;
    this.#record.tasks.push(task);
  }

  #end({ vertex, time, outcome, error }: Extract<BuildEvent, { type: 'ended' }>): void {
    const task = this.#tasks.get(vertex);
    if (task !== undefined) Object.assign(task, { ended: time, outcome });
    const entry = this.#steps.get(vertex);
    if (entry === undefined) return;
    Object.assign(entry.step, { outcome, ended: time, ...(error === undefined ? {} : { error }) });
    this.#closeLog(vertex);
    this.#note(entry.step);
  }

  #log({ vertex, stream, data, time }: Extract<BuildEvent, { type: 'log' }>): void {
    const entry = this.#steps.get(vertex);
    if (entry === undefined || this.#broken || this.#journal === undefined) return;
    this.#guard(() => {
      entry.log ??= openSync(join(this.#folder, logName(entry.index)), 'a', 0o600);
      appendLog(entry.log, { stream, time, data });
      entry.step.logBytes = (entry.step.logBytes ?? 0) + data.byteLength;
    });
  }

  #closeLog(id: NodeId): void {
    const entry = this.#steps.get(id);
    if (entry?.log === undefined) return;
    closeSync(entry.log);
    delete entry.log;
  }

  /** Starts the journal. */
  #open(): boolean {
    if (this.#journal === undefined && !this.#broken) {
      this.#guard(() => {
        mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
        const file = join(this.#folder, JOURNAL_FILE);
        const first = { record: this.#record, process: processIdentity() };
        writeFileSync(`${file}.new`, `${JSON.stringify(first)}\n`, { mode: 0o600 });
        renameSync(`${file}.new`, file);
        this.#journal = openSync(file, 'a');
      });
    }
    return this.#journal !== undefined && !this.#broken;
  }

  #note(step: RecordedStep): void {
    const journal = this.#journal;
    if (journal === undefined || this.#broken) return;
    this.#guard(() => {
      const line = Buffer.from(`${JSON.stringify(step)}\n`);
      for (let at = 0; at < line.length; ) at += writeSync(journal, line, at);
    });
  }

  async #keepListings(entry: { step: RecordedStep; index: number }, step: ExecutableStep): Promise<void> {
    const { stepListings } = await import('./step-listings.ts');
    for (const [selection, bytes] of await stepListings(step)) {
      writeFileSync(join(this.#folder, listingName(entry.index, selection)), bytes, { mode: 0o600 });
      entry.step.listings = [...(entry.step.listings ?? []), selection];
    }
  }

  #guard(body: () => void): void {
    try {
      body();
    } catch {
      this.#broken = true;
    }
  }
}
