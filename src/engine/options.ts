import type { IgnoreFrom } from '../context/directory-context.ts';
import type { EarlyWorker } from '../execute/early-worker.ts';
import type { RunSettings } from '../execute/executor.ts';
import type { Descriptor, Digest, Platform } from '../image/types.ts';
import type { BuildWarning } from '../plan/types.ts';
import type { ProgressSink } from '../progress/sink.ts';
import type { ImageOptions } from './image-options.ts';
import type { BuildOutput } from './output-options.ts';
import type { RegistryAccess } from './registry-access.ts';
import type { SecretSource } from './secrets.ts';
import type { TargetContext } from './sources/named-context.ts';
import type { PullPolicy } from './sources/remote-bases.ts';
import type { SshSource } from './ssh/agents.ts';
import type { CacheFrom, CacheTo } from './travel/options.ts';

/** One of several stages to build. */
export interface BuildTarget {
  /** Its name. */
  stage: string;
  /** Names for its image: `name[:tag]`. */
  tags?: readonly string[];
  outputs?: readonly BuildOutput[];
}

export interface BuildOptions extends ImageOptions {
  /**
   * A directory; a git repository (`https://…/x.git#ref:subdir`, `git@host:path`, `x.git`); the URL of an archive or of
   * a Dockerfile; `-` reads a Dockerfile or an archive from `stdin`.
   */
  context: string;
  /**
   * Named contexts, which stand for stages and images of their names: a directory, a git repository, the URL of an
   * archive, `docker-image://NAME`, `oci-layout://PATH[:TAG][@DIGEST]`,
   * `oci-archive:PATH[:TAG]`, `docker-archive:PATH[:NAME]`, `target:DIRECTORY[#STAGE]`, or another build. A
   * platform may stand behind the name: `base::linux/arm64`.
   */
  buildContexts?: Readonly<Record<string, string | TargetContext>>;
  /**
   * Path of the Dockerfile, relative to the working directory (of what is fetched or unpacked, to its root), or a URL;
   * `-` reads it from `stdin`. Default: the context's.
   */
  file?: string | undefined;
  /**
   * `gitignore`: of a context that is a directory, what its `.gitignore` files hide is left out too, unless a `!` line
   * of the ignore file shows it again.
   */
  ignoreFrom?: IgnoreFrom | undefined;
  /** The Dockerfile's text itself, in place of a file. */
  dockerfile?: string;
  /** Names for the image: `name[:tag]`. */
  tags?: readonly string[];
  /** Stage to build; default the last. */
  target?: string | undefined;
  /**
   * Several stages to build in one go, each with names and outputs of its own; in place of `target`, `tags` and
   * `outputs`. What they share runs once.
   */
  targets?: readonly BuildTarget[] | undefined;
  /** Build every stage of the file too, needed or not: tests and checks that nothing depends on. */
  allStages?: boolean | undefined;
  buildArgs?: Readonly<Record<string, string>>;
  /**
   * What `RUN --mount=type=secret` may ask for, by id; at most 500 KiB each. The content reaches no layer, no key, no
   * history and no record.
   */
  secrets?: Readonly<Record<string, SecretSource>>;
  /**
   * What `RUN --mount=type=ssh` may ask for, by id: the path of an agent's socket, or of private keys. A step can list
   * keys and sign with them, and never sees one.
   */
  ssh?: Readonly<Record<string, SshSource>>;
  /** What steps may have beyond the usual: `network.host`, `security.insecure`, `device`, `device=NAME`. */
  allow?: readonly string[];
  /** Read the Dockerfile as Docker's whatever frontend its `syntax` line asks for. */
  ignoreSyntax?: boolean;
  /** Run all steps again, or those of the named stages. */
  noCache?: boolean | readonly string[];
  /** Network of RUN without `--network`. Default: `default`, which reaches outside. */
  network?: 'default' | 'none' | 'host';
  /** What every RUN gets beside what its line says: hosts, limits, a cgroup. */
  steps?: RunSettings;
  platform?: Platform;
  /** Several platforms, in place of `platform`: the result is an index of an image for each. */
  platforms?: readonly Platform[] | undefined;
  /**
   * When registries are asked for the images that the Dockerfile names: for all of them, for those that the store does
   * not have, or never. Default: what SLIPWAY_PULL says, else `missing`.
   */
  pull?: PullPolicy | undefined;
  /** Who reaches registries. Default: as this user has configured Docker or Podman. */
  registries?: Pick<RegistryAccess, 'credentials' | 'insecure'> | undefined;
  /**
   * COPY and ADD give files of the context 0644 or 0755 and directories 0755, as git knows modes: the umask of a
   * checkout neither shows in the image nor makes a step run again. Default: modes as they are, as in Docker.
   */
  normalizeModes?: boolean | undefined;
  /** Steps that run at the same time. Default: one for each processor. */
  jobs?: number | undefined;
  /**
   * Bytes of memory that the steps that run at the same time may need together, by what each needed at its peak
   * last time (256 MiB for a RUN that was not measured yet). One always runs. Default: no limit.
   */
  memoryBudget?: number | undefined;
  outputs?: readonly BuildOutput[];
  /**
   * Caches to look into for results that the store does not have, in this order. Whoever may write to one decides what
   * the build's steps are; one that is missing is a warning.
   */
  cacheFrom?: readonly CacheFrom[];
  /** Caches to leave, once the image is where it belongs. */
  cacheTo?: readonly CacheTo[];
  /** Told of the images when they are where they belong, before caches are exported. */
  onResult?: (result: BuildResult) => void | Promise<void>;
  /** Keep the image in the store. Default: true, but false when `outputs` say where it goes and there is no tag. */
  store?: boolean;
  /** The store's directory; default as `defaultStoreRoot`. */
  root?: string | undefined;
  runtime?: 'auto' | 'crun' | 'runc' | 'embedded';
  /**
   * `auto`: namespaces, and a user namespace for whoever is not root. `none`: none at all, where a container's root
   * can have none; RUN is then kept apart by chroot alone. Default `auto`.
   */
  isolation?: 'auto' | 'none' | undefined;
  /** A worker that was started for this build before it was known in all; the caller discards it in the end. */
  early?: EarlyWorker | undefined;
  /**
   * Make an image of every line, as the classic builder does: events name them, and they stay in the store without a
   * name, also those of a build that fails.
   */
  lines?: boolean | undefined;
  progress?: ProgressSink;
  /** Told the name under which the build's record is kept, before anything happens. */
  onStart?: (buildId: string) => void;
  signal?: AbortSignal;
  /** Default: `process.env`, of which PATH, HOME, TMPDIR, XDG_DATA_HOME and SOURCE_DATE_EPOCH count. */
  env?: NodeJS.ProcessEnv;
  /** For `-` as context or file; default `process.stdin`. */
  stdin?: AsyncIterable<Buffer>;
  /** What relative paths are relative to. Default: the working directory. */
  cwd?: string;
}

