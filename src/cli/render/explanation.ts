import type { Cause, Change, FileCause } from '../../cache/explain/cause.ts';
import { safeText } from '../../progress/safe-text.ts';
import type { Explanation, StepExplanation } from '../../record/explanation.ts';
import { createdSince } from './human.ts';

const SHORT_DIGEST = 'sha256:'.length + 12;

const OUTCOMES: Record<StepExplanation['outcome'], string> = {
  ran: 'ran',
  cached: 'cached',
  failed: 'failed',
  canceled: 'canceled',
  'not-reached': 'not reached',
};

const VALUES = {
  instruction: 'instruction',
  command: 'command',
  shell: 'shell',
  user: 'user',
  workdir: 'working directory',
  network: 'network mode',
  security: 'security mode',
  hostname: 'host name',
  platform: 'platform',
  'source-date-epoch': 'SOURCE_DATE_EPOCH',
  destination: 'destination',
  chown: '--chown',
  chmod: '--chmod',
  link: '--link',
  parents: '--parents',
  unpack: '--unpack',
  mount: 'mount',
  secret: 'secret',
  ssh: 'ssh mount',
} as const;

const NO_CACHE = {
  option: '--no-cache',
  filter: '--no-cache-filter names its stage',
  comment: 'the comment "slipway: no-cache" stands above it',
};

/** A build's explanation for people: each step with its reasons below it. `now` in milliseconds since 1970. */
export function renderExplanation(explanation: Explanation, now: number): string {
  const { build, steps, comparedWith } = explanation;
  const others = comparedWith.length === 0 ? '' : `, compared with ${comparedWith.join(', ')}`;
  const lines = [`Build ${build}${others}`];
  for (const step of steps) {
    lines.push(`${safeText(step.step)}: ${OUTCOMES[step.outcome]}${originOf(step, now)}`);
    for (const cause of step.causes) lines.push(`  ${safeText(causeText(cause))}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function originOf({ from, sameAs }: StepExplanation, now: number): string {
  if (sameAs !== undefined) return `, the same as ${safeText(sameAs)}`;
  if (from === undefined) return '';
  if (from.build === '') return ', from an imported cache';
  const age =
    from.started === undefined ? '' : ` (${createdSince(new Date(from.started).toISOString(), now)})`;
  return `, from build ${safeText(from.build)}${age}`;
}

/** One cause as a line. Not yet safe to print. */
export function causeText(cause: Cause): string {
  switch (cause.kind) {
    case 'no-cache':
      return NO_CACHE[cause.by];
    case 'new':
      return 'no earlier build has this step';
    case 'pruned':
      return `its result, made by build ${cause.build}, is no longer in the store`;
    case 'unfinished':
      return `it had no result in build ${cause.build} (${cause.outcome})`;
    case 'variable-order':
      return 'environment variables are in another order';
    case 'argument':
    case 'environment': {
      const what = cause.kind === 'argument' ? 'argument' : 'environment variable';
      return `${what} ${cause.name} ${change(cause)}`;
    }
    case 'file':
      return `file ${cause.path} ${cause.change}${aspects(cause)}${place(cause)}`;
    case 'files-unknown':
      return cause.why === 'not-recorded'
        ? `files changed${place(cause)}; the record does not say which`
        : `files changed${place(cause)} in what the record does not hold, such as extended attributes`;
    case 'more-files':
      return `and ${cause.count} more files`;
    case 'base':
      return baseText(cause);
    case 'upstream':
      return `upstream step ${cause.step} has another result`;
    case 'step-added':
      return `a step was added before it: ${cause.step}`;
    case 'step-removed':
      return `a step was removed before it: ${cause.step}`;
    case 'order':
      return 'the steps before it are in another order';
    case 'heredoc':
      return `here-document ${cause.name} ${cause.change}`;
    case 'other':
      return `${cause.name} ${change(cause)}`;
    default:
      return `${VALUES[cause.kind]} ${change(cause)}`;
  }
}

function change({
  change: what,
  before,
  after,
}: {
  change: Change;
  before?: string;
  after?: string;
}): string {
  if (before !== undefined && after !== undefined) return `${what}: ${before} -> ${after}`;
  const value = what === 'removed' ? before : after;
  return value === undefined ? what : `${what}: ${value}`;
}

function aspects({ what }: FileCause): string {
  return what === undefined ? '' : ` (${what.join(', ')})`;
}

function place({ from, mount }: { from?: string; mount?: string }): string {
  return `${from === undefined ? '' : ` in ${from}`}${mount === undefined ? '' : `, mounted at ${mount}`}`;
}

function baseText({ before, after }: Extract<Cause, { kind: 'base' }>): string {
  const digests = `${before.digest.slice(0, SHORT_DIGEST)} -> ${after.digest.slice(0, SHORT_DIGEST)}`;
  return before.reference === after.reference
    ? `base image ${after.reference} changed: ${digests}`
    : `base image changed: ${before.reference} -> ${after.reference}`;
}
