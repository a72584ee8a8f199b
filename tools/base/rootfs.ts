import { pack } from 'tar-stream';

/** One entry of a root file system that is written down as data. Names are relative, without a leading slash. */
export type RootfsEntry =
  | { type: 'directory'; name: string; mode?: number }
  | { type: 'file'; name: string; mode?: number; content: Buffer | string }
  | { type: 'symlink'; name: string; target: string };

/** What programs expect of any Unix beside the programs themselves. */
export const SKELETON: readonly RootfsEntry[] = [
  ...[
    'bin',
    'dev',
    'etc',
    'home',
    'proc',
    'sbin',
    'sys',
    'usr',
    'usr/bin',
    'usr/sbin',
    'usr/share',
    'var',
  ].map((name): RootfsEntry => ({ type: 'directory', name })),
  { type: 'directory', name: 'root', mode: 0o700 },
  { type: 'directory', name: 'tmp', mode: 0o1777 },
  { type: 'directory', name: 'var/tmp', mode: 0o1777 },
  {
    type: 'file',
    name: 'etc/passwd',
    content: [
      'root:x:0:0:root:/root:/bin/sh',
      'daemon:x:1:1:daemon:/usr/sbin:/bin/false',
      'app:x:1000:1000:app:/home:/bin/sh',
      'nobody:x:65534:65534:nobody:/:/bin/false',
      '',
    ].join('\n'),
  },
  {
    type: 'file',
    name: 'etc/group',
    content: ['root:x:0:', 'daemon:x:1:', 'app:x:1000:', 'nogroup:x:65534:', ''].join('\n'),
  },
];

/**
 * The entries as an uncompressed tar: sorted by name, all owned by 0:0, all of the time 1970-01-01T00:00:00Z, so that
 * the same entries give the same bytes on every machine. Modes default to 0755 for directories, 0644 for files.
 */
export async function tarOf(entries: Iterable<RootfsEntry>): Promise<Buffer> {
  const archive = pack();
  const chunks: Buffer[] = [];
  const whole = (async () => {
    for await (const chunk of archive) chunks.push(chunk as Buffer);
  })();
  const sorted = [...entries].sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  for (const entry of sorted) {
    const common = { name: entry.name, uid: 0, gid: 0, mtime: new Date(0) };
    if (entry.type === 'symlink')
      archive.entry({ ...common, type: 'symlink', linkname: entry.target, mode: 0o777 });
    else if (entry.type === 'directory')
      archive.entry({ ...common, type: 'directory', mode: entry.mode ?? 0o755 });
    else archive.entry({ ...common, type: 'file', mode: entry.mode ?? 0o644 }, entry.content);
  }
  archive.finalize();
  await whole;
  return Buffer.concat(chunks);
}
