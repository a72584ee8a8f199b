import type { FileTree } from '../context/file-tree.ts';
import type { Digest } from '../image/types.ts';
import type { NodeId, Plan, PlannedLine, PlannedStage } from '../plan/types.ts';
import type { BuildEvent, OutlinedLine } from '../progress/events.ts';
import { diffIdsOf, type Snapshot } from '../solve/types.ts';
import { imageById, putImage } from '../store/images.ts';
import type { Store } from '../store/store.ts';
import { type BuiltParts, documentOf } from './assemble-image.ts';

const BLOCK = 512;

export interface LineImagesOptions {
  /** Made with its lines. */
  plan: Plan;
  store: Store;
  /** The build context. */
  tree: FileTree | undefined;
  emit: (event: BuildEvent) => void;
}

interface Line {
  stage: PlannedStage;
  line: PlannedLine;
  index: number;
}

/**
 * An image for every line of a Dockerfile, as the classic builder makes them: announced when the line's step is done,
 * and kept in the store, so that a container of it can be run. Such images have no name and are the parents of the next.
 */
export class LineImages {
  readonly #options: LineImagesOptions;
  readonly #snapshots = new Map<NodeId, PromiseWithResolvers<Snapshot>>();
  readonly #made: { config: Buffer; parent: Digest | undefined }[] = [];
  readonly #done: Promise<void>;

  constructor(options: LineImagesOptions) {
    this.#options = options;
    const { plan, tree, emit } = options;
    const globals = (plan.globalLines ?? []).map((text) => ({
      text,
      kind: 'global' as const,
      trigger: false,
    }));
    const lines: Line[] = [];
    const outlined: OutlinedLine[] = [...globals];
    for (const stage of plan.stages) {
      for (const [position, line] of (stage.lines ?? []).entries()) {
        lines.push({ stage, line, index: outlined.length });
        outlined.push(outlineOf(plan, line, position));
      }
    }
    emit({ type: 'outlined', contextSize: tree === undefined ? 0 : archiveSize(tree), lines: outlined });
    this.#done = this.#announce(lines);
    // Who waits for it hears of its failure.
    this.#done.catch(() => {});
  }

  /** To be told of every snapshot of the build. */
  snapshot(node: NodeId, snapshot: Snapshot | Promise<Snapshot>): void {
    this.#of(node).resolve(snapshot);
  }

  /** Every line has been announced. Only where the build has not failed. */
  announced(): Promise<void> {
    return this.#done;
  }

  /** Keeps the images so far in the store. Their layers must be on disk. */
  keep(): void {
    const { store } = this.#options;
    for (const { config, parent } of this.#made) {
      putImage(store, { config, ...(parent === undefined ? {} : { parent }) });
    }
  }

  #of(node: NodeId): PromiseWithResolvers<Snapshot> {
    let known = this.#snapshots.get(node);
    if (known === undefined) {
      known = Promise.withResolvers<Snapshot>();
      this.#snapshots.set(node, known);
    }
    return known;
  }

  async #announce(lines: readonly Line[]): Promise<void> {
    const { plan, store, emit } = this.#options;
    const last = new Map<PlannedStage, Digest | undefined>();
    for (const { stage, line, index } of lines) {
      const snapshot = await this.#of(line.result).promise;
      const diffIds = await diffIdsOf(snapshot);
      const isFrom = line === stage.lines?.[0];
      const from = isFrom ? baseOf(plan, stage, last) : { made: true as const };
      const parent = last.get(stage);
      let id = 'made' in from ? undefined : from.id;
      let known = true;
      if ('made' in from) {
        const snapshots = await this.#snapshotsOf(stage, line);
        const config = documentOf(store, plan, { stage, line, diffIds, snapshots } satisfies BuiltParts);
        id = config.digest;
        known = imageById(store, id) !== undefined;
        if (!known) this.#made.push({ config: config.bytes, parent });
      }
      last.set(stage, id);
      emit({ type: 'imaged', line: index, known, ...(id === undefined ? {} : { id }) });
    }
  }

  /** Of the nodes that the history so far names. */
  async #snapshotsOf(stage: PlannedStage, line: PlannedLine): Promise<Map<NodeId, Snapshot>> {
    const snapshots = new Map<NodeId, Snapshot>();
    for (const { node } of stage.history.slice(0, line.history)) {
      if (node !== undefined) snapshots.set(node, await this.#of(node).promise);
    }
    return snapshots;
  }
}

/** What a FROM line names: an image of the store, nothing, or the last line of a stage. */
function baseOf(
  plan: Plan,
  stage: PlannedStage,
  last: ReadonlyMap<PlannedStage, Digest | undefined>,
): { id: Digest | undefined } {
  if (stage.base !== undefined) return { id: last.get(plan.stages[stage.base]!) };
  const first = stage.lines?.[0]?.result;
  const operation = plan.nodes.find(({ id }) => id === first)?.operation;
  return { id: operation?.kind === 'image' ? operation.imageId : undefined };
}

function outlineOf(plan: Plan, { text, trigger, node }: PlannedLine, position: number): OutlinedLine {
  const operation = plan.nodes.find(({ id }) => id === node)?.operation;
  const kind =
    position === 0
      ? 'from'
      : operation === undefined
        ? 'setting'
        : operation.kind === 'copy'
          ? 'copy'
          : 'run';
  return { text, kind, trigger: trigger === true, ...(node === undefined ? {} : { vertex: node }) };
}

/** Bytes of a tar of a tree (ustar), which is what the classic builder sends. */
function archiveSize(tree: FileTree): number {
  let size = 2 * BLOCK;
  const waiting: string[] = [''];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const entries =
      tree.entries?.(path) ??
      tree.readdir(path).map((name) => ({ name, node: tree.lstat(path === '' ? name : `${path}/${name}`)! }));
    for (const { name, node } of entries) {
      size += BLOCK + (node.type === 'file' ? Math.ceil(node.size / BLOCK) * BLOCK : 0);
      if (node.type === 'directory') waiting.push(path === '' ? name : `${path}/${name}`);
    }
  }
  return size;
}
