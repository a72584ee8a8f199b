import type { Document } from './build-manifest.ts';
import { digestOf } from './digest.ts';
import { goJson, sortedRecord } from './go-json.ts';
import { formatTime, parseTime } from './time.ts';
import type { ContainerConfig, Digest, HistoryEntry, Platform } from './types.ts';

export interface ImageParts {
  platform: Platform;
  config: ContainerConfig;
  author?: string;
  /** In the order of the Dockerfile. An entry without `created` takes a neighbour's time. */
  history: readonly HistoryEntry[];
  /** Layers, bottom first. */
  diffIds: readonly Digest[];
  /** Members that are nobody else's, after `rootfs`. */
  extra?: Readonly<Record<string, unknown>>;
  /** Time of an image none of whose history has one, nanoseconds since 1970. */
  nowNs: bigint;
  /** SOURCE_DATE_EPOCH, nanoseconds since 1970: no time in the document is later, and `created` is exactly this. */
  epochNs?: bigint;
}

/**
 * Writes the configuration document of an image. Members are in the order in which BuildKit writes them (sorted on
 * the top level, by struct inside), empty ones left out, so that equal input gives equal bytes everywhere.
 */
export function buildImageConfig(parts: ImageParts): Document {
  const history = finishHistory(parts);
  const { platform, author, diffIds, epochNs } = parts;
  const created =
    epochNs === undefined ? (history.at(-1)?.created ?? formatTime(parts.nowNs)) : formatTime(epochNs);
  const bytes = Buffer.from(
    goJson({
      architecture: platform.architecture,
      author: author || undefined,
      config: orderedConfig(parts.config),
      created,
      history: history.length === 0 ? undefined : history,
      os: platform.os,
      'os.version': platform.osVersion || undefined,
      rootfs: { type: 'layers', diff_ids: diffIds },
      ...parts.extra,
      variant: platform.variant || undefined,
    }),
    'utf8',
  );
  return { bytes, digest: digestOf(bytes) };
}

/** Lines history up with the layers, fills in times and clamps them. */
function finishHistory(parts: ImageParts): HistoryEntry[] {
  const aligned = alignHistory(parts.history, parts.diffIds.length);
  const times = fillTimes(aligned, parts.nowNs);
  return aligned.map((entry, i) => orderedEntry(entry, clamp(times[i]!, parts.epochNs)));
}

/**
 * Every layer has exactly one entry that is not empty. A base image from elsewhere may have fewer entries than
 * layers (they are added at the bottom) or more (the oldest ones are marked empty).
 */
function alignHistory(history: readonly HistoryEntry[], layers: number): HistoryEntry[] {
  const filled = history.filter((entry) => entry.empty_layer !== true).length;
  if (filled < layers) {
    const added = Array.from(
      { length: layers - filled },
      (): HistoryEntry => ({ comment: 'slipway: no history' }),
    );
    return [...added, ...history];
  }
  let surplus = filled - layers;
  return history.map((entry) =>
    entry.empty_layer === true || surplus-- <= 0 ? entry : { ...entry, empty_layer: true },
  );
}

/**
 * Entries without a layer get the time of the layer below them, or, before the first layer of this build, of that
 * layer: a metadata line must not look as old as the base image (BuildKit's rule).
 */
function fillTimes(history: readonly HistoryEntry[], nowNs: bigint): string[] {
  const firstMissing = history.findIndex((entry) => entry.created === undefined);
  if (firstMissing === -1) return history.map((entry) => entry.created!);
  let current =
    history.slice(firstMissing).find((entry) => entry.created !== undefined)?.created ??
    history.findLast((entry) => entry.created !== undefined)?.created ??
    formatTime(nowNs);
  return history.map((entry, i) => {
    if (entry.created !== undefined && i > firstMissing) current = entry.created;
    return entry.created ?? current;
  });
}

function clamp(time: string, epochNs: bigint | undefined): string {
  if (epochNs === undefined) return time;
  const ns = parseTime(time);
  return ns === undefined || ns > epochNs ? formatTime(epochNs) : time;
}

function orderedEntry(entry: HistoryEntry, created: string): HistoryEntry {
  const { created_by, author, comment, empty_layer } = entry;
  return {
    created,
    ...(created_by ? { created_by } : {}),
    ...(author ? { author } : {}),
    ...(comment ? { comment } : {}),
    ...(empty_layer === true ? { empty_layer } : {}),
  };
}

/** The order of OCI's struct, then Docker's own members; what is empty is left out as Go's omitempty does. */
function orderedConfig(config: ContainerConfig): Record<string, unknown> {
  const members: [string, unknown][] = [
    ['User', config.User],
    ['ExposedPorts', config.ExposedPorts && sortedRecord(config.ExposedPorts)],
    ['Env', config.Env],
    ['Entrypoint', config.Entrypoint],
    ['Cmd', config.Cmd],
    ['Volumes', config.Volumes && sortedRecord(config.Volumes)],
    ['WorkingDir', config.WorkingDir],
    ['Labels', config.Labels && sortedRecord(config.Labels)],
    ['StopSignal', config.StopSignal],
    ['ArgsEscaped', config.ArgsEscaped],
    ['Healthcheck', config.Healthcheck && orderedHealthcheck(config.Healthcheck)],
    ['OnBuild', config.OnBuild],
    ['Shell', config.Shell],
  ];
  return Object.fromEntries(members.filter(([, value]) => !isEmpty(value)));
}

function orderedHealthcheck(check: NonNullable<ContainerConfig['Healthcheck']>): Record<string, unknown> {
  const { Test, Interval, Timeout, StartPeriod, StartInterval, Retries } = check;
  const members = Object.entries({ Test, Interval, Timeout, StartPeriod, StartInterval, Retries });
  return Object.fromEntries(members.filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === 0 || value === false) return true;
  // An empty Healthcheck is a pointer in Go: it is written as {}. None is made by the plan.
  return typeof value === 'object' && Object.keys(value).length === 0;
}
