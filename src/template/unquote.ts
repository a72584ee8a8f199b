const SIMPLE: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

/** The value of a Go string literal in double quotes; undefined when it is malformed. */
export function unquoteString(literal: string): string | undefined {
  return unescaped(literal.slice(1, -1), '"');
}

/** The code point of a Go character literal; undefined when it is malformed. */
export function unquoteChar(literal: string): number | undefined {
  const text = unescaped(literal.slice(1, -1), "'");
  if (text === undefined) return undefined;
  const [character, ...more] = Array.from(text);
  return character === undefined || more.length > 0 ? undefined : character.codePointAt(0);
}

function unescaped(text: string, quote: string): string | undefined {
  const bytes: Buffer[] = [];
  const pattern =
    /\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))|([^\\]+)|(.)/gsu;
  for (const [, simple, hex, short, long, octal, plain] of text.matchAll(pattern)) {
    if (plain !== undefined) bytes.push(Buffer.from(plain));
    else if (simple !== undefined) {
      if ((simple === '"' || simple === "'") && simple !== quote) return undefined;
      bytes.push(Buffer.from(SIMPLE[simple] ?? simple));
    } else if (hex !== undefined) bytes.push(Buffer.of(Number.parseInt(hex, 16)));
    else if (octal !== undefined) {
      const value = Number.parseInt(octal, 8);
      if (value > 255) return undefined;
      bytes.push(Buffer.of(value));
    } else {
      const point = Number.parseInt(short ?? long ?? '', 16);
      if (Number.isNaN(point) || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return undefined;
      bytes.push(Buffer.from(String.fromCodePoint(point)));
    }
  }
  return Buffer.concat(bytes).toString();
}
