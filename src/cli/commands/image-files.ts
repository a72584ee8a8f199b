import type { ImageFile } from '../../engine/look/image-files.ts';
import { SlipwayError } from '../../errors/index.ts';
import { showTime } from '../../image/time.ts';
import { textOf } from '../../sys/bytes.ts';
import { defineCommand } from '../command.ts';

/** `slipway image ls-files` */
export const imageLsFiles = defineCommand({
  usage: '[OPTIONS] IMAGE [PATH...]',
  flags: {
    layer: { type: 'string', valueName: 'number', usage: 'Only what this layer holds (1 for the base)' },
    long: { type: 'bool', short: 'l', usage: 'Modes, owners, sizes and times too' },
    null: {
      type: 'bool',
      short: 'z',
      usage: 'End each path with a NUL byte, and leave its bytes as they are',
    },
  },
  args: { least: 1 },
  async run(context, { values, args: [image, ...paths] }) {
    const layer = layerNumber(values.layer);
    const { listImageFiles } = await import('../../engine/look/image-files.ts');
    const { root, env, signal, stdout } = context;
    const options = { image: image!, paths, root, env, signal };
    const files = await listImageFiles(layer === undefined ? options : { ...options, layer });
    if (values.null) {
      for (const { path } of files) stdout.write(Buffer.from(`/${path}\0`, 'latin1'));
    } else {
      stdout.write(
        files.map((file) => `${values.long ? longLine(file) : `/${textOf(file.path)}`}\n`).join(''),
      );
    }
    return 0;
  },
});

/** `slipway image cat` */
export const imageCat = defineCommand({
  usage: 'IMAGE PATH',
  flags: {},
  args: { least: 2, most: 2 },
  async run({ root, env, signal }, { args: [image, path] }) {
    const { catImageFile } = await import('../../engine/look/image-files.ts');
    await catImageFile({ image: image!, path: path!, root, env, signal });
    return 0;
  },
});

function layerNumber(text: string): number | undefined {
  if (text === '') return undefined;
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new SlipwayError('usage', `invalid --layer ${JSON.stringify(text)}`, {
    code: 'LAYER_INVALID',
    hint: 'A number from 1 for the base: slipway image layers shows them.',
  });
}

const LETTERS = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  char: 'c',
  block: 'b',
  fifo: 'p',
  socket: 's',
} as const;

/** As `ls -l`, with numbers for owners and a time that says its zone. */
function longLine({ path, node }: ImageFile): string {
  const { type, mode, uid, gid, size, mtimeNs, link, major = 0, minor = 0 } = node;
  const amount = type === 'char' || type === 'block' ? `${major},${minor}` : String(size);
  const time = showTime(mtimeNs);
  const target = link === undefined ? '' : ` -> ${textOf(link)}`;
  const columns = [
    `${LETTERS[type]}${permissions(mode)}`,
    `${uid}:${gid}`.padEnd(9),
    amount.padStart(10),
    time,
  ];
  return `${columns.join(' ')} /${textOf(path)}${target}`;
}

function permissions(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, index) => ((mode >> (8 - index)) & 1 ? letter : '-'));
  const special: [bit: number, at: number, set: string, without: string][] = [
    [0o4000, 2, 's', 'S'],
    [0o2000, 5, 's', 'S'],
    [0o1000, 8, 't', 'T'],
  ];
  for (const [bit, at, set, without] of special)
    if ((mode & bit) !== 0) letters[at] = letters[at] === 'x' ? set : without;
  return letters.join('');
}
