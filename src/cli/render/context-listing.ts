import type { RuleLine } from '../../context/earlier-rules.ts';
import type { ContextListing, ContextReader, PathReason } from '../../engine/list-context.ts';
import { safeText } from '../../progress/safe-text.ts';
import { humanSize } from './human.ts';

/** One name a line; directories end with a slash. */
export function namesText(listing: ContextListing, { size }: { size: boolean }): string {
  const width = Math.max(0, ...listing.names.map((name) => humanSize(name.size).length));
  return listing.names
    .map((name) => {
      const path = `${safeText(name.path)}${name.type === 'directory' ? '/' : ''}`;
      return size ? `${humanSize(name.size).padStart(width)}  ${path}\n` : `${path}\n`;
    })
    .join('');
}

/** How much that is, what is missing, and rules that do nothing. */
export function summaryText(listing: ContextListing): string {
  const { totals, readers, dockerfile, unused, problems } = listing;
  const lines = [
    `${count(totals.files, 'file')}, ${humanSize(totals.bytes)}, read by ${count(readers.length, 'instruction')} of ${safeText(dockerfile)}`,
    ...problems.map(
      (problem) =>
        `${place(problem)}: ${safeText(problem.message)}${problem.hint ? ` (${safeText(problem.hint)})` : ''}`,
    ),
    ...unused.map((rule) => `${ruleText(rule, listing)} matches nothing`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** A line for each path that was asked for. */
export function reasonsText(listing: ContextListing): string {
  return listing.why.map((reason) => `${safeText(reason.path)}: ${reasonText(reason, listing)}\n`).join('');
}

function reasonText(reason: PathReason, listing: ContextListing): string {
  const { exists, hidden, rule, readBy } = reason;
  const by = rule === undefined ? undefined : ruleText(rule, listing);
  const verdict = hidden ? `hidden by ${by ?? 'a rule'}` : by === undefined ? 'not hidden' : `kept by ${by}`;
  if (!exists) return `there is no such file (${hidden ? 'it would be ' : ''}${verdict})`;
  if (hidden) return verdict;
  return `${verdict}; ${readBy.length === 0 ? 'no instruction reads it' : `read by ${readBy.map(place).join(', ')}`}`;
}

function ruleText({ file, line, pattern }: RuleLine, { ignoreFile }: ContextListing): string {
  const quoted = JSON.stringify(safeText(pattern));
  return line === 0
    ? `git's own rule ${quoted}`
    : `line ${line} of ${safeText(file ?? ignoreFile ?? '')} (${quoted})`;
}

function place({ line, instruction }: ContextReader): string {
  return line === 0 ? safeText(instruction) : `line ${line} (${safeText(instruction)})`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? '' : 's'}`;
}
