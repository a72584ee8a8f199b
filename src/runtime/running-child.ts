import type { ChildProcess } from 'node:child_process';
import type { Sys } from '../sys/sys.ts';
import type { ContainerExit, ContainerIo, RunningContainer } from './types.ts';

/** A container that has been started, whose first process is a child of this one. */
export function runningChild(
  child: ChildProcess,
  about: {
    sys: Sys;
    io: ContainerIo;
    cgroup: { warnings: readonly string[] } | undefined;
    exited: Promise<ContainerExit>;
  },
): RunningContainer {
  const { sys, io, cgroup, exited } = about;
  return {
    pid: child.pid!,
    ...(io.kind === 'terminal' && {
      resize: (rows: number, columns: number) => sys.setWindowSize(io.pty.master, rows, columns),
    }),
    ...(cgroup && { warnings: cgroup.warnings }),
    kill: (name) => void child.kill(name),
    exited,
  };
}
