import type { Tier } from '../isolation.ts';

/** File descriptor of the protocol's socket in the worker. */
export const PROTOCOL_FD = 3;

/** First message of the front: where and how the worker works. */
export interface WorkerInit {
  version: number;
  /** Absolute path of the store. */
  store: string;
  /** Lease of this front: the worker holds the lock of `locks/<lease>` as long as it lives. */
  lease: string;
  /** How far it is isolated. */
  tier: Tier;
  /** Overlayfs and layers keep their marks in `user.*` attributes: the worker is not root of the machine. */
  userNamespace: boolean;
  /** Marks processes of its containers where they have no pid namespace. */
  mark: number;
  runtime: 'auto' | 'crun' | 'runc' | 'embedded';
}

/** The worker's answer. */
export interface WorkerReady {
  /** Process id as the worker sees itself. */
  pid: number;
  /** The kernel lets it mount a /proc of its own pid namespace. */
  ownProc: boolean;
}
