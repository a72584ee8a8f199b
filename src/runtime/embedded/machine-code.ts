/** Architectures that the embedded runtime writes programs for, as Slipway's system call tables name them. */
export type ScriptArch = 'x86_64' | 'arm64';

/** Size in bytes of one record of a syscall script. */
export const RECORD_SIZE = 64;

/** File descriptor to which a program reports the call that failed: the record's address and errno, both u64. */
export const REPORT_FD = 3;

/** Exit code of a program whose script failed. */
export const SCRIPT_FAILED = 125;

/**
 * The interpreter of a syscall script at `script` (an address below 2^32): assembly at the right, its bytes at the
 * left. It holds no data and no absolute address but that one.
 *
 * A record is eight little-endian 64-bit words:
 *   0      number of the system call (low half) and how many records to skip after a tolerated error (high half)
 *   8..48  six arguments
 *   56     bit n set: errno n is tolerated; all bits set: any error is
 * A call that succeeds goes on with the next record. An error that is not tolerated is reported and ends it.
 */
export function interpreter(arch: ScriptArch, script: number): Buffer {
  const listing = arch === 'x86_64' ? x86Listing : arm64Listing;
  const code = Buffer.from(
    listing
      .split('\n')
      .map((line) => line.split(';')[0])
      .join(' ')
      .replaceAll(/\s+/g, ''),
    'hex',
  );
  if (arch === 'x86_64') {
    code.writeUInt32LE(script, 1);
  } else {
    // movz and movk take 16 bits each, in bits 5 to 20 of the instruction.
    code.writeUInt32LE((code.readUInt32LE(0) | ((script & 0xffff) << 5)) >>> 0, 0);
    code.writeUInt32LE((code.readUInt32LE(4) | ((script >>> 16) << 5)) >>> 0, 4);
  }
  return code;
}

const x86Listing = `
  bb 00 00 00 00          ;         mov   ebx, script
  8b 03                   ; next:   mov   eax, [rbx]
  48 8b 7b 08             ;         mov   rdi, [rbx+8]
  48 8b 73 10             ;         mov   rsi, [rbx+16]
  48 8b 53 18             ;         mov   rdx, [rbx+24]
  4c 8b 53 20             ;         mov   r10, [rbx+32]
  4c 8b 43 28             ;         mov   r8, [rbx+40]
  4c 8b 4b 30             ;         mov   r9, [rbx+48]
  0f 05                   ;         syscall
  48 85 c0                ;         test  rax, rax
  79 23                   ;         jns   done
  48 f7 d8                ;         neg   rax
  48 8b 4b 38             ;         mov   rcx, [rbx+56]
  48 83 f9 ff             ;         cmp   rcx, -1
  74 0c                   ;         je    skip
  48 83 f8 3f             ;         cmp   rax, 63
  77 16                   ;         ja    fail
  48 0f a3 c1             ;         bt    rcx, rax
  73 10                   ;         jnc   fail
  8b 4b 04                ; skip:   mov   ecx, [rbx+4]
  48 c1 e1 06             ;         shl   rcx, 6
  48 01 cb                ;         add   rbx, rcx
  48 83 c3 40             ; done:   add   rbx, 64
  eb b6                   ;         jmp   next
  50                      ; fail:   push  rax
  53                      ;         push  rbx
  bf 03 00 00 00          ;         mov   edi, 3
  48 89 e6                ;         mov   rsi, rsp
  ba 10 00 00 00          ;         mov   edx, 16
  b8 01 00 00 00          ;         mov   eax, 1       (write)
  0f 05                   ;         syscall
  bf 7d 00 00 00          ;         mov   edi, 125
  b8 e7 00 00 00          ;         mov   eax, 231     (exit_group)
  0f 05                   ;         syscall
`;

const arm64Listing = `
  13 00 80 d2             ;         movz  x19, script
  13 00 a0 f2             ;         movk  x19, script >> 16, lsl 16
  68 02 40 b9             ; next:   ldr   w8, [x19]
  60 86 40 a9             ;         ldp   x0, x1, [x19, 8]
  62 8e 41 a9             ;         ldp   x2, x3, [x19, 24]
  64 96 42 a9             ;         ldp   x4, x5, [x19, 40]
  01 00 00 d4             ;         svc   0
  60 01 f8 b6             ;         tbz   x0, 63, done
  e0 03 00 cb             ;         neg   x0, x0
  69 1e 40 f9             ;         ldr   x9, [x19, 56]
  3f 05 00 b1             ;         cmn   x9, 1
  a0 00 00 54             ;         b.eq  skip
  1f fc 00 f1             ;         cmp   x0, 63
  e8 00 00 54             ;         b.hi  fail
  2a 25 c0 9a             ;         lsr   x10, x9, x0
  aa 00 00 36             ;         tbz   w10, 0, fail
  69 06 40 b9             ; skip:   ldr   w9, [x19, 4]
  73 1a 09 8b             ;         add   x19, x19, x9, lsl 6
  73 02 01 91             ; done:   add   x19, x19, 64
  ef ff ff 17             ;         b     next
  f3 03 bf a9             ; fail:   stp   x19, x0, [sp, -16]!
  60 00 80 d2             ;         mov   x0, 3
  e1 03 00 91             ;         mov   x1, sp
  02 02 80 d2             ;         mov   x2, 16
  08 08 80 d2             ;         mov   x8, 64       (write)
  01 00 00 d4             ;         svc   0
  a0 0f 80 d2             ;         mov   x0, 125
  c8 0b 80 d2             ;         mov   x8, 94       (exit_group)
  01 00 00 d4             ;         svc   0
`;
