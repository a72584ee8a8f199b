import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { suiteFolder } from '../support/folders.ts';
import { runSlipway, slipway } from '../support/slipway.ts';

const FILES: Record<string, string> = {
  Dockerfile: `FROM scratch AS unused
COPY notes /n
FROM scratch
COPY src /src
COPY --exclude=*.md docs /docs/
COPY missing* nothing.txt /x/
RUN --mount=type=bind,source=tools,target=/t true
`,
  'sub.Dockerfile': 'FROM scratch\nCOPY . /\n',
  '.dockerignore': '# what is not needed\n**/*.log\n!src/keep.log\nnode_modules\nold/*.txt\n',
  '.gitignore': 'docs/b\n',
  'src/main.c': 'int main;\n',
  'src/debug.log': 'x'.repeat(1000),
  'src/keep.log': 'kept\n',
  'docs/a.txt': 'a'.repeat(2000),
  'docs/b': 'b\n',
  'docs/c.md': 'c\n',
  'tools/t.sh': 'true\n',
  'node_modules/x/index.js': 'x\n',
  'notes/n': 'n\n',
  unread: '',
};

describe('build-context ls', () => {
  const folder = suiteFolder('big');
  const context = () => join(folder.path, 'context');
  const ls = (...args: string[]) =>
    runSlipway(['build-context', 'ls', ...args, context()], {
      cwd: folder.path,
      root: join(folder.path, 'store'),
    });

  beforeAll(() => {
    for (const [name, text] of Object.entries(FILES)) {
      mkdirSync(dirname(join(context(), name)), { recursive: true });
      writeFileSync(join(context(), name), text);
    }
    symlinkSync('main.c', join(context(), 'src/link'));
  });

  it('lists what a build would read, and says what is wrong', async () => {
    const { stdout, stderr, exitCode } = await ls();
    expect(exitCode).toBe(0);
    expect(stdout).toMatchInlineSnapshot(`
      "docs/a.txt
      docs/b
      src/keep.log
      src/link
      src/main.c
      tools/
      tools/t.sh
      "
    `);
    expect(stderr).toMatchInlineSnapshot(`
      "6 files, 2.02kB, read by 4 instructions of Dockerfile
      line 6 (COPY missing* nothing.txt /x/): "/nothing.txt": not found in the build context
      line 5 of .dockerignore ("old/*.txt") matches nothing
      "
    `);
  });

  it('shows sizes', async () => {
    expect((await ls('--size')).stdout).toMatchInlineSnapshot(`
      "2kB  docs/a.txt
       2B  docs/b
       5B  src/keep.log
       0B  src/link
      10B  src/main.c
       5B  tools/
       5B  tools/t.sh
      "
    `);
  });

  it('reads the Dockerfile and the target that are named', async () => {
    const named = await slipway(
      ['build-context', 'ls', '-f', 'context/sub.Dockerfile', '--ignore-from=gitignore', context()],
      { cwd: folder.path, root: join(folder.path, 'store') },
    );
    expect(named.split('\n')).toEqual(expect.arrayContaining(['notes/n', 'unread', 'docs/c.md']));
    expect(named).not.toContain('docs/b');
    expect((await ls('--target=unused')).stdout).toBe('n\n'.replace('n', 'notes/n'));
  });

  it('says why', async () => {
    const paths = [
      'src/debug.log',
      'src/keep.log',
      'src/main.c',
      'unread',
      'docs/c.md',
      'node_modules/x',
      'no.log',
      '../up',
    ];
    const { stdout } = await ls(...paths.flatMap((path) => ['--why', path]));
    expect(stdout).toMatchInlineSnapshot(`
      "src/debug.log: hidden by line 2 of .dockerignore ("**/*.log")
      src/keep.log: kept by line 3 of .dockerignore ("!src/keep.log"); read by line 4 (COPY src /src)
      src/main.c: not hidden; read by line 4 (COPY src /src)
      unread: not hidden; no instruction reads it
      docs/c.md: not hidden; no instruction reads it
      node_modules/x: hidden by line 4 of .dockerignore ("node_modules")
      no.log: there is no such file (it would be hidden by line 2 of .dockerignore ("**/*.log"))
      up: there is no such file (not hidden)
      "
    `);
  });

  it('gives everything as JSON', async () => {
    const listing = JSON.parse((await ls('--json', '--why=docs/a.txt')).stdout) as Record<string, unknown>;
    expect({ ...listing, context: '' }).toMatchInlineSnapshot(`
      {
        "context": "",
        "dockerfile": "Dockerfile",
        "ignoreFile": ".dockerignore",
        "names": [
          {
            "lines": [
              5,
            ],
            "path": "docs/a.txt",
            "size": 2000,
            "type": "file",
          },
          {
            "lines": [
              5,
            ],
            "path": "docs/b",
            "size": 2,
            "type": "file",
          },
          {
            "lines": [
              4,
            ],
            "path": "src/keep.log",
            "size": 5,
            "type": "file",
          },
          {
            "lines": [
              4,
            ],
            "path": "src/link",
            "size": 0,
            "type": "symlink",
          },
          {
            "lines": [
              4,
            ],
            "path": "src/main.c",
            "size": 10,
            "type": "file",
          },
          {
            "lines": [
              7,
            ],
            "path": "tools",
            "size": 5,
            "type": "directory",
          },
          {
            "lines": [
              7,
            ],
            "path": "tools/t.sh",
            "size": 5,
            "type": "file",
          },
        ],
        "problems": [
          {
            "instruction": "COPY missing* nothing.txt /x/",
            "line": 6,
            "message": ""/nothing.txt": not found in the build context",
          },
        ],
        "readers": [
          {
            "instruction": "COPY src /src",
            "line": 4,
          },
          {
            "instruction": "COPY --exclude=*.md docs /docs/",
            "line": 5,
          },
          {
            "instruction": "COPY missing* nothing.txt /x/",
            "line": 6,
          },
          {
            "instruction": "RUN --mount=type=bind,source=tools,target=/t true",
            "line": 7,
          },
        ],
        "totals": {
          "bytes": 2022,
          "directories": 1,
          "files": 6,
        },
        "unused": [
          {
            "line": 5,
            "pattern": "old/*.txt",
          },
        ],
        "why": [
          {
            "exists": true,
            "hidden": false,
            "path": "docs/a.txt",
            "readBy": [
              {
                "instruction": "COPY --exclude=*.md docs /docs/",
                "line": 5,
              },
            ],
          },
        ],
      }
    `);
  });

  it('needs no store, and refuses what is no directory', async () => {
    const { stderr } = await runSlipway(['build-context', 'ls', 'https://example.com/x.git'], {
      cwd: folder.path,
      root: join(folder.path, 'store'),
    });
    expect(stderr).toContain('only a directory can be listed');
    expect((await ls('--ignore-from=x')).stderr).toContain('ignore rules from "x" are not known');
  });
});
