/**
 * Slipway as a library: reads a Dockerfile, tells its stages and what is wrong with it, draws the plan, and with
 * `--build CONTEXT NAME` builds it and follows the events.
 *
 *     node examples/library/outline.ts DOCKERFILE [--build CONTEXT NAME]
 */
import { readFileSync } from 'node:fs';
import { type BuildEvent, build, drawPlan, type ProgressSink, parse, plan, SlipwayError } from 'slipway';

const [file, mode, context, name] = process.argv.slice(2);
if (file === undefined) {
  console.error('usage: outline.ts DOCKERFILE [--build CONTEXT NAME]');
  process.exit(2);
}

const text = readFileSync(file, 'utf8');
const { dockerfile, errors } = parse(text);

// Every node of the tree knows its place, and the parser goes on after an error.
for (const { range, keyword } of dockerfile.instructions) {
  console.log(`${String(range.start.line).padStart(4)}  ${keyword}`);
}
for (const error of errors) console.log(`line ${error.line}: ${error.message}`);
if (errors.length > 0) process.exit(1);

// A plan is plain data. It needs neither the kernel nor the images.
console.log(`\n${drawPlan(await plan(text))}`);

if (mode === '--build' && context !== undefined && name !== undefined) await follow(context, name);

/** Builds, and prints a line for every step that has ended. */
async function follow(from: string, tag: string): Promise<void> {
  const names = new Map<string, string>();
  const progress: ProgressSink = {
    event(event: BuildEvent) {
      if (event.type === 'announced') names.set(event.vertex, event.name);
      if (event.type === 'ended') console.log(`${event.outcome.padEnd(8)} ${names.get(event.vertex)}`);
    },
    close: () => Promise.resolve(),
  };
  try {
    const { imageId, ran, reused } = await build({ context: from, dockerfile: text, tags: [tag], progress });
    console.log(`${imageId}: ${ran} steps ran, ${reused} were reused`);
  } catch (error) {
    // One class for everything that is not a defect; programs branch on its kind and code.
    if (!(error instanceof SlipwayError)) throw error;
    console.error(`${error.kind} (${error.code}): ${error.message}`);
    process.exitCode = 1;
  }
}
