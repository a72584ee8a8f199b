import type { LinuxCalls } from './linux-call.ts';
import { loadCalls } from './linux-call.ts';

/** A SHA-256 whose state can be put aside between whole blocks and taken up by another process. */
export interface ResumableSha256 {
  update(data: Buffer): void;
  /** Eight words of state; only after a multiple of 64 bytes. */
  state(): Buffer;
  /** Goes on from a state that was taken after `bytes` bytes. */
  resume(state: Buffer, bytes: number): void;
  /** Hex. Ends the object. */
  digest(): string;
}

/** Bytes of a state. */
export const SHA256_STATE_BYTES = 32;

/** OpenSSL's SHA256_CTX: h[8], the count of bits (two words), a block of data, bytes in it, length of the digest. */
const COUNT_AT = 32;
const PENDING_AT = 104;
const LENGTH_AT = 108;
const CONTEXT_BYTES = 112;

interface Functions {
  init: (context: Buffer) => number;
  update: (context: Buffer, data: Buffer, length: number) => number;
  final: (digest: Buffer, context: Buffer) => number;
}

let bound: Functions | false | undefined;

/**
 * The SHA-256 of the OpenSSL that Node brings: `node:crypto` has the same code and keeps its state to itself, and
 * our own would be several times slower. Undefined where this Node does not show the functions or lays out their
 * state in another way.
 */
export function openResumableSha256(): ResumableSha256 | undefined {
  bound ??= bindFunctions() ?? false;
  return bound === false ? undefined : create(bound);
}

function bindFunctions(): Functions | undefined {
  try {
    const { bind }: LinuxCalls = loadCalls();
    const functions: Functions = {
      init: bind('int SHA256_Init(void *)'),
      update: bind('int SHA256_Update(void *, void *, size_t)'),
      final: bind('int SHA256_Final(void *, void *)'),
    };
    return isUnderstood(functions) ? functions : undefined;
  } catch {
    return undefined;
  }
}

/** Puts a state aside and goes on with it, once, and looks whether all is where it is expected. */
function isUnderstood(functions: Functions): boolean {
  const first = create(functions);
  first.update(Buffer.alloc(128, 'ab'));
  const second = create(functions);
  second.resume(first.state(), 128);
  second.update(Buffer.from('abc'));
  // sha256 of "ab" 64 times and "abc".
  return second.digest() === 'f491b1d52335fcdb6a7f713df4452ec4154fd87c7730ee6740ec118ba016419f';
}

function create({ init, update, final }: Functions): ResumableSha256 {
  // Room for a context that is larger than it is known to be.
  const context = Buffer.alloc(2 * CONTEXT_BYTES);
  init(context);
  return {
    update: (data) => void update(context, data, data.length),
    state() {
      if (context.readUInt32LE(PENDING_AT) !== 0) throw new RangeError('a state is taken between blocks');
      return Buffer.from(context.subarray(0, SHA256_STATE_BYTES));
    },
    resume(state, bytes) {
      init(context);
      state.copy(context);
      context.writeBigUInt64LE(BigInt(bytes) * 8n, COUNT_AT);
    },
    digest() {
      if (context.readUInt32LE(LENGTH_AT) !== 32) throw new RangeError('not a SHA-256');
      const digest = Buffer.alloc(32);
      final(digest, context);
      return digest.toString('hex');
    },
  };
}
