/** `sha256:` and 64 hex digits. */
export type Digest = string;

/** OCI platform: normalised as containerd does (`linux/arm64` without v8). */
export interface Platform {
  os: string;
  architecture: string;
  variant?: string;
  osVersion?: string;
}

/** Durations in nanoseconds, as Docker stores them. `test` is `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", text]`. */
export interface Healthcheck {
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

/** The `config` object of an image (OCI image-spec config.md, with Docker's own fields). Field names as on disk. */
export interface ContainerConfig {
  User?: string;
  ExposedPorts?: Record<string, Record<string, never>>;
  Env?: string[];
  Entrypoint?: string[] | null;
  Cmd?: string[] | null;
  Volumes?: Record<string, Record<string, never>>;
  WorkingDir?: string;
  Labels?: Record<string, string>;
  StopSignal?: string;
  ArgsEscaped?: boolean;
  Healthcheck?: Healthcheck;
  OnBuild?: string[] | null;
  Shell?: string[];
}

/** One entry of `history`. `created` is RFC 3339. */
export interface HistoryEntry {
  created?: string;
  created_by?: string;
  author?: string;
  comment?: string;
  empty_layer?: boolean;
}

/** A whole image configuration document (OCI image-spec config.md). */
export interface ImageConfig {
  created?: string;
  author?: string;
  architecture: string;
  variant?: string;
  os: string;
  'os.version'?: string;
  config: ContainerConfig;
  rootfs: { type: 'layers'; diff_ids: Digest[] };
  history?: HistoryEntry[];
}

/** OCI content descriptor. `size` in bytes. */
export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  platform?: { os: string; architecture: string; variant?: string };
  annotations?: Readonly<Record<string, string>>;
  /** What the document behind it is, where that is no image (OCI image-spec 1.1). */
  artifactType?: string;
  /** Where else the content can be had: layers that may not be distributed by registries. */
  urls?: readonly string[];
}

/** OCI image manifest, or Docker's schema 2, which has the same shape. */
export interface ImageManifest {
  schemaVersion: 2;
  mediaType?: string;
  config: Descriptor;
  layers: Descriptor[];
  annotations?: Record<string, string>;
}

/** Annotations of an image, by the document that they are written into. */
export interface ImageAnnotations {
  manifest?: Readonly<Record<string, string>>;
  /** The manifest's descriptor in the index of a layout. */
  manifestDescriptor?: Readonly<Record<string, string>>;
  /** The index of an image for several platforms, and its descriptor in the index of a layout. */
  index?: Readonly<Record<string, string>>;
  indexDescriptor?: Readonly<Record<string, string>>;
  /** Those of one platform alone, by its name. */
  platforms?: Readonly<Record<string, Pick<ImageAnnotations, 'manifest' | 'manifestDescriptor'>>>;
}
