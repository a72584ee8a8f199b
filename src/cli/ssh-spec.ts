import { goQuote } from '../dockerfile/go-text.ts';
import type { SshSource } from '../engine/ssh/agents.ts';
import { SlipwayError } from '../errors/index.ts';

/**
 * Reads `--ssh` as buildx does: `default` or `ID`, the agent of SSH_AUTH_SOCK, `ID=SOCKET`, or `ID=KEY[,KEY]`. Throws
 * `usage`, code SSH_INVALID.
 */
export function parseSsh(texts: readonly string[], env: NodeJS.ProcessEnv): Record<string, SshSource> {
  const sources: Record<string, SshSource> = {};
  for (const text of texts) {
    const equals = text.indexOf('=');
    const id = (equals < 0 ? text : text.slice(0, equals)) || 'default';
    if (Object.hasOwn(sources, id)) throw invalid(`duplicate agent ID ${goQuote(id)}`);
    const paths = equals < 0 ? '' : text.slice(equals + 1);
    sources[id] = paths === '' ? [ownAgent(env)] : paths.split(',');
  }
  return sources;
}

function ownAgent(env: NodeJS.ProcessEnv): string {
  const own = env.SSH_AUTH_SOCK;
  if (own) return own;
  throw invalid(
    'invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set',
    'Start an agent (eval $(ssh-agent); ssh-add), or name a key: --ssh default=PATH.',
  );
}

function invalid(message: string, hint?: string): SlipwayError {
  return new SlipwayError('usage', message, {
    code: 'SSH_INVALID',
    hint: hint ?? 'Write --ssh default, --ssh ID=SOCKET or --ssh ID=KEY[,KEY].',
  });
}
