import { chmodSync, closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ScriptArch, SyscallScript } from './embedded/syscall-script.ts';
import { prepareMountPoints } from './mount-points.ts';
import type { ContainerRuntime } from './types.ts';

const EXPECTED = 42;
const TIME_LIMIT = 10_000;

/**
 * Runs one container whose image is a single program that exits with 42. Returns what went wrong, as text, or
 * undefined. Needs a directory to put the image in, and removes it.
 */
export async function selfTest(runtime: ContainerRuntime, directory: string): Promise<string | undefined> {
  const rootfs = join(directory, `self-test-${runtime.name}`);
  const nothing = openSync('/dev/null', 'r+');
  try {
    mkdirSync(rootfs, { recursive: true });
    const arch: ScriptArch = process.arch === 'arm64' ? 'arm64' : 'x86_64';
    const script = new SyscallScript(arch);
    script.call('exit_group', [EXPECTED]);
    writeFileSync(join(rootfs, 'test'), script.build().elf);
    chmodSync(join(rootfs, 'test'), 0o755);
    prepareMountPoints(rootfs, []);
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
    return exitCode === EXPECTED ? undefined : `its test program ended with ${exitCode}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    closeSync(nothing);
    rmSync(rootfs, { recursive: true, force: true });
  }
}
