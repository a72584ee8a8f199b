import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { imageForExport } from '../../src/export/image-source.ts';
import type { ExportImage } from '../../src/export/types.ts';
import { findImage } from '../../src/store/find-image.ts';
import type { LeaseId } from '../../src/store/layout.ts';
import type { Store } from '../../src/store/store.ts';
import { makeImage, makeLayer } from '../store/support.ts';

/**
 * An image of two layers. With `program`, a static binary of the host is in it as /bin/busybox, and the image's
 * command prints /etc/motd.
 */
export function helloImage(store: Store, lease: LeaseId, tags: string[], program?: string): string {
  const bottom = makeLayer(store, lease, {
    'etc/motd': 'old',
    'data/a': 'a'.repeat(3000),
    'data/big': '0123456789abcdef'.repeat(200_000),
    'odd/\u00fc \n name': 'x',
    ...(program === undefined ? {} : { 'bin/busybox': { copy: program } }),
  });
  const top = makeLayer(store, lease, { 'etc/motd': 'hello from slipway\n', 'empty/dir': null });
  return makeImage(store, [bottom, top], {
    tags,
    config: { Env: ['PATH=/bin'], Cmd: ['/bin/busybox', 'cat', '/etc/motd'], WorkingDir: '/' },
  });
}

export function exported(store: Store, ...names: string[]): ExportImage[] {
  return names.map((name) => {
    const { image, name: full } = findImage(store, name);
    return imageForExport(store, image.id, full === undefined ? [] : [full]);
  });
}

export function listTar(archive: string): string {
  return execFileSync('tar', ['-tvf', archive, '--full-time', '--utc', '--numeric-owner'], {
    encoding: 'utf8',
  });
}

/** Names under a directory, sorted, links as `name -> text`. */
export function tree(directory: string): string[] {
  return fs
    .readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((path) => {
      const stat = fs.lstatSync(join(directory, path));
      if (stat.isSymbolicLink()) return `${path} -> ${fs.readlinkSync(join(directory, path))}`;
      return stat.isDirectory() ? `${path}/` : path;
    });
}
