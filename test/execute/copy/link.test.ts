import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BASE, libraryStore } from '../../support/library-store.ts';
import { describeWith, root } from '../../support/need.ts';

describeWith({ needs: [root()] }, 'COPY --link', () => {
  const store = libraryStore();
  const files = { 'dir/one': 'one\n', file: 'file\n' };
  const diffIds = (built: { config(): unknown }) =>
    (built.config() as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids;

  it('makes a layer that stays when the base changes', async () => {
    const on = (base: string) =>
      `FROM ${BASE}\nRUN echo ${base} > /base\nCOPY --link dir /linked/\nRUN cat /base /linked/one # cat`;
    const first = await store.build(on('a'), { files });
    expect([first.ran, first.log('# cat')]).toEqual([3, 'a\none\n']);
    const second = await store.build(on('b'), { files });
    // The copy alone is found again: it stands between two steps that have run.
    expect([second.ran, second.reused, second.log('# cat')]).toEqual([2, 1, 'b\none\n']);
    expect(diffIds(second).at(-2)).toBe(diffIds(first).at(-2));
    const third = await store.build(`FROM scratch\nCOPY --link dir /linked/\n`, { files });
    expect([third.ran, third.layer(0)]).toEqual([0, ['linked/', 'linked/one']]);
    const changed = await store.build(on('b'), { files: { ...files, 'dir/one': 'another\n' } });
    expect(changed.log('# cat')).toBe('b\nanother\n');
  });

  it('sees nothing of what is below: links and directories of the destination, owners of parents', async () => {
    const built = await store.build(
      `FROM ${BASE}
RUN mkdir -m 700 /closed /real && chown 5:6 /closed && touch /closed/kept && ln -s real /link && mkdir /directory && touch /directory/below /directory/file
COPY --link file /link/new
COPY --link file /closed/new
COPY --link file /directory
COPY --link --chown=7:8 dir /owned/tree
COPY --link file dir/one /both/
COPY --link <<HERE /here/
text
HERE
RUN ls -ld /link | cut -c1; cat /link/new; ls /real; stat -c '%A %u:%g' /closed; ls /closed; cat /directory; stat -c '%n %u:%g' /owned /owned/tree/one; ls /both; cat /here/HERE
`,
      { files },
    );
    expect(built.log('RUN ls -ld')).toMatchInlineSnapshot(`
      "d
      file
      drwxr-xr-x 0:0
      kept
      new
      file
      /owned 7:8
      /owned/tree/one 7:8
      file
      one
      text
      "
    `);
    expect(built.events.flatMap((event) => (event.type === 'announced' ? [event.name] : []))).toContain(
      '[3/9] LINK COPY --link file /link/new',
    );
    expect(JSON.stringify(built.config().history)).not.toContain('--link');
  });

  it('knows owners by number only, and root', async () => {
    const failed = store.build(`FROM ${BASE}\nCOPY --link --chown=web:0 file /x\n`, { files });
    await expect(failed).rejects.toMatchObject({
      message: expect.stringMatching(/^invalid missing user mount: .* web /),
      location: { range: { start: { line: 2 } } },
    });
    const built = await store.build(
      `FROM ${BASE}\nCOPY --link --chown=root:7 file /x\nRUN stat -c %u:%g /x # owner`,
      { files },
    );
    expect(built.log('# owner')).toBe('0:7\n');
  });

  it('means nothing beside --chmod', async () => {
    const built = await store.build(
      `FROM ${BASE}
RUN mkdir /real && ln -s real /link
COPY --link --chmod=600 --chown=root file /link/new
RUN cat /real/new; stat -c %a /real/new # cat`,
      { files },
    );
    expect(built.log('# cat')).toBe('file\n600\n');
    expect(built.log('[3/4] COPY --link --chmod')).toBe('');
  });

  it('is the same layer twice in one image, with what came between', async () => {
    const built = await store.build(
      `FROM ${BASE}
COPY --link dir /d/
RUN rm /d/one && touch /d/two
COPY --link dir /d/
RUN ls /d; cat /d/one # cat`,
      { files },
    );
    expect(built.log('# cat')).toBe('one\ntwo\none\n');
    expect(diffIds(built)[1]).toBe(diffIds(built)[3]);
  });

  it('also unpacks archives and takes files of stages', async () => {
    const built = await store.build(
      `FROM ${BASE} AS other
RUN mkdir /s && echo s > /s/file && chown 5:6 /s/file && tar -cf /a.tar -C /s file
FROM ${BASE}
COPY --link --from=other /s/file /s/
ADD --link archive.tar /unpacked
RUN stat -c '%n %u:%g' /s /s/file; ls /unpacked # ls`,
      { files: { 'archive.tar': tarOfOne() } },
    );
    expect(built.log('# ls')).toBe('/s 0:0\n/s/file 5:6\nname\n');
  });

  it('does not wait for what is below it', async () => {
    const meet = join(store.root, 'cache', createHash('sha256').update('/meet').digest('hex'), '0/linked');
    await store.build(`FROM ${BASE}\nRUN --mount=type=cache,target=/meet touch /meet/there\n`);
    const built = await store.build(
      `FROM ${BASE}
RUN --mount=type=cache,target=/meet n=0; until [ -e /meet/linked ] || [ $n -ge 5000 ]; do sleep 0.02; n=$((n+1)); done; ls /meet > /seen
COPY --link other /other
RUN cat /seen # seen`,
      { files: { other: `${Math.random()}` }, jobs: 2 },
      (event) => {
        if (event.type === 'ended' && event.outcome === 'done' && event.vertex === linked)
          writeFileSync(meet, '');
        if (event.type === 'announced' && event.name.includes('LINK')) linked = event.vertex;
      },
    );
    expect(built.log('# seen')).toBe('linked\nthere\n');
  });
  let linked = '';
});

/** An archive of one empty file. */
function tarOfOne(): Buffer {
  const block = Buffer.alloc(512);
  block.write('name', 0);
  block.write('0000644\x000000000\x000000000\x0000000000000\x0000000000000\0', 100, 'latin1');
  block.write('        ', 148);
  block.write('0ustar\x0000', 156, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([block, Buffer.alloc(1024)]);
}
