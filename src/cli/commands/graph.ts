import { tmpdir } from 'node:os';
import { type CommandContext, defineCommand } from '../command.ts';
import { keyValues } from '../key-values.ts';

/** What a `graph` command line asks for. */
export interface GraphRequest {
  /** PATH, URL or `-`. */
  context: string;
  /** Path or `-`; undefined is the context's Dockerfile. */
  file: string | undefined;
  target: string | undefined;
  buildArgs: Record<string, string>;
}

/** `slipway graph` */
export const graph = defineCommand({
  usage: '[OPTIONS] PATH | URL | -',
  flags: {
    'build-arg': { type: 'list', usage: 'Set build-time variables' },
    file: { type: 'string', short: 'f', usage: 'Name of the Dockerfile (default: "PATH/Dockerfile")' },
    target: { type: 'string', usage: 'Set the target build stage to draw' },
  },
  args: { least: 1, most: 1 },
  run: (context, { values, args }) =>
    perform(
      {
        context: args[0]!,
        file: values.file || undefined,
        target: values.target || undefined,
        buildArgs: keyValues(values['build-arg'], { env: context.env }),
      },
      context,
    ),
});

/** Prints the drawing. */
async function perform(request: GraphRequest, context: CommandContext): Promise<number> {
  const [{ openContext }, { plan }, { drawPlan }] = await Promise.all([
    import('../../context/open-context.ts'),
    import('../../engine/plan.ts'),
    import('../../plan/draw-text.ts'),
  ]);
  const input = await openContext({
    argument: request.context,
    file: request.file,
    cwd: process.cwd(),
    stdin: { [Symbol.asyncIterator]: () => context.stdin()[Symbol.asyncIterator]() as AsyncIterator<Buffer> },
    temporaryDirectory: tmpdir(),
  });
  input.context.close();
  const planned = await plan(input.dockerfile.content.toString('utf8'), {
    file: input.dockerfile.name,
    target: request.target,
    buildArgs: request.buildArgs,
  });
  context.stdout.write(drawPlan(planned));
  return 0;
}
