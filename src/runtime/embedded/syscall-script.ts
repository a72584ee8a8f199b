import { SlipwayError } from '../../errors/index.ts';
import { syscallNumbers } from '../seccomp/syscall-numbers.ts';
import { dataAddress, writeElf } from './elf.ts';
import { interpreter, RECORD_SIZE, type ScriptArch } from './machine-code.ts';

/** An address inside the script's data: it becomes absolute when the program is written. */
export interface Pointer {
  readonly data: number;
}

/** An argument of a call: a number (negative ones become two's complement) or the address of data. */
export type ScriptArgument = number | bigint | Pointer;

/** Errors a call may end with: numbers below 64, or `any`. */
export type Tolerated = readonly number[] | 'any';

/** A place in the script to jump to; it must come later than every jump to it. */
interface Label {
  index: number | undefined;
}

interface Call {
  number: number;
  args: readonly ScriptArgument[];
  tolerated: Tolerated;
  /** Where a tolerated error goes on; the next record when absent. */
  otherwise: Label | undefined;
  /** What it does, for an error message: `mount /proc`. */
  purpose: string;
}

/** A finished program and what is needed to read its reports. */
export interface ScriptProgram {
  elf: Buffer;
  /** The purpose of the call whose record lies at this address. */
  purposeAt(address: bigint): string;
}

/** The first descriptor that a script may open: 0 to 2 are the container's, 3 is for reports. */
const FIRST_FD = 4;

const EBADF = 9;

/**
 * Builds a program for the interpreter of machine-code.ts: a list of system calls that run one after another, and
 * the strings and structures they point at. Descriptors are numbered when the script is written: the kernel gives
 * the lowest free number, and a script starts by closing everything from 4 on.
 */
export class SyscallScript {
  readonly arch: ScriptArch;
  #numbers: ReadonlyMap<string, number>;
  #calls: Call[] = [];
  #data: Buffer[] = [];
  #size = 0;
  #strings = new Map<string, Pointer>();
  #pointers: { at: number; to: Pointer }[] = [];
  #purpose = '';
  #nextFd = FIRST_FD;
  /** One above the highest descriptor of the current attempt. */
  #highFd = FIRST_FD;
  #alternative: { tolerated: Tolerated; otherwise: Label } | undefined;

  constructor(arch: ScriptArch) {
    this.arch = arch;
    this.#numbers = syscallNumbers(arch);
  }

  /** Names what the following calls do, for error messages. */
  purpose(text: string): void {
    this.#purpose = text;
  }

  /** Adds a call. Within `attempt` the errors of the attempt are tolerated when none are given. */
  call(name: string, args: readonly ScriptArgument[], tolerated?: Tolerated): void {
    const outer = tolerated === undefined ? this.#alternative : undefined;
    this.#push(name, args, tolerated ?? outer?.tolerated ?? [], outer?.otherwise);
  }

  /** A call whose result is a new descriptor; returns its number. */
  open(name: string, args: readonly ScriptArgument[]): number {
    this.call(name, args);
    const fd = this.#nextFd++;
    this.#highFd = Math.max(this.#highFd, this.#nextFd);
    return fd;
  }

  /**
   * As `open`, after up to `tries` calls of the same that may fail. For openat2(2) with `RESOLVE_IN_ROOT`: it ends
   * with EAGAIN when something is renamed or mounted anywhere while it resolves a `..`.
   */
  openAgain(tries: number, name: string, args: readonly ScriptArgument[]): number {
    const done: Label = { index: undefined };
    for (let i = 0; i < tries; i++) {
      const next: Label = { index: undefined };
      this.#push(name, args, 'any', next);
      this.#jump(done);
      next.index = this.#calls.length;
    }
    const fd = this.open(name, args);
    done.index = this.#calls.length;
    return fd;
  }

  /** Closes every descriptor that was opened after `fd` was to be the next one. */
  closeFrom(fd: number): void {
    this.call('close_range', [fd, 0xffffffff, 0], []);
    this.#nextFd = fd;
  }

