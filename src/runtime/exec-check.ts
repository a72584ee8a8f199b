import type { SlipwayError } from '../errors/index.ts';
import { executeError } from './exec-error.ts';
import { executableCandidates } from './executable-candidates.ts';
import { withHeads } from './file-head.ts';
import type { ContainerSpec } from './types.ts';

const [ENOENT, ENOEXEC] = [2, 8];

/**
 * Why the program of a specification cannot have been executed, judged by its file in the root file system: for
 * runtimes that say it in the container's own output only. Undefined if nothing is wrong with it.
 */
export function executionFailure(spec: ContainerSpec): SlipwayError | undefined {
  return withHeads(spec.rootfs, (headOf) => {
    for (const path of executableCandidates(spec)) {
      const head = headOf(path);
      if (head === undefined) continue;
      if (head.startsWith('\x7fELF')) return undefined;
      const interpreter = /^#![ \t]*([^ \t\n]+)/.exec(head)?.[1];
      if (interpreter === undefined) return executeError(ENOEXEC, '', spec);
      return headOf(interpreter) === undefined ? executeError(ENOENT, '', spec) : undefined;
    }
    return undefined;
  });
}
