import { type CommandContext, defineCommand } from '../command.ts';

/** What a `pull` command line asks for. */
export interface PullRequest {
  name: string;
  allTags: boolean;
  /** As given; undefined is this machine's. */
  platform: string | undefined;
  quiet: boolean;
}

/** `slipway pull` */
export const pull = defineCommand({
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  flags: {
    'all-tags': { type: 'bool', short: 'a', usage: 'Download all tagged images in the repository' },
    platform: { type: 'string', usage: 'Set platform if server is multi-platform capable' },
    quiet: { type: 'bool', short: 'q', usage: 'Suppress verbose output' },
  },
  args: { least: 1, most: 1 },
  run: (context, { values, args }) =>
    perform(
      {
        name: args[0]!,
        allTags: values['all-tags'],
        platform: values.platform || context.env.DOCKER_DEFAULT_PLATFORM || undefined,
        quiet: values.quiet,
      },
      context,
    ),
});

/** Pulls, and prints what Docker prints. */
async function perform(request: PullRequest, context: CommandContext): Promise<number> {
  const [engine, references, { parsePlatform }, { LayerLines }] = await Promise.all([
    import('../../engine/pull/pull.ts'),
    import('../../image/reference.ts'),
    import('../../image/platform.ts'),
    import('../render/layer-lines.ts'),
  ]);
  const { root, env, signal, stdout } = context;
  const { name, allTags, platform, quiet } = request;
  const reference = references.parseReference(name);
  const say = (line: string): void => {
    if (!quiet) stdout.write(`${line}\n`);
  };
  const whole = allTags ? reference : references.withDefaultTag(reference);
  if (whole !== reference) say('Using default tag: latest');
  const lines = new LayerLines(stdout);
  let updated = false;
  await engine.pull({
    reference: name,
    allTags,
    platform: platform === undefined ? undefined : parsePlatform(platform),
    root,
    env,
    signal,
    onEvent: (event) => {
      if (quiet) return;
      if (event.type === 'layer') lines.show(event);
      else if (event.type === 'pulling') {
        const { tag, digest, path } = event.reference;
        const what = digest === undefined ? tag : references.formatReference(event.reference);
        say(`${what}: Pulling from ${path}`);
      } else {
        lines.end();
        say(`Digest: ${event.image.digest}`);
        updated ||= event.image.updated;
      }
    },
  });
  const { domain, path, tag, digest } = whole;
  const named = digest === undefined ? whole : { domain, path, digest };
  const familiar = references.familiarReference({
    ...named,
    ...(digest === undefined && tag ? { tag } : {}),
  });
  say(`Status: ${updated ? 'Downloaded newer image' : 'Image is up to date'} for ${familiar}`);
  stdout.write(`${references.formatReference(whole)}\n`);
  return 0;
}
