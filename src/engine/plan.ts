import { hash } from 'node:crypto';
import type { Dockerfile } from '../../grammar/ast.ts';
import { parse, parseTrigger } from '../../grammar/parse.ts';
import { localPlatform } from '../image/platform.ts';
import type { Digest, Platform } from '../image/types.ts';
import { compilePlan } from '../plan/compile.ts';
import type { ResolvedImage } from '../plan/options.ts';
import type { Plan } from '../plan/types.ts';
import { checkSyntax } from './foreign-syntax.ts';
import { parseNamedContexts, type TargetContext } from './sources/named-context.ts';
import { plannedContexts } from './sources/planned-contexts.ts';
import { syntaxError } from './syntax-error.ts';

/** What a plan is made for; everything has a usual value. */
export interface PlanRequest {
  target?: string | undefined;
  /** Every stage of the file, needed or not. */
  allStages?: boolean | undefined;
  buildArgs?: Readonly<Record<string, string>>;
  labels?: Readonly<Record<string, string>>;
  platform?: Platform;
  /** Named contexts, as for a build; none is opened. */
  buildContexts?: Readonly<Record<string, string | TargetContext>>;
  network?: 'default' | 'none' | 'host';
  /** How errors call the file. Default `Dockerfile`. */
  file?: string;
  /** Read the file as Docker's whatever frontend it asks for. */
  ignoreSyntax?: boolean;
  /**
   * Looks up the images that the Dockerfile names, by normalised reference. By default every image is taken to
   * exist and to have an empty configuration, which is enough to see stages and steps.
   */
  resolveImage?: (reference: string, platform: Platform) => Promise<ResolvedImage | undefined>;
}

/**
 * Compiles the text of a Dockerfile into the stages and steps that its target needs, as plain data. Needs no kernel
 * and no store. Throws `syntax` for a file that does not parse, `invalid` and `not-found` for one that makes no sense.
 */
export async function plan(text: string, request: PlanRequest = {}): Promise<Plan> {
  const file = request.file ?? 'Dockerfile';
  const { dockerfile, errors }: { dockerfile: Dockerfile; errors: Parameters<typeof syntaxError>[0] } =
    parse(text);
  const buildArgs = new Map(Object.entries(request.buildArgs ?? {}));
  const foreign = checkSyntax({ file, text, buildArgs, ignoreSyntax: request.ignoreSyntax });
  if (errors.length > 0) throw syntaxError(errors, { file, text });
  const platform = request.platform ?? localPlatform();
  const compiled = await compilePlan(dockerfile, {
    target: request.target,
    allStages: request.allStages,
    buildArgs,
    labels: new Map(Object.entries(request.labels ?? {})),
    platform,
    network: request.network ?? 'default',
    namedContexts: plannedContexts(parseNamedContexts(request.buildContexts ?? {})),
    resolveImage: request.resolveImage ?? assumeImage,
    resolveContext: (name) => assumeImage(name, platform),
    parseTrigger,
    file,
    text,
  });
  if (foreign !== undefined) compiled.warnings.unshift(foreign);
  return compiled;
}

async function assumeImage(reference: string, { os, architecture }: Platform): Promise<ResolvedImage> {
  // An image without a layer would be planned as scratch.
  const diffIds: Digest[] = [`sha256:${hash('sha256', `assumed ${reference}`, 'hex')}`];
  const config = { os, architecture, config: {}, rootfs: { type: 'layers' as const, diff_ids: diffIds } };
  return { imageId: `assumed ${reference}`, config, diffIds };
}
