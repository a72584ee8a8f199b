import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * What still uses a folder: mounts below it, in the mount namespace of any process, and processes that name it in
 * their arguments, their working or root directory. Descriptions for people; empty when nothing is left. The calling
 * process does not count.
 */
export function leftovers(folder: string): string[] {
  const found = new Set<string>();
  for (const pid of readdirSync('/proc').filter(
    (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
  )) {
    const command = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
    // A zombie has no arguments and no memory; whoever started it collects it.
    if (command === '') continue;
    const uses = [command, link(`/proc/${pid}/cwd`), link(`/proc/${pid}/root`)].some((text) =>
      text.includes(folder),
    );
    if (uses) found.add(`process ${pid}: ${command}`);
    for (const point of mountsBelow(pid, folder))
      found.add(`mount at ${point} (namespace of process ${pid})`);
  }
  for (const point of mountsBelow('self', folder)) found.add(`mount at ${point}`);
  return [...found];
}

function mountsBelow(pid: string, folder: string): string[] {
  return read(`/proc/${pid}/mountinfo`)
    .split('\n')
    .filter((line) => line.includes(folder))
    .map((line) => line.split(' ')[4] ?? line);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