/** An image that a build has made. */
export interface BuiltImage {
  /** Its stage, as progress shows it. */
  stage: string;
  /** Of the manifest that the first `docker` or `oci` output holds. */
  manifest?: Descriptor;
  /** `sha256:…` of its configuration. */
  imageId: string;
  /** Normalised names that it got. */
  tags: string[];
  platform: Platform;
  /** Digest of the index that it is, where it is for several platforms, and the image for each. */
  index?: Digest;
  variants?: { platform: Platform; imageId: Digest }[];
  /** Its time, RFC 3339. */
  created?: string;
  /** It is in the store. */
  stored: boolean;
}

export interface BuildResult {
  /** Names the record of this build. */
  buildId: string;
  /** `sha256:…` of the image's configuration; of several targets the last one's. */
  imageId: string;
  /** Normalised names that it got. */
  tags: string[];
  /** All targets, in the order asked for. */
  images: BuiltImage[];
  warnings: BuildWarning[];
  /** Names in `buildArgs` that no ARG asks for, sorted. */
  unusedBuildArgs: string[];
  /** Steps that ran, and steps whose recorded result was used. */
  ran: number;
  reused: number;
  /** Stages that were needed, in order, with the sum of their files' sizes in bytes. */
  stages: { name: string; size: number }[];
}
