import type { Platform } from '../../image/types.ts';

/** A processor as ELF headers and QEMU know it. */
export interface Processor {
  /** QEMU's name: `qemu-NAME`. */
  qemu: string;
  bits: 32 | 64;
  bigEndian: boolean;
  /** `e_machine` (elf.h). */
  machine: number;
}

const little = (qemu: string, bits: 32 | 64, machine: number): Processor => ({
  qemu,
  bits,
  bigEndian: false,
  machine,
});

const PROCESSORS: Readonly<Record<string, Processor>> = {
  '386': little('i386', 32, 3),
  amd64: little('x86_64', 64, 62),
  arm: little('arm', 32, 40),
  arm64: little('aarch64', 64, 183),
  loong64: little('loongarch64', 64, 258),
  mips64le: little('mips64el', 64, 8),
  ppc64le: little('ppc64le', 64, 21),
  riscv64: little('riscv64', 64, 243),
  s390x: { qemu: 's390x', bits: 64, bigEndian: true, machine: 22 },
};

/** The processor of a platform; undefined for one that nothing here emulates. */
export function processorOf({ architecture }: Platform): Processor | undefined {
  return PROCESSORS[architecture];
}

/** Whether programs of a platform run on this machine as they are. */
export function runsHere({ architecture }: Platform, host: Platform): boolean {
  return architecture === host.architecture || (host.architecture === 'amd64' && architecture === '386');
}

/**
 * The beginning of the processor's programs, executables and shared objects of any system, and which bits of it count:
 * what binfmt_misc compares files with.
 */
export function elfPattern({ bits, bigEndian, machine }: Processor): { magic: Buffer; mask: Buffer } {
  const magic = Buffer.alloc(20);
  magic.set([0x7f, 0x45, 0x4c, 0x46, bits === 64 ? 2 : 1, bigEndian ? 2 : 1, 1]);
  const mask = Buffer.alloc(20, 0xff);
  mask[7] = 0;
  if (bigEndian) {
    magic.writeUInt16BE(2, 16);
    magic.writeUInt16BE(machine, 18);
    mask[17] = 0xfe;
  } else {
    magic.writeUInt16LE(2, 16);
    magic.writeUInt16LE(machine, 18);
    mask[16] = 0xfe;
  }
  return { magic, mask };
}
