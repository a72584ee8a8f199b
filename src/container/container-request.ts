import type { Platform } from '../image/types.ts';

/** A container as the worker gets it: plain data, image and command line merged by the front. */
export interface ContainerRequest {
  id: string;
  /** Layers of the image, base first. */
  layers: string[];
  /** What the image says that its programs are for. */
  platform: Platform;
  args: string[];
  env: string[];
  cwd: string;
  /** As `USER` and `-u` say it. */
  user: string;
  hostname: string;
  volumes: Volume[];
  network: 'host' | 'none';
  interactive: boolean;
  /** Size of the caller's terminal, when the container gets one. */
  terminal: { rows: number; columns: number } | undefined;
}

/** A bind mount from the machine. */
export interface Volume {
  /** Absolute; made as a directory when it does not exist, as Docker does. */
  source: string;
  /** Absolute, in the container. */
  target: string;
  readOnly: boolean;
}
