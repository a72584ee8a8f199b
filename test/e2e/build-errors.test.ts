import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { suiteStore } from '../support/suite-store.ts';

interface ErrorCase {
  name: string;
  /** Of the context: `-> x` is a symbolic link, `@elf` a program of another machine, `@badgz` no archive at all. */
  files: Record<string, string>;
  flags: string[];
  context: string;
}

const FILE = join(import.meta.dirname, '../../testdata/cli/build-errors.json');
const cases = JSON.parse(readFileSync(FILE, 'utf8')) as ErrorCase[];

/** The beginning of a program for the processor that this machine has not. */
function foreignProgram(): Buffer {
  const header = Buffer.alloc(64);
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(header);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(process.arch === 'x64' ? 183 : 62, 18);
  return header;
}

function contentOf(text: string): string | Buffer {
  if (text === '@elf') return foreignProgram();
  return text === '@badgz' ? Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) : text;
}

describe('errors of build: all that is said on standard error, and the exit code', () => {
  const store = suiteStore();

  it.each(cases)('$name', async ({ name, files, flags, context }) => {
    const isLink = (text: string): boolean => text.startsWith('-> ');
    const plain = Object.entries(files).filter(([, text]) => !isLink(text));
    const folder = store.context(
      name,
      Object.fromEntries(plain.map(([file, text]) => [file, contentOf(text)])),
    );
    for (const [file, text] of Object.entries(files)) {
      if (isLink(text)) symlinkSync(text.slice(3), join(folder, file));
    }
    const args = ['build', '--progress=quiet', '--runtime=embedded', ...flags, context];
    const { stderr, exitCode, stdout } = await store.run(args, { cwd: folder });
    const text = stderr
      .replaceAll(folder, 'CONTEXT')
      .replaceAll(/^\d+\.\d{3} /gm, 'TIME ')
      .replaceAll(/(?:ARM|aarch64|arm64|x86_64|amd64|x86-64)/g, 'PROCESSOR');
    expect(`${text}exit code ${exitCode}`).toMatchSnapshot();
    expect(stdout).toBe('');
  });
});
