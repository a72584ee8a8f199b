import { expect, it } from 'vitest';
import { takeBuiltins } from '../../tools/builtin-imports.ts';

const taken = (name: string) => `process.getBuiltinModule("node:${name}")`;

it.each([
  ['import { a, b } from "node:fs";', `const { a, b } = ${taken('fs')};`],
  [
    'import { constants as constants$1 } from "node:fs";',
    `const { constants: constants$1 } = ${taken('fs')};`,
  ],
  ['import path from "node:path";', `const path = ${taken('path')};`],
  [
    'import path, { join, sep as s } from "node:path";',
    `const path = ${taken('path')}; const { join, sep: s } = ${taken('path')};`,
  ],
  [
    'import { crc32, constants, deflateRaw as d$1 } from "node:zlib";',
    `const crc32 = (...args) => ${taken('zlib')}.crc32(...args); const d$1 = (...args) => ${taken('zlib')}.deflateRaw(...args); const { constants } = ${taken('zlib')};`,
  ],
  [
    'import { Server, connect } from "node:net";',
    `const connect = (...args) => ${taken('net')}.connect(...args); const { Server } = ${taken('net')};`,
  ],
  [
    'import { execFile } from "node:child_process";',
    `const execFile = (...args) => ${taken('child_process')}.execFile(...args);`,
  ],
  [
    'import { execFile as e } from "node:child_process";\npromisify(e);',
    `const { execFile: e } = ${taken('child_process')};\npromisify(e);`,
  ],
  [
    'import { execFile } from "node:child_process";\npromisify$1(execFile);',
    `const { execFile } = ${taken('child_process')};\npromisify$1(execFile);`,
  ],
  ['import { t as a } from "./chunk.js";', 'import { t as a } from "./chunk.js";'],
  [
    'const { spawn } = await import("node:child_process");',
    'const { spawn } = await import("node:child_process");',
  ],
])('%s', (code, expected) => {
  expect(takeBuiltins(`${code}\nrest();\n`)).toBe(`${expected}\nrest();\n`);
});
