import fs from 'node:fs';
import { join } from 'node:path';
import { loadSys } from '../../src/sys/linux.ts';

/** A directory of files that a test changes at random, as people and tools do. */
export interface RandomTree {
  /** Does one change and says what it was. */
  edit(): string;
  /** Paths relative to the root, sorted, directories first by their path. */
  names(): string[];
}

/** Makes `files` small files in some directories below `root`. Times are whole seconds of the past. */
export function randomTree(root: string, files: number, random: () => number): RandomTree {
  const pick = <Item>(items: readonly Item[]): Item => items[Math.floor(random() * items.length)]!;
  const text = (): string =>
    `${Math.floor(random() * 1e9)}`.padStart(10, '0').repeat(1 + Math.floor(random() * 3));
  const time = (): number => 1_500_000_000 + Math.floor(random() * 1e8);
  let made = 0;
  const fresh = (): string => `n${made++}`;

  const walk = (directory: string): string[] =>
    fs.readdirSync(join(root, directory), { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? [path, ...walk(path)] : [path];
    });
  const typed = (want: (stat: fs.Stats) => boolean): string[] =>
    walk('').filter((path) => want(fs.lstatSync(join(root, path))));
  const isFile = (stat: fs.Stats): boolean => stat.isFile();
  const directories = (): string[] => ['', ...typed((stat) => stat.isDirectory())];
  const write = (path: string): void => {
    fs.writeFileSync(join(root, path), text());
    fs.utimesSync(join(root, path), time(), time());
  };

  for (let directory = 0; directory < Math.ceil(files / 25); directory++) {
    fs.mkdirSync(join(root, `d${directory % 5}`, `e${directory}`), { recursive: true });
  }
  for (let file = 0; file < files; file++) write(join(pick(directories()), `f${file}`));

  const edits: Record<string, () => unknown> = {
    add: () => write(join(pick(directories()), fresh())),
    'change content': () => {
      const path = join(root, pick(typed(isFile)));
      fs.writeFileSync(path, text());
    },
    'change content, keep size and time': () => {
      const path = join(root, pick(typed(isFile)));
      const { size, atime, mtime } = fs.statSync(path);
      fs.writeFileSync(path, text().slice(0, size).padEnd(size, 'x'));
      fs.utimesSync(path, atime, mtime);
    },
    append: () => fs.appendFileSync(join(root, pick(typed(isFile))), text()),
    remove: () => fs.rmSync(join(root, pick(typed((stat) => !stat.isDirectory())))),
    'remove directory': () => {
      const small = directories().filter((path) => path !== '' && walk(path).length < files / 8);
      if (small.length > 0) fs.rmSync(join(root, pick(small)), { recursive: true });
    },
    'new directory': () => {
      const directory = join(pick(directories()), fresh());
      fs.mkdirSync(join(root, directory), { mode: 0o700 + Math.floor(random() * 0o77) });
      write(join(directory, fresh()));
    },
    'empty directory': () => fs.mkdirSync(join(root, pick(directories()), fresh())),
    rename: () => {
      const path = pick(typed(isFile));
      fs.renameSync(join(root, path), join(root, pick(directories()), fresh()));
    },
    'rename directory': () => {
      const small = directories().filter((path) => path !== '' && walk(path).length < files / 8);
      if (small.length > 0) fs.renameSync(join(root, pick(small)), join(root, fresh()));
    },
    replace: () => {
      const path = pick(typed(isFile));
      write('.tmp');
      fs.renameSync(join(root, '.tmp'), join(root, path));
    },
    mode: () =>
      fs.chmodSync(
        join(root, pick(typed((stat) => !stat.isSymbolicLink()))),
        // Who is not root could not look into a directory without an execute bit.
        pick([process.getuid?.() === 0 ? 0o600 : 0o700, 0o755, 0o4711]),
      ),
    time: () => fs.utimesSync(join(root, pick(typed(isFile))), time(), time()),
    'time of directory': () => fs.utimesSync(join(root, pick(directories())), time(), time()),
    'symbolic link': () => fs.symlinkSync(pick(walk('')), join(root, pick(directories()), fresh())),
    'hard link': () => fs.linkSync(join(root, pick(typed(isFile))), join(root, pick(directories()), fresh())),
    'file to directory': () => {
      const path = pick(typed(isFile));
      fs.rmSync(join(root, path));
      fs.mkdirSync(join(root, path));
      write(join(path, fresh()));
    },
    'file to link': () => {
      const path = join(root, pick(typed(isFile)));
      fs.rmSync(path);
      fs.symlinkSync('nowhere', path);
    },
    'directory to file': () => {
      const small = directories().filter((path) => path !== '' && walk(path).length < files / 8);
      if (small.length === 0) return;
      const path = pick(small);
      fs.rmSync(join(root, path), { recursive: true });
      write(path);
    },
    attribute: () => {
      const path = join(root, pick(typed(isFile)));
      loadSys().lsetxattr(path, 'user.note', Buffer.from(text()));
    },
    'attribute of directory': () => {
      loadSys().lsetxattr(join(root, pick(directories())), 'user.note', Buffer.from(text()));
    },
    nothing: () => {},
  };

  return {
    edit: () => {
      const name = pick(Object.keys(edits));
      edits[name]!();
      return name;
    },
    names: () => walk('').sort(),
  };
}
