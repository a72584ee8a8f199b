import { isErrno, SlipwayError } from '../../errors/index.ts';
import type { Isolation } from '../isolation.ts';

/** Why a worker did not start, for people: from its first answer (or what came instead) and its standard error. */
export function explainStart(error: unknown, stderr: string, isolation: Isolation): SlipwayError {
  if (isErrno(error, 'ENOENT') && !(error instanceof SlipwayError)) {
    return new SlipwayError('unavailable', 'setpriv and unshare are needed and not found', {
      code: 'UTIL_LINUX_MISSING',
      hint: 'Install the package util-linux.',
      cause: error,
    });
  }
  if (/unrecognized option|invalid option/.test(stderr)) {
    return new SlipwayError(
      'unavailable',
      `setpriv and unshare of util-linux are needed: ${firstLine(stderr)}`,
      {
        code: 'UTIL_LINUX_MISSING',
        hint: 'Install the package util-linux (Alpine: setpriv and util-linux-misc); those of busybox cannot do it.',
        cause: error,
      },
    );
  }
  // Somebody killed it: unshare says nothing then, or stumbles over the signal that it wants to pass on.
  const killed = stderr === '' || /sigprocmask/.test(stderr);
  if (error instanceof SlipwayError && (error.code !== 'WORKER_LOST' || killed)) return error;
  if (/unshare|setpriv/.test(stderr)) {
    const { obstacle } = isolation;
    const why = obstacle?.what ?? firstLine(stderr);
    return new SlipwayError('unsupported', `this system does not let the build be isolated: ${why}`, {
      code: 'NAMESPACES_REFUSED',
      hint: obstacle?.advice ?? podHint(),
      cause: error,
    });
  }
  return new SlipwayError('internal', `the worker did not start: ${stderr || String(error)}`, {
    code: 'WORKER_START',
    cause: error,
  });
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

/** Nothing in /proc forbids it: it is a filter of system calls, as containers have. */
function podHint(): string {
  const allow =
    'A container needs leave to make user namespaces: in a pod securityContext.seccompProfile.type and appArmorProfile.type: Unconfined (docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined).';
  if (process.geteuid?.() !== 0) return allow;
  return `${allow} As root of a container that is yours alone, --isolation=none or SLIPWAY_ISOLATION=none builds without.`;
}
