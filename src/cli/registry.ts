import type { Command, CommandEntry, CommandGroup } from './command.ts';

/** Erases the flag types of a loaded command; the table it carries is what gives its values their shape. */
function loaded(command: Command<never> | Command): Command {
  return command as Command;
}

export const groups: readonly CommandGroup[] = [
  { name: 'build-context', summary: 'Look at build contexts' },
  { name: 'builder', summary: 'Manage builds' },
  { name: 'builds', summary: 'Look at the records of earlier builds' },
  { name: 'buildx', summary: 'Manage builds, by the name that Docker has for it' },
  { name: 'cache', summary: 'Manage cache mounts' },
  { name: 'container', summary: 'Manage containers' },
  { name: 'image', summary: 'Manage images' },
  { name: 'imagetools', summary: 'Look at images in registries, and make images of them there' },
  { name: 'manifest', summary: 'Look at manifests in registries' },
  { name: 'system', summary: 'Manage Slipway' },
];

/** Every command. One definition serves all of its names; each is a chunk of its own in the bundle. */
export const commands: readonly CommandEntry[] = [
  {
    paths: ['image build', 'build', 'builder build', 'buildx build'],
    summary: 'Build an image from a Dockerfile',
    common: 1,
    load: async () => loaded((await import('./commands/build.ts')).build),
    needsWorker: (words) => (words.includes('--no-cache') ? { inheritStdio: false } : undefined),
  },
  {
    paths: ['container run', 'run'],
    summary: 'Create and run a new container from an image',
    common: 0,
    load: async () => loaded((await import('./commands/run.ts')).run),
    needsWorker: (words) =>
      words.length === 0 || words[0] === '--help' ? undefined : { inheritStdio: true },
  },
  {
    paths: ['image ls', 'image list', 'images'],
    summary: 'List images',
    common: 2,
    load: async () => loaded((await import('./commands/images.ts')).images),
  },
  {
    paths: ['inspect'],
    summary: 'Return low-level information on Slipway objects',
    load: async () => loaded((await import('./commands/inspect.ts')).inspect),
  },
  {
    paths: ['image inspect'],
    summary: 'Display detailed information on one or more images',
    load: async () => loaded((await import('./commands/inspect.ts')).imageInspect),
  },
  {
    paths: ['image history', 'history'],
    summary: 'Show the history of an image',
    load: async () => loaded((await import('./commands/history.ts')).history),
  },
  {
    paths: ['image tag', 'tag'],
    summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
    load: async () => loaded((await import('./commands/tag.ts')).tag),
  },
  {
    paths: ['image rm', 'image remove', 'rmi'],
    summary: 'Remove one or more images',
    load: async () => loaded((await import('./commands/rmi.ts')).rmi),
  },
  {
    paths: ['image prune'],
    summary: 'Remove unused images',
    load: async () => loaded((await import('./commands/image-prune.ts')).imagePrune),
  },
  {
    paths: ['image pull', 'pull'],
    summary: 'Download an image from a registry',
    common: 5,
    load: async () => loaded((await import('./commands/pull.ts')).pull),
  },
  {
    paths: ['image layers'],
    summary: 'Show what each layer of an image adds and wastes',
    load: async () => loaded((await import('./commands/image-layers.ts')).imageLayersCommand),
  },
  {
    paths: ['image diff'],
    summary: 'Show in what two images differ: configuration, layers, files',
    load: async () => loaded((await import('./commands/image-diff.ts')).imageDiff),
  },
  {
    paths: ['image ls-files'],
    summary: 'List the files of an image',
    load: async () => loaded((await import('./commands/image-files.ts')).imageLsFiles),
  },
  {
    paths: ['image cat'],
    summary: 'Print a file of an image',
    load: async () => loaded((await import('./commands/image-files.ts')).imageCat),
  },
  {
    paths: ['image save', 'save'],
    summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
    load: async () => loaded((await import('./commands/save.ts')).save),
  },
  {
    paths: ['image load', 'load'],
    summary: 'Load an image from a tar archive or STDIN',
    load: async () => loaded((await import('./commands/load.ts')).load),
  },
  {
    paths: ['image import', 'import'],
    summary: 'Import the contents from a tarball to create a filesystem image',
    load: async () => loaded((await import('./commands/import.ts')).importCommand),
  },
  {
    paths: ['image push', 'push'],
    summary: 'Upload an image to a registry',
    load: async () => loaded((await import('./commands/push.ts')).push),
  },
  {
    paths: ['manifest inspect'],
    summary: 'Display an image manifest, or manifest list',
    load: async () => loaded((await import('./commands/manifest-inspect.ts')).manifestInspect),
  },
  {
    paths: ['imagetools inspect'],
    summary: 'Show details of an image in the registry',
    load: async () => loaded((await import('./commands/imagetools-inspect.ts')).imagetoolsInspect),
  },
  {
    paths: ['imagetools create'],
    summary: 'Create a new image based on source images',
    load: async () => loaded((await import('./commands/imagetools-create.ts')).imagetoolsCreate),
  },
  {
    paths: ['search'],
    summary: 'Search a registry for images',
    load: async () => loaded((await import('./commands/search.ts')).search),
  },
  {
    paths: ['login'],
    summary: 'Log in to a registry',
    load: async () => loaded((await import('./commands/login.ts')).login),
  },
  {
    paths: ['logout'],
    summary: 'Log out from a registry',
    load: async () => loaded((await import('./commands/logout.ts')).logout),
  },
  {
    paths: ['builds ls', 'builds list'],
    summary: 'List the builds that are recorded',
    load: async () => loaded((await import('./commands/builds.ts')).buildsLs),
  },
  {
    paths: ['builds show', 'builds inspect'],
    summary: 'Show the steps of a build: results, times, sizes',
    load: async () => loaded((await import('./commands/builds.ts')).buildsShow),
  },
  {
    paths: ['builds logs'],
    summary: 'Show the complete output of the steps of a build, cached ones too',
    load: async () => loaded((await import('./commands/builds-logs.ts')).buildsLogs),
  },
  {
    paths: ['builds compare'],
    summary: 'Compare two builds step by step',
    load: async () => loaded((await import('./commands/builds.ts')).buildsCompare),
  },
  {
    paths: ['builds export'],
    summary: 'Write a build as Chrome trace events or OpenTelemetry spans',
    load: async () => loaded((await import('./commands/builds-export.ts')).buildsExport),
  },
  {
    paths: ['builds rm', 'builds remove'],
    summary: 'Remove the records of builds, logs and all',
    load: async () => loaded((await import('./commands/builds.ts')).buildsRm),
  },
  {
    paths: ['cache ls', 'cache list'],
    summary: 'List cache mounts',
    load: async () => loaded((await import('./commands/cache.ts')).cacheLs),
  },
  {
    paths: ['cache inspect'],
    summary: 'Display detailed information on one or more cache mounts',
    load: async () => loaded((await import('./commands/cache.ts')).cacheInspect),
  },
  {
    paths: ['cache rm', 'cache remove'],
    summary: 'Remove one or more cache mounts',
    load: async () => loaded((await import('./commands/cache.ts')).cacheRm),
  },
  {
    paths: ['cache export'],
    summary:
      'Write snapshots of cache mounts to a tar archive, a directory or a registry (STDOUT by default)',
    load: async () => loaded((await import('./commands/cache-travel.ts')).cacheExport),
  },
  {
    paths: ['cache import'],
    summary: 'Make cache mounts of their snapshots (STDIN by default)',
    load: async () => loaded((await import('./commands/cache-travel.ts')).cacheImport),
  },
  {
    paths: ['cache prune'],
    summary: 'Remove all cache mounts that no build uses',
    load: async () => loaded((await import('./commands/cache.ts')).cachePrune),
  },
  {
    paths: ['explain'],
    summary: 'Say why the steps of a build ran',
    load: async () => loaded((await import('./commands/explain.ts')).explain),
  },
  {
    paths: ['build-context ls', 'build-context list'],
    summary: 'List what a build would read of its context, and why',
    load: async () => loaded((await import('./commands/build-context-ls.ts')).buildContextLs),
  },
  {
    paths: ['graph'],
    summary: 'Draw the steps of a Dockerfile and what they wait for',
    load: async () => loaded((await import('./commands/graph.ts')).graph),
  },
  {
    paths: ['builder prune', 'buildx prune'],
    summary: 'Remove build cache',
    load: async () => loaded((await import('./commands/builder-prune.ts')).builderPrune),
  },
  {
    paths: ['builder du', 'buildx du'],
    summary: 'Show what the build cache takes on the disk',
    load: async () => loaded((await import('./commands/builder-du.ts')).builderDu),
  },
  {
    paths: ['system df'],
    summary: 'Show disk usage',
    load: async () => loaded((await import('./commands/system-df.ts')).systemDf),
  },
  {
    paths: ['system prune'],
    summary: 'Remove unused data',
    load: async () => loaded((await import('./commands/system-prune.ts')).systemPrune),
  },
  {
    paths: ['system check'],
    summary: 'Check every digest and reference of the store',
    load: async () => loaded((await import('./commands/system-check.ts')).systemCheck),
  },
  {
    paths: ['system info', 'info'],
    summary: 'Display system-wide information',
    common: 4,
    load: async () => loaded((await import('./commands/info.ts')).info),
  },
  {
    paths: ['completion'],
    summary: 'Generate the autocompletion script for a shell',
    load: async () => loaded((await import('./commands/completion.ts')).completion),
  },
  {
    paths: ['__complete'],
    summary: 'List what may stand at the end of a command line',
    hidden: true,
    load: async () => loaded((await import('./commands/completion.ts')).completeWords),
  },
  {
    paths: ['version'],
    summary: 'Show the Slipway version information',
    common: 3,
    load: async () => loaded((await import('./commands/version.ts')).version),
  },
];

