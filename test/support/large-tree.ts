import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadSys } from '../../src/sys/linux.ts';

/** Makes a directory of some 2,300 names of every kind that a context can have, of an old time. */
export function largeTree(root: string): void {
  plainNames(root);
  linkSync(join(root, 'd1/e1/f3'), join(root, 'd5/second'));
  linkSync(join(root, 'd1/e1/f3'), join(root, 'a-first'));
  loadSys().lsetxattr(join(root, 'setuid'), 'user.note', Buffer.from('note'));
  execFileSync('mkfifo', [join(root, 'fifo')]);
  age(root);
}

/** The same of directories, files with one name each and symbolic links, without extended attributes. */
export function plainTree(root: string): void {
  plainNames(root);
  age(root);
}

function plainNames(root: string): void {
  const file = (name: string | Buffer, content: string | Buffer): void =>
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name)]), content);
  for (let directory = 0; directory < 30; directory++) {
    const name = `d${directory % 6}/e${directory}`;
    mkdirSync(join(root, name), { recursive: true });
    for (let number = 0; number < 75; number++) file(`${name}/f${number}`, `${number}\n`.repeat(number));
  }
  mkdirSync(join(root, 'empty/below'), { recursive: true });
  chmodSync(join(root, 'empty'), 0o1777);
  file('d0/large', Buffer.alloc(3_500_000, 'large'));
  file('d0/zeros', Buffer.alloc(2_000_000));
  file('nothing', '');
  file('setuid', 'setuid');
  chmodSync(join(root, 'setuid'), 0o4755);
  file(Buffer.from([0x66, 0xff, 0x0a, 0x67]), 'neither UTF-8 nor one line');
  symlinkSync('../nothing', join(root, 'd2/link'));
  symlinkSync('/none', join(root, 'd3.link'));
}

function age(root: string): void {
  execFileSync('find', [root, '-exec', 'touch', '-h', '-d', '@1600000000.123456789', '{}', '+']);
}
