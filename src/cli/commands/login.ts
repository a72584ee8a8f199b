import { text } from 'node:stream/consumers';
import type { LoginResult } from '../../engine/login.ts';
import { SlipwayError } from '../../errors/index.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { askLine, askSecret } from '../prompt.ts';

const HUB_GREETING =
  'Log in with your Docker ID or email address to push and pull images from Docker Hub.\n' +
  'A personal access token can stand for the password.\n\n';

/** `slipway login` */
export const login = defineCommand({
  usage: '[OPTIONS] [SERVER]',
  flags: {
    password: { type: 'string', short: 'p', usage: 'Password or Personal Access Token (PAT)' },
    'password-stdin': { type: 'bool', usage: 'Take the Password or Personal Access Token (PAT) from stdin' },
    username: { type: 'string', short: 'u', usage: 'Username' },
  },
  args: { least: 0, most: 1 },
  async run(context, { values, given, args }) {
    const { username } = values;
    const fromStdin = values['password-stdin'];
    if (given.has('password')) {
      context.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n');
      if (fromStdin) throw usage('--password and --password-stdin are mutually exclusive');
    }
    if (fromStdin && username === '') throw usage('Must provide --username with --password-stdin');
    const engine = await import('../../engine/login.ts');
    const options = { server: args[0], env: context.env, signal: context.signal };
    const password = fromStdin ? await passwordOf(context) : values.password;
    if (username === '' && password === '') {
      const done = await withKnown(context, () => engine.loginAgain(options));
      if (done) return 0;
    }
    const asked = await ask(context, { username, password, greet: args[0] === undefined });
    const result = await engine.login({ ...options, ...asked });
    report(context, result);
    return 0;
  },
});

/** The user is asked to look at a refusal and to type it again, so that one is no error here. */
async function withKnown(
  context: CommandContext,
  login: () => Promise<LoginResult | undefined>,
): Promise<boolean> {
  try {
    const result = await login();
    if (result === undefined) return false;
    context.stdout.write('Authenticating with existing credentials...\n');
    report(context, result);
    return true;
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.kind !== 'denied') throw error;
    context.stdout.write('Authenticating with existing credentials...\n');
    context.stderr.write(`Login did not succeed, error: ${error.message}\n`);
    return false;
  }
}

async function ask(
  context: CommandContext,
  known: { username: string; password: string; greet: boolean },
): Promise<{ username: string; password: string }> {
  let { username, password } = known;
  if (username !== '' && password !== '') return { username, password };
  if (!context.stdin().isTTY) throw usage('Cannot perform an interactive login from a non TTY device');
  if (username === '') {
    if (known.greet) context.stdout.write(HUB_GREETING);
    username = (await askLine(context, 'Username: ')).trim();
    if (username === '') throw usage('username is required');
  }
  if (password === '') password = await askSecret(context, 'Password: ');
  if (password === '') throw usage('password is required');
  return { username, password };
}

/** Without the line end that `echo` and editors leave. */
async function passwordOf(context: CommandContext): Promise<string> {
  const password = (await text(context.stdin())).replace(/\r?\n$/, '');
  if (password === '') throw usage('password is empty');
  return password;
}

function report(context: CommandContext, { plainFile }: LoginResult): void {
  if (plainFile !== undefined) {
    context.stderr.write(
      `WARNING! Your password will be stored unencrypted in ${plainFile}.\n` +
        'Configure a credential helper to remove this warning. See\n' +
        'https://docs.docker.com/go/credential-store/\n\n',
    );
  }
  context.stdout.write('Login Succeeded\n');
}

function usage(message: string): SlipwayError {
  return new SlipwayError('usage', message, { code: 'LOGIN_USAGE' });
}
