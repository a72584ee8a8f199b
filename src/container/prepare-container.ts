import { randomBytes } from 'node:crypto';
import { posix, resolve } from 'node:path';
import { SlipwayError } from '../errors/index.ts';
import { normalizePlatform } from '../image/platform.ts';
import type { ContainerConfig, ImageConfig } from '../image/types.ts';
import type { ContainerRequest, Volume } from './container-request.ts';

/** What `run` asks for beside the image. */
export interface RunOptions {
  /** Replaces the image's CMD; empty leaves it. */
  command: readonly string[];
  env?: Readonly<Record<string, string>>;
  /** `source:target[:ro|rw]`. */
  volumes?: readonly string[];
  workdir?: string | undefined;
  user?: string | undefined;
  /** Undefined leaves the image's; empty takes it away. The image's CMD goes with it. */
  entrypoint?: string | undefined;
  network?: 'default' | 'none' | 'host';
  interactive?: boolean;
  terminal?: { rows: number; columns: number } | undefined;
}

const DEFAULT_PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Merges an image's configuration with a command line, as `docker run` does. Throws `usage` without a command. */
export function prepareContainer(
  { config, ...platform }: Pick<ImageConfig, 'config' | 'os' | 'architecture' | 'variant'>,
  layers: string[],
  options: RunOptions,
): ContainerRequest {
  const id = randomBytes(6).toString('hex');
  return {
    id,
    layers,
    platform: normalizePlatform(platform),
    args: argsOf(config, options),
    env: envOf(config, options, id),
    cwd: cwdOf(config, options),
    user: options.user ?? config.User ?? '',
    hostname: id,
    volumes: (options.volumes ?? []).map(parseVolume),
    network: options.network === 'none' ? 'none' : 'host',
    interactive: options.interactive ?? false,
    terminal: options.terminal,
  };
}

function cwdOf(config: ContainerConfig, { workdir }: RunOptions): string {
  if (workdir !== undefined && !workdir.startsWith('/')) {
    throw new SlipwayError(
      'usage',
      `the working directory '${workdir}' is invalid, it needs to be an absolute path`,
      { code: 'WORKDIR_INVALID' },
    );
  }
  return posix.resolve('/', workdir ?? config.WorkingDir ?? '');
}

function argsOf(config: ContainerConfig, { command, entrypoint }: RunOptions): string[] {
  const args =
    entrypoint === undefined
      ? [...(config.Entrypoint ?? []), ...(command.length > 0 ? command : (config.Cmd ?? []))]
      : [...(entrypoint === '' ? [] : [entrypoint]), ...command];
  if (args.length === 0) {
    throw new SlipwayError('usage', 'no command specified', {
      code: 'NO_COMMAND',
      hint: 'The image has neither CMD nor ENTRYPOINT: name a program after the image.',
    });
  }
  return args;
}

/** Later ones replace earlier ones of the same name in place. */
function envOf(config: ContainerConfig, options: RunOptions, hostname: string): string[] {
  const env = new Map<string, string>();
  const set = (entry: string): void => {
    const at = entry.indexOf('=');
    env.set(at === -1 ? entry : entry.slice(0, at), entry);
  };
  for (const entry of [DEFAULT_PATH, `HOSTNAME=${hostname}`, ...(options.terminal ? ['TERM=xterm'] : [])])
    set(entry);
  for (const entry of config.Env ?? []) set(entry);
  for (const [name, value] of Object.entries(options.env ?? {})) set(`${name}=${value}`);
  return [...env.values()];
}

function parseVolume(text: string): Volume {
  const [source = '', target, mode = 'rw', ...rest] = text.split(':');
  if (target === undefined || rest.length > 0 || !['rw', 'ro'].includes(mode)) {
    throw new SlipwayError('usage', `invalid volume specification: '${text}'`, {
      code: 'VOLUME_INVALID',
      hint: 'Write -v /path/on/this/machine:/path/in/container[:ro].',
    });
  }
  if (!target.startsWith('/')) {
    throw new SlipwayError(
      'usage',
      `invalid volume specification: '${text}': the path in the container must be absolute`,
      {
        code: 'VOLUME_INVALID',
      },
    );
  }
  if (!source.startsWith('/') && !source.startsWith('.')) {
    throw new SlipwayError('unsupported', `named volumes are not supported: ${source}`, {
      code: 'NAMED_VOLUME',
      hint: `For a directory of this name write ./${source}.`,
    });
  }
  return { source: resolve(source), target: posix.normalize(target), readOnly: mode === 'ro' };
}
