import { isSha256Digest } from './digest.ts';
import {
  asBoolean,
  asInteger,
  asList,
  asObject,
  asRecord,
  asString,
  invalid,
  type JsonObject,
  optional,
  parseJsonObject,
} from './json-guard.ts';
import { parseTime } from './time.ts';
import type { ContainerConfig, Digest, Healthcheck, HistoryEntry, ImageConfig } from './types.ts';

/** Most layers of an image that are accepted; engines build at most a few hundred. */
export const MAX_LAYERS = 4096;

/**
 * Reads and checks the configuration document of an image, which may come from anywhere. Members we don't know
 * are ignored; the caller keeps the bytes. `null` counts as absent, as Go writes it for empty lists.
 *
 * @throws SlipwayError `DOCUMENT_INVALID`, `DOCUMENT_TOO_LARGE`.
 */
export function parseImageConfig(bytes: Buffer): ImageConfig {
  const what = 'image config';
  const root = parseJsonObject(bytes, what);
  const rootfs = asObject(root.rootfs, `${what}.rootfs`);
  const diffIds = asList(rootfs.diff_ids ?? [], `${what}.rootfs.diff_ids`, asDigest);
  if (diffIds.length > MAX_LAYERS) throw invalid(`${what} has more than ${MAX_LAYERS} layers`);
  return {
    ...optional(root, 'created', what, asTime),
    ...optional(root, 'author', what, asString),
    architecture: asString(root.architecture ?? '', `${what}.architecture`),
    ...optional(root, 'variant', what, asString),
    os: asString(root.os ?? '', `${what}.os`),
    ...optional(root, 'os.version', what, asString),
    config: root.config == null ? {} : asContainerConfig(root.config, `${what}.config`),
    rootfs: { type: 'layers', diff_ids: diffIds },
    ...optional(root, 'history', what, (value, where) => asList(value, where, asHistoryEntry)),
  };
}

/** Checks the `config` object of an image. */
function asContainerConfig(value: unknown, where: string): ContainerConfig {
  const object = asObject(value, where);
  return {
    ...optional(object, 'User', where, asString),
    ...optional(object, 'ExposedPorts', where, asSet),
    ...optional(object, 'Env', where, asStrings),
    ...optional(object, 'Entrypoint', where, asStrings),
    ...optional(object, 'Cmd', where, asStrings),
    ...optional(object, 'Volumes', where, asSet),
    ...optional(object, 'WorkingDir', where, asString),
    ...optional(object, 'Labels', where, (labels, at) => asRecord(labels, at, asString)),
    ...optional(object, 'StopSignal', where, asString),
    ...optional(object, 'ArgsEscaped', where, asBoolean),
    ...optional(object, 'Healthcheck', where, asHealthcheck),
    ...optional(object, 'OnBuild', where, asStrings),
    ...optional(object, 'Shell', where, asStrings),
  };
}

function asHealthcheck(value: unknown, where: string): Healthcheck {
  const object = asObject(value, where);
  return {
    ...optional(object, 'Test', where, asStrings),
    ...optional(object, 'Interval', where, asInteger),
    ...optional(object, 'Timeout', where, asInteger),
    ...optional(object, 'StartPeriod', where, asInteger),
    ...optional(object, 'StartInterval', where, asInteger),
    ...optional(object, 'Retries', where, asInteger),
  };
}

function asHistoryEntry(value: unknown, where: string): HistoryEntry {
  const object: JsonObject = asObject(value, where);
  return {
    ...optional(object, 'created', where, asTime),
    ...optional(object, 'created_by', where, asString),
    ...optional(object, 'author', where, asString),
    ...optional(object, 'comment', where, asString),
    ...optional(object, 'empty_layer', where, asBoolean),
  };
}

function asStrings(value: unknown, where: string): string[] {
  return asList(value, where, asString);
}

/** Go's `map[string]struct{}`. */
function asSet(value: unknown, where: string): Record<string, Record<string, never>> {
  return asRecord(value, where, () => ({}));
}

function asTime(value: unknown, where: string): string {
  const text = asString(value, where);
  if (parseTime(text) === undefined) throw invalid(`${where} is not an RFC 3339 time`);
  return text;
}

function asDigest(value: unknown, where: string): Digest {
  const text = asString(value, where);
  if (!isSha256Digest(text)) throw invalid(`${where} is not a sha256 digest`);
  return text;
}
