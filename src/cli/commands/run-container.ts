import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import { type ContainerControl, run } from '../../container/run.ts';
import { SlipwayError } from '../../errors/index.ts';
import { parsePlatform } from '../../image/platform.ts';
import type { CommandContext } from '../command.ts';
import type { RunRequest } from './run.ts';

/** Runs a container on the terminal or the pipes of this process; resolves to its exit code. */
export async function runInTerminal(request: RunRequest, context: CommandContext): Promise<number> {
  const { stdout, stderr, root, env, signal, takeSignals } = context;
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
  const stop = new AbortController();
  signal.addEventListener('abort', () => stop.abort(), { once: true });
  let received: NodeJS.Signals | undefined;
  // The first signal is the program's; a second one, or a terminal that is gone, ends it whatever it does.
  const endTaking = takeSignals?.((name) => {
    if (received !== undefined || control === undefined || name === 'SIGHUP') stop.abort();
    else control.kill(name);
    received = name;
  });
  const stoppedBy = (): number | undefined =>
    received !== undefined && stop.signal.aborted ? 128 + constants.signals[received] : undefined;
  stdout.on('resize', onResize);
  if (raw) {
    stdin.setRawMode(true);
    passLineFeeds();
  }
  try {
    const exit = await run({
      image: request.image,
      platform: request.platform === '' ? undefined : parsePlatform(request.platform),
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
      isolation: request.isolation,
      early: context.early,
      onWarning: (text) => void stderr.write(`WARNING: ${text}\n`),
      hostEnv: env,
      signal: stop.signal,
      onStart: (started) => {
        control = started;
      },
    });
    return stoppedBy() ?? exit.exitCode;
  } catch (error) {
    const exitCode = stoppedBy();
    if (exitCode === undefined) throw error;
    return exitCode;
  } finally {
    if (raw) stdin.setRawMode(false);
    stdout.off('resize', onResize);
    endTaking?.();
    // Nothing of it was read here, but an open terminal keeps the process alive.
    stdin?.destroy();
  }
}

/**
 * Node's raw mode still turns a line feed into carriage return and line feed, which the container's own terminal has
 * done already and full-screen programs have switched off. Leaving raw mode brings it back. Without stty it stays.
 */
function passLineFeeds(): void {
  spawnSync('stty', ['-opost'], { stdio: ['inherit', 'ignore', 'ignore'] });
}
