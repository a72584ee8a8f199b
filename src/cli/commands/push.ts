import type { PushEvent } from '../../engine/push/push.ts';
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
    const { parseReference, familiarReference, withDefaultTag } = await import('../../image/reference.ts');
    const { parsePlatform } = await import('../../image/platform.ts');
    const allTags = values['all-tags'];
    const platform = values.platform === '' ? undefined : parsePlatform(values.platform);
    if (destination !== undefined) {
      const onEvent = values.quiet ? undefined : pushLines((line) => stdout.write(line));
      await push({ image, allTags, destination, platform, root, env, signal, ...(onEvent && { onEvent }) });
      if (values.quiet) stdout.write(`${destination}\n`);
      return 0;
    }
    const reference = parseReference(image);
    const needsTag = !allTags && reference.tag === undefined && reference.digest === undefined;
    if (needsTag && !values.quiet) stdout.write('Using default tag: latest\n');
    const onEvent = values.quiet ? undefined : pushLines((line) => stdout.write(line));
    await push({ image, allTags, platform, root, env, signal, ...(onEvent && { onEvent }) });
    if (values.quiet) stdout.write(`${familiarReference(allTags ? reference : withDefaultTag(reference))}\n`);
    return 0;
  },
});

/** Writes what happens as Docker writes it where there is no terminal: a line for each change of a layer. */
function pushLines(write: (line: string) => void): (event: PushEvent) => void {
  let layers: readonly string[] = [];
  return (event) => {
    switch (event.type) {
      case 'repository':
        write(`The push refers to repository [${event.name}]\n`);
        break;
      case 'image':
        layers = event.layers.map((diffId) => diffId.slice('sha256:'.length, 'sha256:'.length + 12));
        // Top first, as Docker lists them.
        for (const layer of [...layers].reverse()) write(`${layer}: Preparing\n`);
        break;
      case 'layer': {
        const text = stateText(event.state);
        if (text !== undefined) write(`${layers[event.index]}: ${text}\n`);
        break;
      }
      case 'pushed': {
        const { digest, size } = event.manifest;
        write(`${event.tag}: digest: ${digest} size: ${size}\n`);
      }
    }
  };
}

function stateText(state: Extract<PushEvent, { type: 'layer' }>['state']): string | undefined {
  switch (state.state) {
    case 'pushed':
      return 'Pushed';
    case 'exists':
      return 'Layer already exists';
    case 'mounted':
      return `Mounted from ${state.from}`;
    default:
      return undefined;
  }
}