  /** Runs `body` and closes the descriptors that it opened. */
  scope(body: () => void): void {
    const first = this.#nextFd;
    body();
    if (this.#nextFd > first) this.closeFrom(first);
  }

  /**
   * Runs the calls of `body`; as soon as one ends with a tolerated error, the rest of them is left and `otherwise`
   * runs. What `body` opened is closed either way; what it did stays done.
   */
  attempt(tolerated: Tolerated, body: () => void, otherwise: () => void = () => {}): void {
    const [failed, end]: Label[] = [{ index: undefined }, { index: undefined }];
    const outer = this.#alternative;
    const first = this.#nextFd;
    const high = this.#highFd;
    this.#alternative = { tolerated, otherwise: failed! };
    this.#highFd = first;
    body();
    this.#alternative = outer;
    const opened = this.#highFd > first;
    this.#highFd = Math.max(high, this.#highFd);
    if (opened) this.closeFrom(first);
    this.#jump(end!);
    failed!.index = this.#calls.length;
    if (opened) this.closeFrom(first);
    this.scope(otherwise);
    end!.index = this.#calls.length;
  }

  /** The address of a NUL-terminated string; equal strings share one. Refuses a text that holds a NUL. */
  string(text: string): Pointer {
    if (text.includes('\0')) {
      const shown = JSON.stringify(text.slice(0, 80));
      throw new SlipwayError('invalid', `an argument of a process holds a NUL byte: ${shown}`, {
        code: 'NUL_BYTE',
      });
    }
    let pointer = this.#strings.get(text);
    if (!pointer) {
      pointer = this.bytes(Buffer.from(`${text}\0`));
      this.#strings.set(text, pointer);
    }
    return pointer;
  }

  /** The address of a structure, aligned to 8. */
  bytes(content: Buffer): Pointer {
    const pointer = { data: this.#size };
    this.#data.push(content);
    this.#size += content.length;
    const padding = -this.#size & 7;
    if (padding) this.#data.push(Buffer.alloc(padding));
    this.#size += padding;
    return pointer;
  }

  /** The address of a structure of 64-bit words, some of which are addresses. */
  words(values: readonly ScriptArgument[]): Pointer {
    const content = Buffer.alloc(values.length * 8);
    values.forEach((value, i) => {
      if (typeof value === 'object') this.#pointers.push({ at: this.#size + i * 8, to: value });
      else content.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), i * 8);
    });
    return this.bytes(content);
  }

  /** Writes the executable. A script that runs past its last call exits with 0. */
  build(): ScriptProgram {
    this.call('exit_group', [0]);
    const calls = this.#calls;
    const start = dataAddress(interpreter(this.arch, 0).length);
    const records = calls.length * RECORD_SIZE;
    const address = (pointer: Pointer) => start + records + pointer.data;

    const image = Buffer.concat([Buffer.alloc(records), ...this.#data]);
    calls.forEach((call, i) => {
      const at = i * RECORD_SIZE;
      image.writeUInt32LE(call.number, at);
      image.writeUInt32LE(call.otherwise ? call.otherwise.index! - i - 1 : 0, at + 4);
      call.args.forEach((arg, a) => {
        writeWord(image, at + 8 + a * 8, typeof arg === 'object' ? address(arg) : arg);
      });
      writeWord(image, at + 56, errnoMask(call.tolerated));
    });
    for (const { at, to } of this.#pointers) writeWord(image, records + at, address(to));
    return {
      elf: writeElf(this.arch, interpreter(this.arch, start), image),
      purposeAt: (record) => calls[(Number(record) - start) / RECORD_SIZE]?.purpose ?? 'start',
    };
  }

  /** Always goes on at `label`, by a call that fails. */
  #jump(label: Label): void {
    this.#push('close', [-1], [EBADF], label);
  }

  #push(
    name: string,
    args: readonly ScriptArgument[],
    tolerated: Tolerated,
    otherwise: Label | undefined,
  ): void {
    const number = this.#numbers.get(name);
    if (number === undefined) throw new RangeError(`no system call ${name} on ${this.arch}`);
    this.#calls.push({ number, args, tolerated, otherwise, purpose: this.#purpose });
  }
}

function writeWord(buffer: Buffer, at: number, value: number | bigint): void {
  if (typeof value === 'number' && value >= 0 && value <= 0xffffffff) buffer.writeUInt32LE(value, at);
  else buffer.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at);
}

function errnoMask(tolerated: Tolerated): bigint {
  if (tolerated === 'any') return 0xffffffffffffffffn;
  return tolerated.reduce((mask, errno) => mask | (1n << BigInt(errno)), 0n);
}
