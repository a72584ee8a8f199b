import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { SlipwayError } from '../../errors/index.ts';
import type { Measures } from '../../plan/draw/graph.ts';
import type { Plan } from '../../plan/types.ts';
import { buildContexts } from '../build-contexts.ts';
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
  buildContexts: Record<string, string>;
  format: GraphFormat;
  /** Show what the last build of this Dockerfile measured. */
  measured: boolean;
  output: string | undefined;
}

const FORMATS = ['text', 'dot', 'mermaid', 'svg'] as const;

type GraphFormat = (typeof FORMATS)[number];

/** `slipway graph` */
export const graph = defineCommand({
  usage: '[OPTIONS] PATH | URL | -',
  flags: {
    'build-arg': { type: 'list', usage: 'Set build-time variables' },
    'build-context': { type: 'list', usage: 'Additional build contexts (e.g., name=path)' },
    file: { type: 'string', short: 'f', usage: 'Name of the Dockerfile (default: "PATH/Dockerfile")' },
    format: {
      type: 'string',
      default: 'text',
      usage: 'Format of the drawing ("text", "dot", "mermaid", "svg")',
    },
    measured: {
      type: 'bool',
      default: 'true',
      usage: 'Show results and times of the last build, and the longest path',
    },
    output: { type: 'string', short: 'o', usage: 'Write to a `file`, instead of STDOUT' },
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
        buildContexts: buildContexts(values['build-context']),
        format: formatOf(values.format),
        measured: values.measured,
        output: values.output || undefined,
      },
      context,
    ),
});

function formatOf(text: string): GraphFormat {
  const format = FORMATS.find((one) => one === text);
  if (format !== undefined) return format;
  throw new SlipwayError('usage', `unknown format ${JSON.stringify(text)} of a drawing`, {
    code: 'GRAPH_FORMAT',
    hint: `Formats: ${FORMATS.join(', ')}.`,
  });
}

/** Prints the drawing. */
async function perform(request: GraphRequest, context: CommandContext): Promise<number> {
  const [{ openContext }, { plan }] = await Promise.all([
    import('../../context/open-context.ts'),
    import('../../engine/plan.ts'),
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
    buildContexts: request.buildContexts,
  });
  const measures = request.measured ? await measured(request, planned, context) : undefined;
  const text = await draw(request.format, planned, measures);
  if (request.output === undefined || request.output === '-') context.stdout.write(text);
  else writeFileSync(request.output, text);
  return 0;
}

/** What the last build measured; nothing where the store has no such build, or none can be read. */
async function measured(
  { context, file, target }: GraphRequest,
  plan: Plan,
  { root }: CommandContext,
): Promise<Measures | undefined> {
  const [{ measurePlan }, { buildSubject }] = await Promise.all([
    import('../../engine/measure-plan.ts'),
    import('../../engine/build-subject.ts'),
  ]);
  const subject = buildSubject({ context, file }, [{ stage: target, tags: [], outputs: [] }]);
  return measurePlan(root, plan, subject)?.measures;
}

async function draw(format: GraphFormat, plan: Plan, measures: Measures | undefined): Promise<string> {
  if (format === 'text') return (await import('../../plan/draw-text.ts')).drawPlan(plan, measures);
  const { graphOf } = await import('../../plan/draw/graph.ts');
  const graph = graphOf(plan, measures);
  switch (format) {
    case 'dot':
      return (await import('../../plan/draw/dot.ts')).drawDot(graph);
    case 'mermaid':
      return (await import('../../plan/draw/mermaid.ts')).drawMermaid(graph);
    case 'svg':
      return (await import('../../plan/draw/svg.ts')).drawSvg(graph);
  }
}
