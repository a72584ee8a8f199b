import { executableCandidates } from './executable-candidates.ts';
import { withHeads } from './file-head.ts';
import type { ContainerSpec } from './types.ts';

/** Processors by their number in an ELF header (elf.h), in the words of platforms. */
const MACHINES: Readonly<Record<number, string>> = {
  3: '386',
  8: 'mips',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'amd64',
  183: 'arm64',
  243: 'riscv64',
  258: 'loong64',
};
const ELF = '\x7fELF';
const OWN = process.arch === 'x64' ? 62 : 183;

/**
 * What is wrong with a program that could not be executed, judged by its file: its interpreter, its architecture.
 * Undefined where the file does not say.
 */
export function execHint(spec: ContainerSpec): string | undefined {
  try {
    return withHeads(spec.rootfs, (headOf) => {
      const found = executableCandidates(spec)
        .map(headOf)
        .find((head) => head !== undefined);
      if (found === undefined) return absentHint(spec);
      if (found === '') return 'The file is empty.';
      if (found.startsWith(ELF)) return elfHint(found, headOf);
      return scriptHint(found, headOf);
    });
  } catch {
    // The explanation of an error must not become another one.
    return undefined;
  }
}

/** Whether a program, or its interpreter, is for a processor that this machine has not. False where nobody can tell. */
export function isForeignProgram(spec: ContainerSpec): boolean {
  try {
    return withHeads(spec.rootfs, (headOf) => {
      const found = executableCandidates(spec)
        .map(headOf)
        .find((head) => head !== undefined);
      const interpreter = /^#![ \t]*([^\s\0]+)/.exec(found ?? '')?.[1];
      const head = interpreter === undefined ? found : headOf(interpreter);
      return head?.startsWith(ELF) === true && foreignMachine(head) !== undefined;
    });
  } catch {
    return false;
  }
}

function absentHint({ args: [program] }: ContainerSpec): string | undefined {
  if (program !== '/bin/sh') return undefined;
  return 'There is no shell in this stage: write RUN in JSON form, or begin with an image that has one.';
}

/** The processor that a program is for, where this machine's cannot run it. */
function foreignMachine(head: string): number | undefined {
  const bytes = Buffer.from(head, 'latin1');
  if (bytes.length < 20) return undefined;
  const machine = bytes[5] === 2 ? bytes.readUInt16BE(18) : bytes.readUInt16LE(18);
  const isOwn = machine === OWN || (OWN === 62 && machine === 3);
  return isOwn ? undefined : machine;
}

function elfHint(head: string, headOf: (path: string) => string | undefined): string | undefined {
  if (head.length < 20) return 'It is the beginning of a program: the file is cut off.';
  const machine = foreignMachine(head);
  if (machine !== undefined) {
    const name = MACHINES[machine] ?? `another processor (${machine})`;
    return `It is a program for ${name}, and this machine is ${MACHINES[OWN]}.`;
  }
  const loader = /\/lib[^\0]*\/ld[^\0]*/.exec(head)?.[0];
  if (loader === undefined || headOf(loader) !== undefined) return undefined;
  return `It needs ${loader}, which is not in this stage: it was made for another C library.`;
}

function scriptHint(head: string, headOf: (path: string) => string | undefined): string {
  const interpreter = /^#![ \t]*([^ \t\n]+)/.exec(head)?.[1];
  if (interpreter === undefined)
    return 'It is no program, and a script needs a first line such as #!/bin/sh.';
  if (interpreter.endsWith('\r')) {
    return 'Its #! line ends with a carriage return: save the script with Unix line ends.';
  }
  if (headOf(interpreter) !== undefined) return `Its interpreter ${interpreter} could not be started.`;
  return `It is a script for ${interpreter}, which is not in this stage.`;
}
