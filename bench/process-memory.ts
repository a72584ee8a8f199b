import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const POLL_MS = 10;

/**
 * Runs a program to its end and gives what it and the processes below it held at most, in MiB: of each the peak that
 * the kernel counts (VmHWM), of all Node processes together.
 *
 * @throws Error when it fails
 */
export async function peakMemory(command: readonly string[]): Promise<number> {
  const [file, ...args] = command;
  const child = spawn(file!, args, { stdio: 'ignore' });
  const peaks = new Map<number, number>();
  const timer = setInterval(() => {
    const own = commandOf(child.pid!);
    for (const pid of familyOf(child.pid!)) {
      // Forked and not yet another program: what it holds is counted already.
      if (pid !== child.pid && commandOf(pid) === own) continue;
      const peak = peakOf(pid);
      if (peak !== undefined) peaks.set(pid, Math.max(peak, peaks.get(pid) ?? 0));
    }
  }, POLL_MS);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  clearInterval(timer);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}`);
  return [...peaks.values()].reduce((sum, peak) => sum + peak, 0) / 1024;
}

/** A process and all below it, also in other namespaces. */
function familyOf(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const parent = Number.isInteger(pid) ? parentOf(pid) : undefined;
    if (parent === undefined) continue;
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const family = [root];
  for (const pid of family) family.push(...(children.get(pid) ?? []));
  return family;
}

function parentOf(pid: number): number | undefined {
  const ppid = field(pid, 'PPid');
  return ppid === undefined ? undefined : Number(ppid);
}

function commandOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    return undefined;
  }
}

/** Kibibytes; undefined for what is not Node. */
function peakOf(pid: number): number | undefined {
  if (field(pid, 'Name') !== 'node' && field(pid, 'Name') !== 'MainThread') return undefined;
  const peak = field(pid, 'VmHWM');
  return peak === undefined ? undefined : Number.parseInt(peak, 10);
}

function field(pid: number, name: string): string | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1];
  } catch {
    return undefined;
  }
}
