import type { Digest } from '../../image/types.ts';
import type { NoCacheReason } from '../../plan/types.ts';

export type Change = 'added' | 'removed' | 'changed';

/**
 * One reason why a step ran: something that it observes is not as it was. Plain data; `kind` and the fields are
 * stable, for programs.
 */
export type Cause =
  | ValueCause
  | VariableCause
  | FileCause
  | ListCause
  | BaseCause
  | StepCause
  | { kind: 'no-cache'; by: NoCacheReason }
  /** There was no such step before. */
  | { kind: 'new' }
  /** Its result was recorded by `build` and is no longer in the store. */
  | { kind: 'pruned'; build: string }
  /** It ran in `build` and did not end well there. */
  | { kind: 'unfinished'; build: string; outcome: string }
  /** The same variables in another order, which a process can see. */
  | { kind: 'variable-order' }
  /** A here-document with this name. */
  | { kind: 'heredoc'; name: string; change: Change }
  /** What it stands on was put together of the same steps in another order. */
  | { kind: 'order' }
  /** Files changed in a way that is not recorded: which ones, or what of them. */
  | { kind: 'files-unknown'; from?: string; mount?: string; why: 'not-recorded' | 'no-visible-difference' }
  /** More names than are listed. */
  | { kind: 'more-files'; count: number };

/** One of the values that a step has once. */
export interface ValueCause {
  kind:
    | 'instruction'
    | 'command'
    | 'shell'
    | 'user'
    | 'workdir'
    | 'network'
    | 'security'
    | 'hostname'
    | 'platform'
    | 'source-date-epoch'
    | 'destination'
    | 'chown'
    | 'chmod'
    | 'link'
    | 'parents'
    | 'unpack'
    | 'other';
  /** For `other`: the part of the key. */
  name?: string;
  change: Change;
  before?: string;
  after?: string;
}

export interface VariableCause {
  kind: 'argument' | 'environment';
  name: string;
  change: Change;
  /** Absent where the value is not shown: it is long, or its name looks secret. */
  before?: string;
  after?: string;
}

/** Something of which a step may have several. */
export interface ListCause {
  kind: 'mount' | 'secret' | 'ssh';
  change: Change;
  before?: string;
  after?: string;
}

export interface FileCause {
  kind: 'file';
  /** Path in the context, stage or image. Bytes that are not UTF-8 are U+FFFD. */
  path: string;
  change: Change;
  /** What of it, for a change. */
  what?: FileAspect[];
  /** Stage, image or named context that it comes from; absent for the build context. */
  from?: string;
  /** Target of the bind mount that shows it. */
  mount?: string;
}

export type FileAspect = 'content' | 'mode' | 'owner' | 'type' | 'link' | 'hard link' | 'device';

/** What the step stands on begins with another image. */
export interface BaseCause {
  kind: 'base';
  before: { reference: string; digest: Digest };
  after: { reference: string; digest: Digest };
}

/** Another step has another result (`upstream`), is new or is gone. */
export interface StepCause {
  kind: 'upstream' | 'step-added' | 'step-removed';
  /** As displays name it. */
  step: string;
}
