import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { SlipwayError } from '../errors/index.ts';

/** A value of a column. Booleans are 0 and 1. */
export type SqlValue = SQLInputValue;

/** How long a command waits for another one's write, in milliseconds. Writes take well under one each. */
const BUSY_TIMEOUT_MS = 30_000;

/**
 * The index: one SQLite file, opened for this process. Statements are compiled at their first use and kept.
 * Every method is synchronous; SQLite's own errors come out as `SlipwayError` (`INDEX_BUSY`, `INDEX_FULL`,
 * `INDEX_CORRUPT`, `INDEX_READ_ONLY`, `INDEX_FAILED`).
 */
export class Database {
  readonly #database: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();
  #inTransaction = false;

  /** Opens `path`, a file that must exist unless `create`. Nothing is read yet. */
  constructor(path: string, options: { create?: boolean } = {}) {
    this.#path = path;
    // A plain path would create an empty file where the index is missing.
    const url = `file:${encodeURI(path).replaceAll('?', '%3f').replaceAll('#', '%23')}?mode=${options.create === true ? 'rwc' : 'rw'}`;
    this.#database = this.#guard(
      () => new DatabaseSync(url, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true }),
    );
  }

  /** Runs statements without results. */
  execute(sql: string): void {
    this.#guard(() => this.#database.exec(sql));
  }

  /** Runs one statement; the number of changed rows and the id of the last inserted one. */
  run(sql: string, ...values: SqlValue[]): { changes: number; lastId: number } {
    return this.#guard(() => {
      const result = this.#prepare(sql).run(...values);
      return { changes: Number(result.changes), lastId: Number(result.lastInsertRowid) };
    });
  }

  /** The first row, or undefined. The caller names the row's shape. */
  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined {
    return this.#guard(() => this.#prepare(sql).get(...values) as Row | undefined);
  }

  /** All rows. */
  all<Row>(sql: string, ...values: SqlValue[]): Row[] {
    return this.#guard(() => this.#prepare(sql).all(...values) as Row[]);
  }

  /**
   * Runs `body` with the write lock held: all its changes become visible together, or none when it throws.
   * Inside another transaction it is part of that one.
   */
  transaction<Result>(body: () => Result): Result {
    if (this.#inTransaction) return body();
    this.execute('BEGIN IMMEDIATE');
    this.#inTransaction = true;
    try {
      const result = body();
      this.execute('COMMIT');
      return result;
    } catch (error) {
      this.#rollback();
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#guard(() => this.#database.close());
  }

  #rollback(): void {
    // SQLite has already rolled back after some errors (a full disk); a second rollback is refused then.
    if (this.#database.isTransaction) this.execute('ROLLBACK');
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<Result>(body: () => Result): Result {
    try {
      return body();
    } catch (error) {
      throw translate(error, this.#path);
    }
  }
}

// Primary result codes of SQLite (sqlite.org/rescode.html).
const BUSY = 5;
const LOCKED = 6;
const READ_ONLY = 8;
const IO_ERROR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANNOT_OPEN = 14;
const NOT_A_DATABASE = 26;

/** Bytes: shared memory grows by this much. */
const SMALLEST_GROWTH = 32 * 1024;

function translate(error: unknown, path: string): unknown {
  const code = (error as { errcode?: number }).errcode;
  if (code === undefined) return error;
  const cause = error;
  const why = (error as Error).message;
  switch (isFull(code & 0xff, path) ? FULL : code & 0xff) {
    case BUSY:
    case LOCKED:
      return new SlipwayError('unavailable', `the index ${path} is busy: ${why}`, {
        code: 'INDEX_BUSY',
        hint: 'Another process has kept it locked for half a minute: see what it does, then try again.',
        cause,
      });
    case FULL:
      return new SlipwayError('exhausted', `no space left for the index ${path}`, {
        code: 'INDEX_FULL',
        hint: 'Free some space on that file system and try again.',
        cause,
      });
    case CORRUPT:
    case NOT_A_DATABASE:
      return new SlipwayError('corrupt', `the index ${path} is damaged: ${why}`, {
        code: 'INDEX_CORRUPT',
        hint: 'Move the store away or name another one with --root.',
        cause,
      });
    case READ_ONLY:
      return new SlipwayError('denied', `the index ${path} cannot be written: ${why}`, {
        code: 'INDEX_READ_ONLY',
        cause,
      });
    case CANNOT_OPEN:
      return new SlipwayError('denied', `the index ${path} cannot be opened: ${why}`, {
        code: 'INDEX_CANNOT_OPEN',
        hint: 'Check that it exists and that you may read and write it and its directory.',
        cause,
      });
    default:
      return new SlipwayError('internal', `the index ${path} failed: ${why}`, {
        code: 'INDEX_FAILED',
        cause,
      });
  }
}

/**
 * On a full disk only writes come out as FULL: a log or shared memory that cannot be made or grown is an input/output
 * error, or a file that cannot be opened, and SQLite does not tell why.
 */
function isFull(code: number, path: string): boolean {
  if (code !== IO_ERROR && code !== CANNOT_OPEN) return false;
  try {
    const { bavail, bsize, files, ffree } = statfsSync(dirname(path));
    return bavail * bsize < SMALLEST_GROWTH || (files > 0 && ffree === 0);
  } catch {
    return false;
  }
}
