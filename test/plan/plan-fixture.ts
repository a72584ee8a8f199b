import { parse, parseTrigger } from '../../grammar/parse.ts';
import { SlipwayError } from '../../src/errors/index.ts';
import type { ImageConfig, Platform } from '../../src/image/types.ts';
import { compilePlan } from '../../src/plan/compile.ts';
import type { PlanInput } from '../../src/plan/options.ts';
import type { Plan } from '../../src/plan/types.ts';

export const AMD64: Platform = { os: 'linux', architecture: 'amd64' };

/** An image with one layer, unless `extra` says otherwise. */
export function image(extra: Partial<ImageConfig> = {}, diffIds: string[] = ['sha256:layer']) {
  const config: ImageConfig = {
    architecture: 'amd64',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: [{ created_by: 'base', created: '2020-01-01T00:00:00Z' }],
    ...extra,
  };
  return { imageId: 'sha256:image', config, diffIds };
}

/** Plans a text against a store in which every image exists. */
export async function planText(text: string, extra: Partial<PlanInput> = {}): Promise<Plan> {
  const { dockerfile, errors } = parse(text);
  if (errors.length > 0) throw new Error(`does not parse: ${JSON.stringify(errors)}`);
  return compilePlan(dockerfile, {
    platform: AMD64,
    resolveImage: async () => image(),
    parseTrigger,
    text,
    ...extra,
  });
}

/** The error of a plan that must fail: its kind, code and text, where it points to, and the hint. */
export async function planError(text: string, extra: Partial<PlanInput> = {}): Promise<string> {
  try {
    await planText(text, extra);
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    const range = error.location?.range;
    const excerpt = range === undefined ? '-' : text.slice(range.start.offset, range.end.offset);
    return [
      `${error.kind} ${error.code}: ${error.message}`,
      `  at ${range?.start.line ?? 0}: ${excerpt}`,
      ...(error.hint === undefined ? [] : [`  hint: ${error.hint}`]),
    ].join('\n');
  }
  throw new Error('was planned');
}
