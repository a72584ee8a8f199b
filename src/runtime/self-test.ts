import { chmodSync, closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno } from '../errors/index.ts';
import { AT_FDCWD, S_IFCHR } from '../sys/constants.ts';
import { loadSys } from '../sys/linux.ts';
import { SCRIPT_FAILED, type ScriptArch } from './embedded/machine-code.ts';
import { SyscallScript } from './embedded/syscall-script.ts';
import { type MountPoints, prepareMountPoints, removeMountPoints } from './mount-points.ts';
import type { ContainerRuntime } from './types.ts';

const EXPECTED = 42;
/** A device that no kernel has: where it may be opened the answer is ENXIO, which fails the script. */
const absentDevice = { major: 510, minor: 77 };
const [EPERM, ENOENT, EACCES] = [1, 2, 13];
const TIME_LIMIT = 10_000;

/**
 * Runs one container whose image is a program that exits with 42, and a device node that must not be opened there.
 * Returns what went wrong, as text, or undefined. Needs a directory to put the image in, and removes it.
 */
export async function selfTest(runtime: ContainerRuntime, directory: string): Promise<string | undefined> {
  const rootfs = join(directory, `self-test-${runtime.name}`);
  const nothing = openSync('/dev/null', 'r+');
  let points: MountPoints | undefined;
  try {
    mkdirSync(rootfs, { recursive: true });
    const arch: ScriptArch = process.arch === 'arm64' ? 'arm64' : 'x86_64';
    const script = new SyscallScript(arch);
    script.attempt(
      [EPERM, ENOENT, EACCES],
      () => {
        script.call('openat', [AT_FDCWD, script.string('/device'), 0]);
        script.call('exit_group', [SCRIPT_FAILED]);
      },
      () => script.call('exit_group', [EXPECTED]),
    );
    makeDevice(join(rootfs, 'device'));
    writeFileSync(join(rootfs, 'test'), script.build().elf);
    chmodSync(join(rootfs, 'test'), 0o755);
    points = prepareMountPoints(rootfs, []);
    const container = await runtime.start(
      {
        id: `slipway-self-test-${process.pid}`,
        rootfs,
        args: ['/test'],
        env: [],
        cwd: '/',
        user: { uid: 0, gid: 0, additionalGids: [] },
        hostname: 'slipway',
        mounts: [],
        network: 'host',
        security: 'sandbox',
      },
      { kind: 'files', stdin: nothing, stdout: nothing, stderr: nothing },
      AbortSignal.timeout(TIME_LIMIT),
    );
    const { exitCode } = await container.exited;
    if (exitCode === SCRIPT_FAILED) return 'it lets a device node of an image be opened';
    return exitCode === EXPECTED ? undefined : `its test program ended with ${exitCode}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    if (points) removeMountPoints(points);
    closeSync(nothing);
    rmSync(rootfs, { recursive: true, force: true });
  }
}

/** Without the right to make one nobody can bring one in either, and nothing is tested. */
function makeDevice(path: string): void {
  try {
    loadSys().mknod(path, S_IFCHR | 0o666, absentDevice.major, absentDevice.minor);
  } catch (error) {
    if (!isErrno(error, 'EPERM')) throw error;
  }
}
