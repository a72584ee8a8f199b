import { type ContainerControl, run } from '../../container/run.ts';
import { SlipwayError } from '../../errors/index.ts';
import type { CommandContext } from '../command.ts';
import type { RunRequest } from './run.ts';

/** Runs a container on the terminal or the pipes of this process; resolves to its exit code. */
export async function runInTerminal(request: RunRequest, context: CommandContext): Promise<number> {
  const { stdout, root, env, signal } = context;
  const stdin = request.interactive ? context.stdin() : undefined;
  if (request.tty && stdin && !stdin.isTTY) {
    throw new SlipwayError('usage', 'the input device is not a TTY', {
      code: 'NOT_A_TTY',
      hint: 'Leave out -t when standard input is not a terminal.',
    });
  }
  const raw = request.tty && stdin?.isTTY === true;
  let control: ContainerControl | undefined;
  const onResize = (): void => control?.resize(stdout.rows, stdout.columns);
  // The first interrupt is the container's; the second ends this process and all below it.
  const onAbort = (): void => control?.kill('SIGINT');
  signal.addEventListener('abort', onAbort, { once: true });
  stdout.on('resize', onResize);
  if (raw) stdin.setRawMode(true);
  try {
    const exit = await run({
      image: request.image,
      command: request.command,
      env: request.env,
      volumes: request.volumes,
      workdir: request.workdir,
      user: request.user,
      entrypoint: request.entrypoint,
      network: request.network,
      interactive: request.interactive,
      terminal: request.tty ? { rows: stdout.rows || 24, columns: stdout.columns || 80 } : undefined,
      root,
      runtime: request.runtime,
      hostEnv: env,
      onStart: (started) => {
        control = started;
      },
    });
    return exit.exitCode;
  } finally {
    if (raw) stdin.setRawMode(false);
    stdout.off('resize', onResize);
    signal.removeEventListener('abort', onAbort);
    // Nothing of it was read here, but an open terminal keeps the process alive.
    stdin?.destroy();
  }
}
