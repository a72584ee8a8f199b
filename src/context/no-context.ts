import type { ContextSource } from './context-source.ts';

/**
 * The empty context of a Dockerfile that came alone (`build - < Dockerfile`, `build https://…/Dockerfile`): nothing to
 * copy, and a hint why.
 */
export function openNoContext(from: string): ContextSource {
  return {
    description: `no build context (the Dockerfile came from ${from})`,
    root: undefined,
    ignoreFile: undefined,
    tree: {
      lstat: (path) =>
        path === '' ? { type: 'directory', mode: 0o755, uid: 0, gid: 0, size: 0, mtimeNs: 0n } : undefined,
      readdir: () => [],
      sha256: () => {
        throw new Error('an empty context has no files');
      },
    },
    hiddenBy: () => undefined,
    close: () => {},
  };
}
