import { statSync } from 'node:fs';
import { posix } from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import {
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
} from '../sys/constants.ts';
import { resolveInside } from './path-inside.ts';
import type { Mount } from './types.ts';

/** mount(8)'s words, told apart. */
export interface MountOptions {
  /** `MOUNT_ATTR_*` to set. */
  attributes: number;
  /** A bind mount with everything mounted below its source. */
  recursive: boolean;
  /** `dev` was said: device nodes on it work. */
  devices: boolean;
  /** Options of the file system itself; a flag has no value. */
  data: { key: string; value: string | undefined }[];
}

const attributeWords: Record<string, number | undefined> = {
  ro: MOUNT_ATTR_RDONLY,
  nosuid: MOUNT_ATTR_NOSUID,
  nodev: MOUNT_ATTR_NODEV,
  noexec: MOUNT_ATTR_NOEXEC,
  noatime: MOUNT_ATTR_NOATIME,
  nosymfollow: MOUNT_ATTR_NOSYMFOLLOW,
};

/** Words that say what is so anyway: every mount of a container is private and starts writable. */
const plainWords = new Set('rw suid exec defaults relatime bind private rprivate slave rslave'.split(' '));

/** Reads mount options. A shared propagation is refused: a mount in a container must not reach the host. */
export function parseMountOptions(words: readonly string[]): MountOptions {
  const options: MountOptions = { attributes: 0, recursive: false, devices: false, data: [] };
  for (const word of words) {
    const attribute = attributeWords[word];
    if (attribute !== undefined) options.attributes |= attribute;
    else if (word === 'rbind') options.recursive = true;
    else if (word === 'dev') options.devices = true;
    else if (/^r?(shared|unbindable)$/.test(word)) {
      throw new SlipwayError('unsupported', `a container's mount cannot be ${word}`, {
        code: 'MOUNT_PROPAGATION',
      });
    } else if (!plainWords.has(word)) {
      const [key = '', ...value] = word.split('=');
      options.data.push({ key, value: value.length ? value.join('=') : undefined });
    }
  }
  return options;
}

/** Whether a mount needs a directory as its mount point. An absent source shows as an error when it is mounted. */
export function needsDirectory(mount: Mount): boolean {
  if (mount.type !== 'bind') return true;
  const { source = '/', sourceRoot } = mount;
  const inside = sourceRoot === undefined ? source : resolveInside(sourceRoot, source);
  if (inside === undefined) return true;
  return statSync(posix.join(sourceRoot ?? '/', inside), { throwIfNoEntry: false })?.isDirectory() ?? true;
}
