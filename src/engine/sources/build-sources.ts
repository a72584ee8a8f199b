import { resolve } from 'node:path';
import type { ContextSource } from '../../context/context-source.ts';
import type { RemoteAccess } from '../../context/remote-access.ts';
import type { Platform } from '../../image/types.ts';
import type { ResolvedImage, TimeSource } from '../../plan/options.ts';
import type { BuildEvent } from '../../progress/events.ts';
import type { Store } from '../../store/store.ts';
import type { BuildOptions, BuildResult } from '../options.ts';
import type { Secrets } from '../secrets.ts';
import type { SshAgents } from '../ssh/agents.ts';
import { type BuildInput, openBuildInput } from './build-input.ts';
import type { FetchedSources } from './fetched-sources.ts';
import { contextName } from './named-context.ts';
import type { NamedContexts } from './named-contexts.ts';
import { RemoteBases } from './remote-bases.ts';

export interface BuildSourcesOptions {
  options: BuildOptions;
  store: Store;
  env: NodeJS.ProcessEnv;
  secrets: Secrets;
  agents: SshAgents;
  emit: (event: BuildEvent) => void;
  /** Builds another target, for named contexts that are one. */
  build: (options: BuildOptions) => Promise<BuildResult>;
  signal: AbortSignal;
}

/**
 * Everything that a build reads from outside its store: context and Dockerfile, named contexts, what ADD fetches. Each
 * is opened, and the modules for it loaded, when something asks for it; `close` gives all of them back.
 */
export class BuildSources {
  readonly #options: BuildSourcesOptions;
  readonly #indexDirectory: string;
  #access: Promise<RemoteAccess> | undefined;
  #named: Promise<NamedContexts> | undefined;
  #fetched: Promise<FetchedSources> | undefined;
  #input: BuildInput | undefined;
  #bases: RemoteBases | undefined;

  constructor(options: BuildSourcesOptions) {
    this.#options = options;
    this.#indexDirectory = resolve(options.store.root, 'contexts');
  }

  /** Context and Dockerfile. Errors as `openContext`. */
  async open(): Promise<BuildInput> {
    const { options, env, signal } = this.#options;
    const access = (): Promise<RemoteAccess> => this.access();
    this.#input = await openBuildInput({
      options,
      env,
      indexDirectory: this.#indexDirectory,
      access,
      signal,
    });
    return this.#input;
  }

  /** The build context, or the files of a named one. */
  async context(name: string | undefined): Promise<ContextSource> {
    if (name === undefined) return this.#input!.context;
    return await (await this.named())!.files(name);
  }

  /** The named contexts; undefined when there are none. */
  async named(): Promise<NamedContexts | undefined> {
    const { options } = this.#options;
    if (Object.keys(options.buildContexts ?? {}).length === 0) return undefined;
    return await this.#namedContexts();
  }

  /** The image that a named context is, or a place that the Dockerfile names. */
  async contextImage(name: string, platform: Platform): Promise<ResolvedImage> {
    return (await this.#namedContexts()).image(name, platform);
  }

  /** The time of what is fetched, in seconds since 1970; directories and images have none (SPEC 1.6). */
  async timeOf(source: TimeSource): Promise<number | undefined> {
    const { fetchedContext, fetchedTime } = await import('./source-time.ts');
    if (source.kind === 'remote') return await fetchedTime(source.source, await this.access());
    const { options } = this.#options;
    const named = source.name === undefined ? options.context : this.#namedValue(source.name);
    const fetched = fetchedContext(named ?? '', resolve(options.cwd ?? '.'));
    return fetched && (await fetchedTime(fetched, await this.access()));
  }

  /** The text of a named context as it was given. */
  #namedValue(name: string): string | undefined {
    const given = Object.entries(this.#options.options.buildContexts ?? {});
    const value = given.find(([key]) => key === name || contextName(key) === name)?.[1];
    return typeof value === 'string' ? value : undefined;
  }

  /** The images that the Dockerfile names. */
  bases(emit: (event: BuildEvent) => void): RemoteBases {
    const { options, store, env, signal } = this.#options;
    this.#bases ??= new RemoteBases({
      store,
      env,
      signal,
      policy: options.pull,
      access: options.registries,
      emit,
      tellsLookUps: this.#options.options.progress?.internals !== true,
    });
    return this.#bases;
  }

  /** What ADD fetches. */
  async fetched(): Promise<FetchedSources> {
    this.#fetched ??= (async () => {
      const { FetchedSources } = await import('./fetched-sources.ts');
      return new FetchedSources({ access: await this.access(), indexDirectory: this.#indexDirectory });
    })();
    return await this.#fetched;
  }

  async access(): Promise<RemoteAccess> {
    this.#access ??= import('./remote-access.ts').then(({ remoteAccess }) => remoteAccess(this.#options));
    return await this.#access;
  }

  async close(): Promise<void> {
    this.#input?.context.close();
    await this.#bases?.close();
    await (await this.#named?.catch(() => undefined))?.close();
    (await this.#fetched?.catch(() => undefined))?.close();
    (await this.#access?.catch(() => undefined))?.kept.close();
  }

  async #namedContexts(): Promise<NamedContexts> {
    this.#named ??= this.#openNamed();
    return await this.#named;
  }

  async #openNamed(): Promise<NamedContexts> {
    const [{ NamedContexts }, { buildTarget }] = await Promise.all([
      import('./named-contexts.ts'),
      import('./build-target.ts'),
    ]);
    const { options, store, env, signal, build: run } = this.#options;
    const cwd = resolve(options.cwd ?? '.');
    return new NamedContexts({
      contexts: options.buildContexts ?? {},
      store,
      cwd,
      indexDirectory: this.#indexDirectory,
      access: () => this.access(),
      loadPlace: async (place, path, platform) => {
        const { loadPlace } = await import('./load-place.ts');
        return loadPlace(place, { path, store, env, options, platform, signal });
      },
      placeInContext: async (name) => {
        const { placeInContext } = await import('./named-place.ts');
        return placeInContext(name, this.#input!.context);
      },
      buildTarget: (name, build, platform) =>
        buildTarget({ name, build, outer: { ...options, platform, env, cwd, signal } }, run),
    });
  }
}
