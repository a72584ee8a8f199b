import { type CommandContext, defineCommand } from '../command.ts';
import type { DownloadLine } from '../render/download-line.ts';

/** What an `import` command line asks for. */
export interface ImportRequest {
  /** Path of a file or directory, URL or `-`. */
  source: string;
  /** As given; undefined leaves the image without a name. */
  reference: string | undefined;
  /** Dockerfile instructions for the configuration. */
  changes: string[];
  message: string;
  /** As given; undefined is this machine's. */
  platform: string | undefined;
}

/** `slipway import` */
export const importCommand = defineCommand({
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  flags: {
    change: { type: 'list', short: 'c', usage: 'Apply Dockerfile instruction to the created image' },
    message: { type: 'string', short: 'm', usage: 'Set commit message for imported image' },
    platform: { type: 'string', usage: 'Set platform if the image is for another one' },
  },
  args: { least: 1 },
  run: (context, { values, args }) =>
    perform(
      {
        source: args[0]!,
        reference: args[1],
        changes: values.change,
        message: values.message,
        platform: values.platform || undefined,
      },
      context,
    ),
});

/** Imports and prints the image id. */
async function perform(request: ImportRequest, context: CommandContext): Promise<number> {
  const [{ importImage, isUrl }, { parsePlatform }] = await Promise.all([
    import('../../engine/import.ts'),
    import('../../image/platform.ts'),
  ]);
  const { root, env, signal, stdout } = context;
  const { source, reference, changes, message, platform } = request;
  const lines = isUrl(source) ? await downloadLines(source, stdout) : undefined;
  const id = await importImage({
    source,
    onDownload: lines?.received,
    reference,
    changes,
    message,
    platform: platform === undefined ? undefined : parsePlatform(platform),
    root,
    env,
    signal,
  }).finally(() => lines?.end());
  stdout.write(`${id}\n`);
  return 0;
}

/** Says what is fetched, as Docker does, and on a terminal how far it is. */
async function downloadLines(source: string, stdout: NodeJS.WriteStream): Promise<DownloadLine> {
  const [{ redactUrl }, { downloadLine }] = await Promise.all([
    import('../../errors/redact-url.ts'),
    import('../render/download-line.ts'),
  ]);
  stdout.write(`Downloading from ${redactUrl(source)}\n`);
  return downloadLine(stdout);
}
