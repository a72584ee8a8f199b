import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { linkageOf } from './elf.ts';
import { findProgram } from './programs.ts';
import { type RootfsEntry, SKELETON } from './rootfs.ts';

const TOOLS = [
  ...[
    'sh',
    'cat',
    'chmod',
    'chown',
    'cp',
    'cut',
    'date',
    'echo',
    'env',
    'false',
    'grep',
    'head',
    'id',
    'ln',
    'ls',
  ],
  ...[
    'mkdir',
    'mv',
    'printf',
    'pwd',
    'rm',
    'rmdir',
    'sed',
    'seq',
    'sleep',
    'sort',
    'tail',
    'touch',
    'tr',
    'true',
    'uname',
  ],
  ...['wc', 'whoami'],
];

/**
 * A root file system of the host's own shell and core tools in /bin, with the shared libraries they load, each under
 * the path by which the loader asks for it. Tools that the host lacks are left out.
 *
 * @throws Error when the host has no shell, or its libraries cannot be listed
 */
export function hostToolsRootfs(): RootfsEntry[] {
  const files = new Map<string, string>();
  for (const tool of TOOLS) {
    const path = findProgram(tool);
    if (path === undefined) continue;
    const program = realpathSync(path);
    files.set(`bin/${tool}`, program);
    if (linkageOf(program) === 'dynamic')
      for (const library of librariesOf(program)) files.set(library.slice(1), library);
  }
  if (!files.has('bin/sh')) throw new Error('this machine has no shell to make a base image of');
  const skeleton = new Set(SKELETON.map((entry) => entry.name));
  const folders = new Set([...files.keys()].flatMap(parentsOf).filter((name) => !skeleton.has(name)));
  return [
    ...SKELETON,
    ...[...folders].map((name): RootfsEntry => ({ type: 'directory', name })),
    ...[...files].map(
      ([name, source]): RootfsEntry => ({ type: 'file', name, mode: 0o755, content: readFileSync(source) }),
    ),
  ];
}

/** Absolute paths of the loader and the libraries of a dynamic program, as the host's loader resolves them. */
function librariesOf(program: string): string[] {
  const listing = execFileSync('ldd', [program], { encoding: 'utf8' });
  if (/=> not found/.test(listing))
    throw new Error(`libraries of ${basename(program)} are missing on this machine`);
  return [...listing.matchAll(/(?:^|=>)\s*(\/\S+) \(0x/gm)].map((match) => match[1]!);
}

function parentsOf(name: string): string[] {
  const parts = name.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}
