import { sortedRecord } from './go-json.ts';
import { ZERO_TIME } from './time.ts';
import type { ContainerConfig, Digest, ImageConfig } from './types.ts';

/** What is known of an image besides its configuration. */
export interface InspectFacts {
  id: Digest;
  /** As people write them: `debian:12`. */
  repoTags: readonly string[];
  /** `debian@sha256:…`. */
  repoDigests: readonly string[];
  parent?: Digest;
  /** Bytes of all layers' files. */
  size: number;
  /** RFC 3339. */
  lastTagTime?: string;
  /** Directories of the layers, top first. */
  layerDirectories: readonly string[];
}

/** The document that `docker image inspect` prints for one image, members in its order. */
export function inspectImage(config: ImageConfig, facts: InspectFacts): Record<string, unknown> {
  const last = config.history?.at(-1);
  const [upper, ...lower] = facts.layerDirectories;
  return {
    Id: facts.id,
    RepoTags: [...facts.repoTags],
    RepoDigests: [...facts.repoDigests],
    Parent: facts.parent ?? '',
    Comment: last?.comment ?? '',
    Created: config.created ?? ZERO_TIME,
    DockerVersion: '',
    Author: config.author ?? last?.author ?? '',
    Config: inspectConfig(config.config),
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    ...(config['os.version'] === undefined ? {} : { OsVersion: config['os.version'] }),
    Size: facts.size,
    GraphDriver: {
      Data: {
        ...(lower.length === 0 ? {} : { LowerDir: lower.join(':') }),
        ...(upper === undefined ? {} : { UpperDir: upper }),
      },
      Name: 'overlay',
    },
    RootFS: {
      Type: 'layers',
      ...(config.rootfs.diff_ids.length === 0 ? {} : { Layers: config.rootfs.diff_ids }),
    },
    Metadata: { LastTagTime: facts.lastTagTime ?? ZERO_TIME },
  };
}

/** Docker's container.Config: what an image cannot say is there with its zero value. */
function inspectConfig(config: ContainerConfig): Record<string, unknown> {
  return {
    Hostname: '',
    Domainname: '',
    User: config.User ?? '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ...(config.ExposedPorts === undefined ? {} : { ExposedPorts: sortedRecord(config.ExposedPorts) }),
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: config.Env ?? null,
    Cmd: config.Cmd ?? null,
    ...(config.Healthcheck === undefined ? {} : { Healthcheck: config.Healthcheck }),
    ...(config.ArgsEscaped === true ? { ArgsEscaped: true } : {}),
    Image: '',
    Volumes: config.Volumes === undefined ? null : sortedRecord(config.Volumes),
    WorkingDir: config.WorkingDir ?? '',
    Entrypoint: config.Entrypoint ?? null,
    OnBuild: config.OnBuild ?? null,
    Labels: config.Labels === undefined ? null : sortedRecord(config.Labels),
    ...(config.StopSignal === undefined ? {} : { StopSignal: config.StopSignal }),
    ...(config.Shell === undefined ? {} : { Shell: config.Shell }),
  };
}
