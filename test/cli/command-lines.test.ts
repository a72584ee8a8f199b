import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CommandLineError, interpret } from '../../src/cli/dispatch.ts';

interface Recorded {
  argv: string[];
  exitCode: number;
  firstLine: string;
}

const FILE = join(import.meta.dirname, '../../testdata/cli/docker-command-lines.json');
const { cases } = JSON.parse(readFileSync(FILE, 'utf8')) as { cases: Recorded[] };

/** What is said and the exit code of a command line that is refused before any command runs. */
async function refusal(argv: string[]): Promise<{ text: string; exitCode: number }> {
  const { stdout, stderr } = process;
  const outer = { stdin: () => process.stdin, stdout, stderr, env: {}, signal: AbortSignal.timeout(60_000) };
  try {
    const { kind } = await interpret(argv, outer);
    return { text: `(${kind})\n`, exitCode: 0 };
  } catch (error) {
    if (!(error instanceof CommandLineError)) throw error;
    return { text: error.text, exitCode: error.exitCode };
  }
}

describe('refused command lines, as recorded from Docker', () => {
  it.each(cases)('$argv', async ({ argv, exitCode, firstLine }) => {
    const { text, exitCode: ours } = await refusal(argv);
    expect(ours).toBe(exitCode);
    // The number of arguments is worded as engine 26 does, which quotes the command.
    if (firstLine.includes('argument') && !firstLine.includes('flag')) {
      expect(text.split('\n')[0]).toMatch(/^(ERROR: )?"slipway .*" (requires|accepts) .*arguments?\.$/);
    } else {
      expect(text.split('\n')[0]).toBe(firstLine.replaceAll('docker', 'slipway'));
    }
  });
});

describe('what is said in full', () => {
  it.each([
    {
      argv: ['images', '--bogus'],
      text: `unknown flag: --bogus
See 'slipway images --help'.

Usage:  slipway images [OPTIONS] [REPOSITORY[:TAG]]
`,
    },
    {
      argv: ['build', '--no-cahce', '.'],
      text: `unknown flag: --no-cahce
Did you mean '--no-cache'?
See 'slipway build --help'.

Usage:  slipway build [OPTIONS] PATH | URL | -
`,
    },
    {
      argv: ['build'],
      text: `ERROR: "slipway build" requires exactly 1 argument.
See 'slipway build --help'.

Usage:  slipway build [OPTIONS] PATH | URL | -

Build an image from a Dockerfile
`,
    },
    {
      argv: ['bild'],
      text: `slipway: unknown command: slipway bild

Did you mean this?
\tbuild

Run 'slipway --help' for more information
`,
    },
    {
      argv: ['image', 'lss'],
      text: `slipway: unknown command: slipway image lss

Did you mean this?
\tls

Run 'slipway image --help' for more information
`,
    },
    { argv: ['help', 'bogus'], text: 'unknown help topic: bogus\n' },
    {
      argv: ['build', '--builder', 'mine', '.'],
      text: 'slipway build: --builder is not supported: there is no daemon\n',
    },
  ])('$argv', async ({ argv, text }) => {
    expect((await refusal(argv)).text).toBe(text);
  });

  it.each([
    ['container', 'run', '--rm', 'image', '--bogus'],
    ['run', 'image', '-z', '--', '--help'],
    ['build', '.', '-t', 'x', '-f', 'F'],
    ['build', '--provenance=false', '--sbom=false', '--push=false', '--builder=default', '.'],
    ['build', '--attest', 'type=sbom,disabled=true', '--attest', 'type=provenance,disabled=true', '.'],
    ['save', 'x', '-o', 'f'],
    ['-D', '--root', '/x', 'image', 'list', '-aq'],
  ])('accepted: %j', async (...argv) => {
    expect(await refusal(argv)).toEqual({ text: '(run)\n', exitCode: 0 });
  });
});
