import { randomInt } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import { type ProcessIdentity, processIdentity, processState } from '../sys/process-identity.ts';
import { isLeaseId, type LeaseId, lockPath } from './layout.ts';
import type { Store } from './store.ts';

/**
 * Tells whether another process holds the flock of this file. Only the worker can look (Node has no flock), so it
 * is handed in; without it the process table alone decides.
 */
export type IsLocked = (path: string) => boolean;

/** A lease nobody can look up is believed for this long. */
const UNKNOWN_GRACE_MS = 60_000;

/**
 * Registers this process as being at work. What it holds, claims and has in the making is safe until `endLease`
 * or its death. Its worker should hold an exclusive flock on `lockPath(store.root, lease)`, made by it.
 */
export function startLease(store: Store): LeaseId {
  const self = processIdentity();
  if (self === undefined) {
    throw new SlipwayError('unsupported', 'this process cannot be found in /proc', {
      code: 'PROC_UNREADABLE',
      hint: 'Mount /proc.',
    });
  }
  const id = newLeaseId();
  store.database.run(
    'INSERT INTO leases (id, boot_id, pid_namespace, pid, start_time, created_ms) VALUES (?, ?, ?, ?, ?, ?)',
    id,
    self.bootId,
    self.pidNamespace,
    self.pid,
    self.startTime,
    Date.now(),
  );
  return id;
}

/** Gives back everything that hangs on the lease. Layers that it did not complete become garbage. */
export function endLease(store: Store, lease: LeaseId): void {
  store.database.transaction(() => {
    store.database.run('DELETE FROM holds WHERE lease = ?', lease);
    store.database.run('DELETE FROM claims WHERE lease = ?', lease);
    store.database.run('DELETE FROM blob_holds WHERE lease = ?', lease);
    store.database.run(
      "UPDATE layers SET state = 'removing', lease = NULL WHERE lease = ? AND state = 'pending'",
      lease,
    );
    store.database.run('UPDATE layers SET lease = NULL WHERE lease = ?', lease);
    store.database.run('DELETE FROM leases WHERE id = ?', lease);
  });
  rmSync(lockPath(store.root, lease), { force: true });
}

interface LeaseRow {
  id: string;
  boot_id: string;
  pid_namespace: string;
  pid: number;
  start_time: number;
  created_ms: number;
}

/** Whether the holder of `lease` still works. A lease that is not registered (any more) does not. */
export function isLeaseAlive(store: Store, lease: LeaseId, isLocked?: IsLocked): boolean {
  const row = store.database.get<LeaseRow>('SELECT * FROM leases WHERE id = ?', lease);
  return row !== undefined && isRowAlive(store, row, isLocked);
}

/** The leases whose holders work, by the process table and, where `isLocked` is given, by their locks. */
export function liveLeases(store: Store, isLocked?: IsLocked): Set<LeaseId> {
  const rows = store.database.all<LeaseRow>('SELECT * FROM leases');
  return new Set(rows.filter((row) => isRowAlive(store, row, isLocked)).map((row) => row.id));
}

/**
 * Ends the leases of dead processes and removes lock files that belong to no lease.
 * Returns the leases that were ended.
 */
export function endDeadLeases(store: Store, isLocked?: IsLocked): LeaseId[] {
  const ended = store.database.transaction(() => {
    const rows = store.database.all<LeaseRow>('SELECT * FROM leases');
    const dead = rows.filter((row) => !isRowAlive(store, row, isLocked)).map((row) => row.id);
    for (const lease of dead) endLease(store, lease);
    return dead;
  });
  const known = new Set(store.database.all<{ id: string }>('SELECT id FROM leases').map((row) => row.id));
  for (const name of readdirSync(join(store.root, 'locks'))) {
    if (isLeaseId(name) && !known.has(name)) rmSync(lockPath(store.root, name), { force: true });
  }
  return ended;
}

function isRowAlive(store: Store, row: LeaseRow, isLocked: IsLocked | undefined): boolean {
  const identity: ProcessIdentity = {
    bootId: row.boot_id,
    pidNamespace: row.pid_namespace,
    pid: row.pid,
    startTime: row.start_time,
  };
  const state = processState(identity);
  if (state === 'alive') return true;
  // The lock speaks for a worker that outlives its front by a moment, and for another machine's processes.
  if (isLocked !== undefined) {
    if (isLocked(lockPath(store.root, row.id))) return true;
    return state === 'unknown' && Date.now() - row.created_ms < UNKNOWN_GRACE_MS;
  }
  return state === 'unknown';
}

function newLeaseId(): LeaseId {
  let id = '';
  for (let i = 0; i < 16; i++) id += randomInt(36).toString(36);
  return id;
}
