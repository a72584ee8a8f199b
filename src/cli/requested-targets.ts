import { SlipwayError } from '../errors/index.ts';
import type { BuildRequest } from './build-request.ts';
import type { buildFlags } from './commands/build-flags.ts';
import type { ParsedFlags } from './flags/definition.ts';
import type { OutputSpec } from './output-keys.ts';
import { parseOutput } from './output-spec.ts';

type Line = Pick<ParsedFlags<typeof buildFlags>, 'values' | 'sequence'>;

/**
 * What is to be built and where it goes. With one --target, or none, the order of flags is of no account, as in Docker.
 * With several, every --tag, --output and --load belongs to the --target before it.
 *
 * Throws `usage` for one that stands before the first of several targets.
 */
export function requestedTargets(line: Line): Pick<BuildRequest, 'target' | 'targets' | 'tags' | 'outputs'> {
  const { target, tag, output, load, push } = line.values;
  const stages = target.filter((stage) => stage !== '');
  if (stages.length < 2) {
    const outputs = [...output, ...(load ? ['type=docker'] : [])].map(parseOutput);
    return { target: stages[0], targets: [], tags: tag, outputs: push ? pushed(outputs) : outputs };
  }
  const targets: BuildRequest['targets'] = [];
  for (const { name, text } of line.sequence) {
    const last = targets.at(-1);
    if (name === 'target') {
      if (text !== '') targets.push({ stage: text, tags: [], outputs: [] });
    } else if (name === 'tag') {
      owner(last, name).tags.push(text);
    } else if (name === 'output' || (name === 'load' && load)) {
      owner(last, name).outputs.push(parseOutput(name === 'load' ? 'type=docker' : text));
    } else if (name === 'push' && push) {
      const target = owner(last, name);
      target.outputs = pushed(target.outputs);
    }
  }
  return { target: undefined, targets, tags: [], outputs: [] };
}

/** As buildx: --push pushes the image outputs that there are, and is one of its own without any. */
function pushed(outputs: readonly OutputSpec[]): OutputSpec[] {
  if (outputs.some(({ type }) => type === 'image'))
    return outputs.map((spec) => (spec.type === 'image' ? { ...spec, push: true } : spec));
  return [...outputs, parseOutput('type=registry')];
}

function owner<T extends { outputs: OutputSpec[] }>(target: T | undefined, flag: string): T {
  if (target !== undefined) return target;
  throw new SlipwayError('usage', `with several targets --${flag} belongs to the --target before it`, {
    code: 'TARGET_ORDER',
    hint: 'Write --target a -t x --target b -t y.',
  });
}
