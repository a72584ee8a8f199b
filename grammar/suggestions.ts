/**
 * The option nearest to `word`, at most two edits away; undefined when there is none or `word` is itself an option.
 * Without `caseSensitive` the suggestion is in upper case when all of `word` is, else in lower case, as Docker's.
 */
export function suggest(
  word: string,
  options: readonly string[],
  { caseSensitive = true }: { caseSensitive?: boolean } = {},
): string | undefined {
  const wanted = caseSensitive ? word : word.toLowerCase();
  let best: string | undefined;
  let bestDistance = 3;
  for (const option of options) {
    const candidate = caseSensitive ? option : option.toLowerCase();
    if (candidate === wanted) return undefined;
    if (Math.abs(candidate.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted, candidate);
    if (distance < bestDistance) {
      best = option;
      bestDistance = distance;
    }
  }
  if (best === undefined || caseSensitive) return best;
  return word !== wanted && word === word.toUpperCase() ? best.toUpperCase() : best.toLowerCase();
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const substitution = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1);
      current.push(Math.min(substitution, previous[column]! + 1, current[column - 1]! + 1));
    }
    previous = current;
  }
  return previous[b.length]!;
}
