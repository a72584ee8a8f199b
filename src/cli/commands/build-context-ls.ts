import type { ListContextRequest } from '../../engine/list-context.ts';
import { SlipwayError } from '../../errors/index.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { ignoreFrom } from '../ignore-from.ts';
import { keyValues } from '../key-values.ts';

/** `slipway build-context ls` */
export const buildContextLs = defineCommand({
  usage: '[OPTIONS] [PATH]',
  flags: {
    'build-arg': { type: 'list', usage: 'Set build-time variables' },
    file: { type: 'string', short: 'f', usage: 'Name of the Dockerfile (default: "PATH/Dockerfile")' },
    'ignore-from': { type: 'string', usage: 'Also hide what these rules hide ("gitignore")' },
    json: { type: 'bool', usage: 'Print everything as one JSON document' },
    size: { type: 'bool', usage: 'Print sizes in front of names' },
    target: { type: 'string', usage: 'Set the target build stage' },
    why: {
      type: 'list',
      valueName: 'path',
      usage: 'Say which rule hides or keeps a path, and what reads it, instead of listing',
    },
  },
  args: { least: 0, most: 1 },
  run: (context, { values, args }) =>
    perform(
      {
        context: args[0] ?? '.',
        file: values.file || undefined,
        target: values.target || undefined,
        buildArgs: keyValues(values['build-arg'], { env: context.env }),
        ignoreFrom: ignoreFrom(values['ignore-from']),
        cwd: process.cwd(),
        why: values.why,
        stdin: {
          [Symbol.asyncIterator]: () => context.stdin()[Symbol.asyncIterator]() as AsyncIterator<Buffer>,
        },
      },
      { json: values.json, size: values.size },
      context,
    ),
});

async function perform(
  request: ListContextRequest,
  how: { json: boolean; size: boolean },
  { stdout, stderr }: CommandContext,
): Promise<number> {
  if (/^(?:https?|git|ssh):\/\/|^git@/.test(request.context)) {
    throw new SlipwayError('usage', 'only a directory can be listed', { code: 'CONTEXT_NOT_LOCAL' });
  }
  const [{ listContext }, render] = await Promise.all([
    import('../../engine/list-context.ts'),
    import('../render/context-listing.ts'),
  ]);
  const listing = await listContext(request);
  if (how.json) {
    stdout.write(`${JSON.stringify(listing, null, 2)}\n`);
    return 0;
  }
  if (listing.why.length > 0) {
    stdout.write(render.reasonsText(listing));
    return 0;
  }
  stdout.write(render.namesText(listing, how));
  stderr.write(render.summaryText(listing));
  return 0;
}