/** What the first words of a command line name. `path` has no `slipway`, and the main name in its group:
 * `image list` is `image ls`. */
export type Resolved =
  | { kind: 'command'; entry: CommandEntry; path: string; rest: string[] }
  | { kind: 'group'; group: CommandGroup; path: string; rest: string[] }
  | { kind: 'unknown'; path: string; candidates: string[] };

/** Finds the command that `words` begin with. `candidates` are the names that would have been known there. */
export function resolve(words: readonly string[]): Resolved {
  const [first = '', second] = words;
  // `buildx imagetools create`
  if (first === 'buildx' && second === 'imagetools') return resolve(words.slice(1));
  const group = groups.find(({ name }) => name === first);
  if (group === undefined) {
    const entry = commands.find(({ paths }) => paths.includes(first));
    if (entry !== undefined) return { kind: 'command', entry, path: first, rest: words.slice(1) };
    const candidates = [
      ...commands.flatMap(({ paths }) => paths.filter((path) => !path.includes(' '))),
      ...groups.map(({ name }) => name),
      'help',
    ];
    return { kind: 'unknown', path: first, candidates };
  }
  if (second === undefined || second.startsWith('-')) {
    return { kind: 'group', group, path: first, rest: words.slice(1) };
  }
  const path = `${first} ${second}`;
  const entry = commands.find(({ paths }) => paths.includes(path));
  if (entry !== undefined) {
    const main = entry.paths.find((name) => name.startsWith(`${first} `))!;
    return { kind: 'command', entry, path: main, rest: words.slice(2) };
  }
  const candidates = commands.flatMap(({ paths }) =>
    paths.filter((name) => name.startsWith(`${first} `)).map((name) => name.slice(first.length + 1)),
  );
  return { kind: 'unknown', path, candidates };
}
