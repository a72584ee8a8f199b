import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runSlipway } from '../support/slipway.ts';

/** A context with what the kernel refuses to a user with one id: owners, setuid files of others, devices. */
export function contextOfOwners(folder: string): string {
  const context = join(folder, 'owners');
  const tree = join(folder, 'owners-tree');
  if (existsSync(context)) return context;
  mkdirSync(join(context, 'files/deep'), { recursive: true });
  writeFileSync(join(context, 'files/a'), 'a\n');
  writeFileSync(join(context, 'files/deep/b'), 'b\n', { mode: 0o755 });
  execFileSync('sh', [
    '-ec',
    `cd "$1/files" && chmod 4755 deep/b && ln -s a l && ln a deep/h
     mkdir "$2" && cd "$2" && echo x > x && ln x y && chown 33:44 x && mknod null c 1 3 && mknod disk b 8 0
     echo s > s && chown 55 s && chmod 2755 s && mkdir of-66 && chown 66:77 of-66
     tar cf "$1/entries.tar" . && find "$1" -exec touch -h -d @1000000000 {} +`,
    'sh',
    context,
    tree,
  ]);
  rmSync(tree, { recursive: true });
  writeFileSync(
    join(context, 'Dockerfile'),
    `FROM test/base AS one
USER 12:13
WORKDIR /home/u/work
COPY --chown=7:8 files /x/y/
ADD entries.tar /t/
FROM test/base
COPY --from=one /x /x
COPY --from=one /t /t
COPY files/a /x/y/new
COPY --chown=100000:100000 --chmod=6711 files/a /big
COPY --from=one / /all/
COPY --link --chown=7:8 files entries.tar /linked/
COPY --chown=9 <<there /heredoc
text
there
`,
  );
  return context;
}

/** Environment in which the same input gives the same image. */
export const REPRODUCIBLE = { SOURCE_DATE_EPOCH: '1000000000' };

/** The id of the image that root builds of a context. */
export async function idByRoot(folder: string, context: string): Promise<string> {
  const options = { root: join(folder, 'store-of-root'), cwd: folder, env: REPRODUCIBLE };
  await runSlipway(['import', join(folder, 'base.tar'), 'test/base'], options);
  const { stdout, stderr } = await runSlipway(['build', '-q', '-t', 'built', context], options);
  if (stdout === '') throw new Error(stderr);
  return stdout.trim();
}
