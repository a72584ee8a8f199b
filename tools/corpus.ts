/**
 * Parses and plans every Dockerfile below a folder: `npm run corpus DIR`, or with CORPUS=DIR. Prints counts, and for
 * each file that fails where and why; `--all` prints the names of the others too. The images that files name are
 * taken to exist. Exits with 1 when a file makes anything but a `SlipwayError`, which is a defect.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parse, plan, SlipwayError } from '../src/index.ts';

const folder = process.argv.slice(2).find((word) => !word.startsWith('-')) ?? process.env.CORPUS;
if (folder === undefined) {
  process.stderr.write('usage: npm run corpus DIR\n');
  process.exit(2);
}

const counts = { files: 0, bytes: 0, instructions: 0, steps: 0, planned: 0, refused: 0, defects: 0 };
const reasons = new Map<string, number>();
for (const path of dockerfiles(folder)) {
  const text = readFileSync(path, 'utf8');
  const name = relative(folder, path);
  counts.files++;
  counts.bytes += Buffer.byteLength(text);
  counts.instructions += parse(text).dockerfile.instructions.length;
  try {
    const { nodes } = await plan(text, { file: name, allStages: true });
    counts.planned++;
    counts.steps += nodes.length;
    if (process.argv.includes('--all')) process.stdout.write(`planned  ${name}\n`);
  } catch (error) {
    if (!(error instanceof SlipwayError)) {
      counts.defects++;
      process.stdout.write(`DEFECT   ${name}: ${(error as Error).stack}\n`);
      continue;
    }
    counts.refused++;
    reasons.set(error.code, (reasons.get(error.code) ?? 0) + 1);
    process.stdout.write(`refused  ${name}:${error.location?.range.start.line ?? 0}: ${error.message}\n`);
  }
}
for (const [code, count] of [...reasons].sort(([, a], [, b]) => b - a))
  process.stdout.write(`${String(count).padStart(5)} ${code}\n`);
process.stdout.write(
  `${counts.files} files of ${counts.bytes} bytes with ${counts.instructions} instructions: ` +
    `${counts.planned} planned in ${counts.steps} steps, ${counts.refused} refused, ${counts.defects} defects\n`,
);
process.exitCode = counts.defects > 0 ? 1 : 0;

/** Files whose name says that they are Dockerfiles, in the order of their paths. */
function dockerfiles(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /dockerfile|containerfile/i.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
