import { resolve } from 'node:path';
import type { ContextSource } from '../../context/context-source.ts';
import type { RemoteAccess } from '../../context/remote-access.ts';
import { SlipwayError } from '../../errors/index.ts';
import { formatPlatform } from '../../image/platform.ts';
import { isLocalPlace, type LocalPlace } from '../../image/transport.ts';
import type { Digest, Platform } from '../../image/types.ts';
import type { NamedContext, ResolvedImage } from '../../plan/options.ts';
import { imageDocuments } from '../../store/images.ts';
import type { Store } from '../../store/store.ts';
import { type NamedContextSpec, parseNamedContexts, type TargetContext } from './named-context.ts';
import { plannedContexts } from './planned-contexts.ts';
import { readXattrs } from './read-xattrs.ts';

export interface NamedContextsOptions {
  contexts: Readonly<Record<string, string | TargetContext>>;
  store: Store;
  cwd: string;
  indexDirectory: string;
  access: () => Promise<RemoteAccess>;
  /** Loads one image of a layout or archive that lies at a path into the store; gives its id. */
  loadPlace: (place: LocalPlace, path: string, platform: Platform) => Promise<Digest>;
  /** What a Dockerfile names itself. Errors as `placeInContext`. */
  placeInContext: (name: string) => Promise<{ place: LocalPlace; path: string }>;
  /** Builds another target into the store; gives the image's id. */
  buildTarget: (name: string, build: TargetContext['build'], platform: Platform) => Promise<Digest>;
}

/** The named contexts of a build. Each is opened when something reads it, and then once. */
export class NamedContexts {
  readonly #options: NamedContextsOptions;
  readonly #specs: ReadonlyMap<string, NamedContextSpec>;
  readonly #files = new Map<string, Promise<ContextSource>>();
  readonly #images = new Map<string, Promise<ResolvedImage>>();

  constructor(options: NamedContextsOptions) {
    this.#options = options;
    this.#specs = parseNamedContexts(options.contexts);
  }

  /** For the plan: what each name stands for. */
  planned(): Map<string, NamedContext> {
    return plannedContexts(this.#specs);
  }

  /** The files of a context of files. Throws as `openRemoteContext` and `openDirectoryContext`. */
  files(name: string): Promise<ContextSource> {
    let opened = this.#files.get(name);
    if (opened === undefined) {
      opened = this.#openFiles(name);
      this.#files.set(name, opened);
    }
    return opened;
  }

  /** The image that a layout, an archive or another build gives for a platform; `name` may be a place of the Dockerfile. */
  image(name: string, platform: Platform): Promise<ResolvedImage> {
    const key = `${name} ${formatPlatform(platform)}`;
    let found = this.#images.get(key);
    if (found === undefined) {
      found = this.#makeImage(name, platform);
      this.#images.set(key, found);
    }
    return found;
  }

  async close(): Promise<void> {
    for (const opened of await Promise.allSettled(this.#files.values()))
      if (opened.status === 'fulfilled') opened.value.close();
  }

  async #openFiles(name: string): Promise<ContextSource> {
    const { access, cwd, indexDirectory } = this.#options;
    const spec = this.#specs.get(name);
    if (spec?.kind !== 'files') throw unknown(name);
    const { argument } = spec;
    const { looksRemote } = await import('../../context/looks-remote.ts');
    if (looksRemote(argument)) {
      const { openRemoteContext } = await import('../../context/remote-context.ts');
      const opened = await openRemoteContext(argument, {
        access: await access(),
        cwd,
        indexDirectory,
        readXattrs,
      });
      if (opened !== undefined && 'context' in opened) return opened.context;
      if (opened !== undefined) {
        const { openFileContext } = await import('../../context/web/file-context.ts');
        return openFileContext(argument, await access());
      }
      if (/^[a-zA-Z0-9]+:\/\//.test(argument)) throw badScheme(name, argument);
    }
    const { openDirectoryContext } = await import('../../context/directory-context.ts');
    return openDirectoryContext({
      root: resolve(cwd, argument),
      description: argument,
      indexDirectory,
      readXattrs,
    });
  }

  async #makeImage(name: string, platform: Platform): Promise<ResolvedImage> {
    const { store } = this.#options;
    const id = await this.#imageId(name, platform);
    const documents = imageDocuments(store, id);
    if (documents === undefined) throw unknown(name);
    return { imageId: id, config: documents.parsed, diffIds: documents.parsed.rootfs.diff_ids };
  }

  async #imageId(name: string, platform: Platform): Promise<Digest> {
    const { cwd, loadPlace, placeInContext, buildTarget } = this.#options;
    const spec = this.#specs.get(name);
    if (spec?.kind === 'target') return buildTarget(name, spec.build, platform);
    if (spec?.kind === 'layout') return loadPlace(spec, resolve(cwd, spec.path), platform);
    if (spec !== undefined || !isLocalPlace(name)) throw unknown(name);
    const { place, path } = await placeInContext(name);
    return loadPlace(place, path, platform);
  }
}

function unknown(name: string): SlipwayError {
  return new SlipwayError('internal', `the build context ${name} is not known`, { code: 'NAMED_CONTEXT' });
}

function badScheme(name: string, argument: string): SlipwayError {
  const [scheme] = argument.split(':', 1);
  return new SlipwayError('unsupported', `unsupported context source ${scheme} for ${name}`, {
    code: 'CONTEXT_SCHEME',
    hint: 'It may be a directory, a git repository, an archive (https, http), docker-image://, oci-layout://, oci-archive:, docker-archive: or target:.',
  });
}
