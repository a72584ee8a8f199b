import { PR_SET_PDEATHSIG, TIOCSCTTY } from '../../sys/constants.ts';
import { joinCgroups, startProcess } from '../embedded/container-process.ts';
import type { ScriptOptions } from '../embedded/container-script.ts';
import { REPORT_FD } from '../embedded/machine-code.ts';
import { type ScriptProgram, SyscallScript } from '../embedded/syscall-script.ts';
import type { ContainerSpec } from '../types.ts';
import type { Mark } from './marked-processes.ts';

const F_SETFD = 2;
const FD_CLOEXEC = 1;
const SIGKILL = 9;

/**
 * The program that turns the process it runs in into a container without namespaces: another root directory, fewer
 * capabilities, another user. Nothing is mounted.
 */
export function chrootScript(
  spec: ContainerSpec,
  options: ScriptOptions,
  context: { mark: Mark; terminal: boolean },
): ScriptProgram {
  const script = new SyscallScript(options.arch);
  script.purpose('enter the root file system');
  script.call('fcntl', [REPORT_FD, F_SETFD, FD_CLOEXEC]);
  script.closeFrom(REPORT_FD + 1);
  joinCgroups(script, options.cgroups ?? []);
  script.call('prctl', [PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0]);
  script.call('setsid', []);
  if (context.terminal) script.call('ioctl', [0, TIOCSCTTY, 0]);
  script.call('chdir', [script.string(spec.rootfs)]);
  script.call('chroot', [script.string('.')]);
  script.call('chdir', [script.string('/')]);
  const { container, worker } = context.mark;
  const mark = { type: 'LOCKS', soft: container, hard: worker };
  startProcess(script, { ...spec, rlimits: [...(spec.rlimits ?? []), mark] }, options);
  return script.build();
}
