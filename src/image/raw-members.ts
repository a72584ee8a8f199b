/**
 * The members of a JSON object as their text, compacted as Go's encoding/json compacts raw messages: no blanks, and
 * `<`, `>`, `&`, U+2028 and U+2029 escaped. Numbers and the order of inner members stay as they were written. Of members
 * with the same name the last counts. `text` must be a valid JSON object.
 */
export function rawMembers(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let depth = 0;
  let name: string | undefined;
  let value: string[] = [];
  const finish = (): void => {
    if (name !== undefined) members.set(name, value.join(''));
    name = undefined;
    value = [];
  };
  for (const token of tokens(text)) {
    const closes = token === '}' || token === ']';
    if (closes) depth--;
    if (depth === 0 && (closes || token === '{')) finish();
    else if (depth === 1 && name === undefined) name = JSON.parse(token) as string;
    else if (depth === 1 && token === ',') finish();
    else if (depth !== 1 || token !== ':') value.push(token);
    if (token === '{' || token === '[') depth++;
  }
  return members;
}

const SEPARATOR = /[\s{}[\],:"]/g;

function* tokens(text: string): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const first = text[at]!;
    let end = at + 1;
    if (first === '"') end = stringEnd(text, at);
    else if (!'{}[],: \t\r\n'.includes(first)) {
      SEPARATOR.lastIndex = at;
      end = SEPARATOR.exec(text)?.index ?? text.length;
    }
    const token = text.slice(at, end);
    if (token.trim() !== '') yield first === '"' ? escaped(token) : token;
    at = end;
  }
}

/** Behind the closing quote. Not a regular expression: texts of megabytes would fill its stack. */
function stringEnd(text: string, start: number): number {
  let end = start;
  do {
    end = text.indexOf('"', end + 1);
  } while (backslashesBefore(text, end) % 2 === 1);
  return end + 1;
}

function backslashesBefore(text: string, at: number): number {
  let count = 0;
  while (text[at - 1 - count] === '\\') count++;
  return count;
}

function escaped(token: string): string {
  return token.replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
