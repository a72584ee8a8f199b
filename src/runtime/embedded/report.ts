import { getSystemErrorMap } from 'node:util';
import { SlipwayError } from '../../errors/index.ts';
import { executeError } from '../exec-error.ts';
import type { ContainerSpec } from '../types.ts';
import { purposes } from './container-process.ts';
import type { ScriptProgram } from './syscall-script.ts';

const [EPERM, EINVAL] = [1, 22];

/** Turns the 16 bytes that a failed script wrote (the record's address and errno) into the error of `start`. */
export function setupError(report: Buffer, program: ScriptProgram, spec: ContainerSpec): SlipwayError {
  const purpose = program.purposeAt(report.readBigUInt64LE(0));
  const errno = Number(report.readBigUInt64LE(8));
  const [code = `errno ${errno}`, text = ''] = getSystemErrorMap().get(-errno) ?? [];
  const reason = `${text || 'failed'} (${code})`;
  if (purpose === purposes.execute) return executeError(errno, reason, spec);
  if (purpose === purposes.directory) {
    return new SlipwayError('invalid', `the working directory ${spec.cwd} cannot be entered: ${reason}`, {
      code: 'CONTAINER_CWD',
    });
  }
  if (purpose === purposes.user && (errno === EINVAL || errno === EPERM)) {
    const { uid, gid, additionalGids } = spec.user;
    const ids = [`user ${uid}`, `group ${gid}`, ...additionalGids.map((id) => `group ${id}`)].join(', ');
    return new SlipwayError('unsupported', `this builder may not become ${ids}: ${reason}`, {
      code: 'USER_NOT_MAPPED',
      hint: 'Give the building user ranges of ids in /etc/subuid and /etc/subgid.',
    });
  }
  return new SlipwayError('unsupported', `the container cannot be set up: ${purpose}: ${reason}`, {
    code: 'CONTAINER_SETUP',
  });
}
