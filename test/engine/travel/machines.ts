import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../../src/image/digest.ts';
import { OCI } from '../../../src/image/media-types.ts';
import { type BuildEvent, type BuildOptions, type BuildResult, build } from '../../../src/index.ts';
import { makeBaseRootfs } from '../../../tools/base/base.ts';
import type { ProxiedRegistry } from '../../registry/proxied-registry.ts';
import { type MadeImage, pushMade } from '../../registry/remote-images.ts';

/** A build with all that it told. */
export interface Done extends BuildResult {
  events: BuildEvent[];
  /** What the steps printed. */
  output: string;
  warnings_: string[];
}

/** Machines that share nothing but a registry: each has a store of its own. */
export interface Machines {
  /** Puts an image with a shell into the registry, as `HOST/base`. */
  pushBase(): Promise<MadeImage>;
  /** Writes a build context; gives its path. */
  context(files: Readonly<Record<string, string>>): string;
  /** `HOST` in a Dockerfile is the proxy before the registry. */
  build(machine: string, context: string, more?: Partial<BuildOptions>): Promise<Done>;
  /** The directory of a machine's store in the test that runs. */
  root(machine: string): string;
}

export function machines(place: ProxiedRegistry): Machines {
  let contexts = 0;
  const root = (machine: string): string => `${place.root}-${machine}`;
  return {
    root,
    async pushBase() {
      const { tar } = await makeBaseRootfs();
      const layer = { diffId: digestOf(tar), blob: gzipSync(tar, { level: 1 }), mediaType: OCI.layerGzip };
      return pushMade(place.client, 'base', [layer], { tag: 'latest', config: { Env: ['PATH=/bin'] } });
    },
    context(files) {
      const path = join(place.folder, `context-${contexts++}`);
      for (const [name, content] of Object.entries(files)) {
        mkdirSync(dirname(join(path, name)), { recursive: true });
        writeFileSync(join(path, name), content.replaceAll('HOST', place.proxy.host));
      }
      return path;
    },
    async build(machine, context, more = {}) {
      const events: BuildEvent[] = [];
      const result = await build({
        context,
        root: root(machine),
        env: { PATH: process.env.PATH, HOME: '/nowhere', SLIPWAY_RETRY_DELAY_MS: '1' },
        runtime: 'embedded',
        pull: 'missing',
        tags: ['result'],
        progress: { event: (event) => void events.push(event), close: async () => {} },
        ...more,
      });
      const output = events
        .flatMap((event) => (event.type === 'log' ? [Buffer.from(event.data).toString()] : []))
        .join('');
      const warnings_ = events.flatMap((event) =>
        event.type === 'warning' && event.code.startsWith('CACHE') ? [event.message] : [],
      );
      return { ...result, events, output, warnings_ };
    },
  };
}
