/** First message of the front: where and how the worker works. */
export interface WorkerInit {
  version: number;
  /** Absolute path of the store. */
  store: string;
  /** Lease of this front: the worker holds the lock of `locks/<lease>` as long as it lives. */
  lease: string;
  /** The worker runs in a user namespace: overlayfs and layers keep their marks in `user.*` attributes. */
  userNamespace: boolean;
  runtime: 'auto' | 'crun' | 'runc' | 'embedded';
}

/** The worker's answer. */
export interface WorkerReady {
  /** Process id as the worker sees itself. */
  pid: number;
}
