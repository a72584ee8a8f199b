import { SlipwayError } from '../../errors/index.ts';
import { safeText } from '../../progress/safe-text.ts';
import { parseByteSize } from '../byte-size.ts';
import { defineCommand } from '../command.ts';

const PLACES = 'a tar archive, a directory, docker://NAME, oci:DIRECTORY[:TAG] or oci-archive:FILE[:TAG]';

/** `slipway cache export` */
export const cacheExport = defineCommand({
  usage: '[OPTIONS] CACHE [CACHE...]',
  flags: {
    output: { type: 'string', short: 'o', usage: `Write to ${PLACES}, instead of STDOUT` },
    limit: { type: 'string', usage: 'Most bytes that a cache mount may hold (default: "2g")' },
  },
  args: { least: 1 },
  async run(context, { values, args }) {
    const { parseMountPlace } = await import('../../engine/travel/mount-place.ts');
    const to = parseMountPlace(values.output);
    if (to.kind === 'archive' && to.path === undefined && context.stdout.isTTY) {
      throw new SlipwayError(
        'usage',
        'cowardly refusing to write to a terminal. Use the -o flag or redirect',
        {
          code: 'STDOUT_IS_TERMINAL',
        },
      );
    }
    const { exportMounts } = await import('../../engine/travel/mounts-by-hand.ts');
    const { root, env, signal } = context;
    await exportMounts({ ids: args, to, limit: limitOf(values.limit), root, env, signal });
    return 0;
  },
});

/** `slipway cache import` */
export const cacheImport = defineCommand({
  usage: '[OPTIONS] [CACHE...]',
  flags: {
    input: { type: 'string', short: 'i', usage: `Read from ${PLACES}, instead of STDIN` },
    limit: { type: 'string', usage: 'Most bytes that a cache mount may hold (default: "2g")' },
  },
  args: { least: 0 },
  async run(context, { values, args }) {
    const { parseMountPlace } = await import('../../engine/travel/mount-place.ts');
    const from = parseMountPlace(values.input);
    if (from.kind === 'archive' && from.path === undefined && context.stdin().isTTY) {
      throw new SlipwayError('usage', 'there is nothing on standard input', {
        code: 'STDIN_IS_TERMINAL',
        hint: 'Name the archive with -i, or pipe it in.',
      });
    }
    const { importMounts } = await import('../../engine/travel/mounts-by-hand.ts');
    const { root, env, signal, stdout } = context;
    await importMounts({
      from,
      ids: args,
      limit: limitOf(values.limit),
      root,
      env,
      signal,
      onImported: (id) => stdout.write(`${safeText(id)}\n`),
    });
    return 0;
  },
});

function limitOf(text: string): number | undefined {
  return text === '' ? undefined : parseByteSize(text);
}
