import { defineCommand } from '../command.ts';

/** `slipway push` */
export const push = defineCommand({
  usage: '[OPTIONS] NAME[:TAG] [DESTINATION]',
  flags: {
    'all-tags': { type: 'bool', short: 'a', usage: 'Push all tags of an image to the repository' },
    'disable-content-trust': {
      type: 'bool',
      usage: 'Skip image signing',
      hidden: true,
      ineffective: 'images are not signed',
      unless: (value) => value === 'true',
    },
    platform: {
      type: 'string',
      usage:
        "Push a platform-specific manifest as a single-platform image to the registry. Image index won't be pushed, meaning that other manifests, including attestations won't be preserved. 'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)",
    },
    quiet: { type: 'bool', short: 'q', usage: 'Suppress verbose output' },
  },
  args: { least: 1, most: 2 },
  async run({ root, env, signal, stdout }, { values, args }) {
    const [image, destination] = args as [string, string | undefined];
    const { push } = await import('../../engine/push/push.ts');
    const { pushLines } = await import('../render/push-lines.ts');
    const { parseReference, familiarReference, withDefaultTag } = await import('../../image/reference.ts');
    const { parsePlatform } = await import('../../image/platform.ts');
    const allTags = values['all-tags'];
    const platform = values.platform === '' ? undefined : parsePlatform(values.platform);
    if (destination !== undefined) {
      const onEvent = values.quiet ? undefined : pushLines(stdout);
      await push({ image, allTags, destination, platform, root, env, signal, ...(onEvent && { onEvent }) });
      if (values.quiet) stdout.write(`${destination}\n`);
      return 0;
    }
    const reference = parseReference(image);
    const needsTag = !allTags && reference.tag === undefined && reference.digest === undefined;
    if (needsTag && !values.quiet) stdout.write('Using default tag: latest\n');
    const onEvent = values.quiet ? undefined : pushLines(stdout);
    await push({ image, allTags, platform, root, env, signal, ...(onEvent && { onEvent }) });
    if (values.quiet) stdout.write(`${familiarReference(allTags ? reference : withDefaultTag(reference))}\n`);
    return 0;
  },
});
