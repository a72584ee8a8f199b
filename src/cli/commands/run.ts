import { goQuote } from '../../dockerfile/go-text.ts';
import { SlipwayError } from '../../errors/index.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import type { FlagDefinition } from '../flags/definition.ts';
import { type IsolationChoice, isolationChoice } from '../isolation-choice.ts';
import { keyValues } from '../key-values.ts';
import { type RuntimeName, runtimeName } from '../runtime-name.ts';

/** What a `run` command line asks for. */
export interface RunRequest {
  image: string;
  /** As given; empty takes the image for this machine, or the only one. */
  platform: string;
  /** Replaces the image's CMD; empty leaves it. */
  command: string[];
  /** Forget the container when it has ended. */
  remove: boolean;
  /** Pass standard input on. */
  interactive: boolean;
  tty: boolean;
  env: Record<string, string>;
  /** As given: `source:target[:options]`. */
  volumes: string[];
  workdir: string | undefined;
  user: string | undefined;
  /** Undefined leaves the image's; empty takes it away. */
  entrypoint: string | undefined;
  network: 'default' | 'none' | 'host';
  runtime: RuntimeName;
  isolation: IsolationChoice | undefined;
}

const FOREGROUND = 'this version runs containers in the foreground and keeps none';
const HOST_NETWORK = 'this version gives containers the network of the host, or none';

/** `slipway run` */
export const run = defineCommand({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  flags: {
    entrypoint: { type: 'string', usage: 'Overwrite the default ENTRYPOINT of the image' },
    env: { type: 'list', short: 'e', usage: 'Set environment variables' },
    interactive: { type: 'bool', short: 'i', usage: 'Keep STDIN open even if not attached' },
    isolation: {
      type: 'string',
      usage: 'Isolation of the container ("auto", "none"); none is for the root of a container',
    },
    network: {
      type: 'string',
      default: 'default',
      valueName: 'network',
      usage: 'Connect a container to a network ("default", "host", "none")',
    },
    platform: { type: 'string', usage: 'Set platform if server is multi-platform capable' },
    rm: { type: 'bool', usage: 'Automatically remove the container when it exits' },
    runtime: {
      type: 'string',
      default: 'auto',
      usage: 'Runtime to use ("auto", "crun", "embedded", "runc")',
    },
    tty: { type: 'bool', short: 't', usage: 'Allocate a pseudo-TTY' },
    user: { type: 'string', short: 'u', usage: 'Username or UID (format: <name|uid>[:<group|gid>])' },
    volume: { type: 'list', short: 'v', usage: 'Bind mount a volume' },
    workdir: { type: 'string', short: 'w', usage: 'Working directory inside the container' },

    detach: { ...refused('bool', FOREGROUND), short: 'd' },
    memory: { ...refused('string', 'this version sets no limits'), short: 'm' },
    mount: refused('list', 'give a bind mount with -v'),
    name: refused('string', FOREGROUND),
    privileged: refused('bool', 'this version grants containers no further privileges'),
    publish: { ...refused('list', HOST_NETWORK), short: 'p' },
    restart: refused('string', FOREGROUND),
  },
  args: { least: 1 },
  flagsEndAtArgument: true,
  async run(context, { values, given, args }) {
    const network = values.network || 'default';
    if (network !== 'default' && network !== 'none' && network !== 'host') {
      throw new SlipwayError('not-found', `network ${goQuote(network)} not found`, {
        code: 'NETWORK_INVALID',
        hint: `${HOST_NETWORK}: --network=host or --network=none.`,
      });
    }
    const [image, ...command] = args as [string, ...string[]];
    const request: RunRequest = {
      image,
      platform: values.platform || context.env.DOCKER_DEFAULT_PLATFORM || '',
      command,
      remove: values.rm,
      interactive: values.interactive,
      tty: values.tty,
      env: keyValues(values.env, { env: context.env }),
      volumes: values.volume,
      workdir: values.workdir || undefined,
      user: values.user || undefined,
      entrypoint: given.has('entrypoint') ? values.entrypoint : undefined,
      network,
      runtime: runtimeName(values.runtime),
      isolation: isolationChoice(values.isolation),
    };
    return perform(request, context);
  },
});

/** Runs the container; resolves to its exit code. */
async function perform(request: RunRequest, context: CommandContext): Promise<number> {
  const { runInTerminal } = await import('./run-container.ts');
  return runInTerminal(request, context);
}

function refused<T extends FlagDefinition['type']>(type: T, why: string) {
  return { type, usage: '', refused: why };
}
