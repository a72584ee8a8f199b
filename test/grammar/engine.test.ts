import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Dockerfile, Instruction } from '../../grammar/ast.ts';
import { toDockerMessage } from '../../grammar/docker-message.ts';
import { parse } from '../../grammar/parse.ts';
import { fixtures } from './support.ts';

/** What a Docker engine (26.1, BuildKit 0.13) made of a Dockerfile; `{x*5}` stands for five times x. */
interface Recorded {
  name: string;
  dockerfile: string;
  error?: string;
  cmd?: string[] | null;
  entrypoint?: string[] | null;
  onbuild?: string[] | null;
}

const recorded = JSON.parse(readFileSync(fixtures('engine.json'), 'utf8')) as Recorded[];

/** Where we differ on purpose. */
const differs: Record<string, { error?: string; cmd?: string[] }> = {
  // Newer frontends take the JSON form only when nothing follows it (SPEC 1.4).
  'json trailing text': { cmd: ['/bin/sh', '-c', '["a"] b'] },
  // The engine stops reading at the long line and then misses the terminator.
  'long heredoc line': { error: 'dockerfile line greater than max allowed size of 65535' },
};

function expand(text: string): string {
  return text.replace(/\{(.)\*(\d+)\}/gu, (_, character: string, count: string) =>
    character.repeat(Number(count)),
  );
}

/** BuildKit 0.13 names flags without their hyphens. */
function oldFlagNames(message: string): string {
  return message.replace(/(flag(?: specified)?:? )--/, '$1');
}

function last(dockerfile: Dockerfile, keyword: 'CMD' | 'ENTRYPOINT'): Instruction | undefined {
  return dockerfile.instructions.findLast((instruction) => instruction.keyword === keyword);
}

function command(instruction: Instruction | undefined): string[] | undefined {
  if (instruction?.keyword !== 'CMD' && instruction?.keyword !== 'ENTRYPOINT') return undefined;
  return instruction.form === 'exec' ? instruction.args : ['/bin/sh', '-c', instruction.text];
}

describe('what a real engine made of it', () => {
  test.each(recorded)('$name', ({ name, dockerfile: text, ...outcome }) => {
    const { error, cmd, entrypoint, onbuild } = { ...outcome, ...differs[name] };
    const { dockerfile, errors } = parse(expand(text));
    const first = errors[0] === undefined ? undefined : oldFlagNames(toDockerMessage(errors[0]));
    expect(first).toBe(error);
    if (error !== undefined) return;
    const ownEntrypoint = command(last(dockerfile, 'ENTRYPOINT'));
    if (ownEntrypoint !== undefined) expect(ownEntrypoint).toEqual(entrypoint ?? []);
    const ownCmd = command(last(dockerfile, 'CMD'));
    if (ownCmd !== undefined) expect(ownCmd).toEqual(cmd ?? []);
    const triggers = dockerfile.instructions.flatMap((one) =>
      one.keyword === 'ONBUILD' ? [one.trigger] : [],
    );
    expect(triggers).toEqual(onbuild ?? []);
  });
});
