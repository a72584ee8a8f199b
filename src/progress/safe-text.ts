// Complete sequences a terminal would act on (ECMA-48): CSI … final byte; OSC, DCS, PM, APC, SOS up to their end.
const CSI = '\\x1b\\[[0-?]*[ -/]*[@-~]';
const STRING = '\\x1b[\\]PX^_][^\\x07\\x1b\\x9c]*(?:\\x07|\\x1b\\\\|\\x9c)';
const SEQUENCES = new RegExp(`${STRING}|${CSI}`, 'g');
const COLOUR = /^\x1b\[[0-9;:]*m$/;
// Controls that are left, and characters that change the direction of what follows them.
const UNSAFE = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const ANY_UNSAFE = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
// JSON leaves these as they are.
const UNESCAPED = /[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const RESET = '\x1b[0m';

/**
 * Text of unknown origin (names, errors, paths) as one line that a terminal shows and does nothing else with:
 * escape sequences are dropped, what is left of control characters is shown (`^G`, `<U+202E>`). Tabs stay.
 */
export function safeText(text: string): string {
  if (!ANY_UNSAFE.test(text)) return text;
  return showControls(text.replace(SEQUENCES, ''));
}

/** `safeText` of text in several lines. */
export function safeLines(text: string): string {
  return text.split('\n').map(safeText).join('\n');
}

/** As `safeText`, but colours (SGR sequences) stay and end with the text. For one line of a log. */
export function safeColouredText(text: string): string {
  if (!ANY_UNSAFE.test(text)) return text;
  let coloured = false;
  let out = '';
  let from = 0;
  for (const match of text.matchAll(SEQUENCES)) {
    out += showControls(text.slice(from, match.index));
    from = match.index + match[0].length;
    if (!COLOUR.test(match[0])) continue;
    out += match[0];
    coloured = true;
  }
  out += showControls(text.slice(from));
  return coloured && !out.endsWith(RESET) ? out + RESET : out;
}

/** What a terminal would show of a line with carriage returns, for progress bars: the last part that has text. */
export function lastOverprint(text: string): string {
  if (!text.includes('\r')) return text;
  return text.split('\r').findLast((part) => part !== '') ?? '';
}

/** JSON of a value, with what a terminal would act on escaped. `indent` as JSON.stringify takes it. */
export function safeJson(value: unknown, indent?: number | string): string {
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, null, indent).replace(UNESCAPED, escaped);
}

function showControls(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const code = char.codePointAt(0)!;
    if (code < 0x20) return `^${String.fromCharCode(code + 0x40)}`;
    if (code === 0x7f) return '^?';
    return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
  });
}
