/** Words farther away than this from what was written are no suggestion (Docker's limit). */
const MAX_DISTANCE = 2;

/**
 * The nearest known word for "did you mean"; undefined when none is near or one is equal (then the word was not
 * the mistake).
 */
export function suggest(
  word: string,
  known: Iterable<string>,
  options: { ignoreCase?: boolean } = {},
): string | undefined {
  const fold = (text: string) => (options.ignoreCase === true ? text.toLowerCase() : text);
  const wanted = fold(word);
  let best: string | undefined;
  let bestDistance = MAX_DISTANCE + 1;
  for (const candidate of known) {
    const folded = fold(candidate);
    if (folded === wanted) return undefined;
    if (Math.abs(folded.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted, folded);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** ` (did you mean x?)` to put behind an error's text, or nothing. */
export function didYouMean(match: string | undefined): string {
  return match === undefined ? '' : ` (did you mean ${match}?)`;
}

/** Levenshtein distance. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + cost));
    }
    row = next;
  }
  return row[b.length]!;
}
