/** Whether a text is the JSON form of an instruction: it begins with `[` and is, as a whole, JSON (SPEC 1.4). */
export function isJsonForm(text: string): boolean {
  if (!text.startsWith('[')) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The end of the string literal at `index` of a text that is known to be JSON. */
export function jsonStringEnd(text: string, index: number): number {
  let at = index + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** The end of the JSON value at `index` that is not a string: nested arrays and objects as a whole. */
export function jsonValueEnd(text: string, index: number): number {
  let depth = 0;
  let at = index;
  while (at < text.length) {
    const character = text[at]!;
    if (character === '"') {
      at = jsonStringEnd(text, at);
      continue;
    }
    if (depth === 0 && (character === ',' || character === ']' || /\s/.test(character))) break;
    if (character === '[' || character === '{') depth++;
    else if (character === ']' || character === '}') {
      depth--;
      if (depth === 0) return at + 1;
    }
    at++;
  }
  return at;
}

/** The string of a literal. Half of a surrogate pair becomes U+FFFD, as in Docker. */
export function jsonString(literal: string): string {
  return (JSON.parse(literal) as string).toWellFormed();
}
