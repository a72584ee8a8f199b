import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeWith, root } from '../support/need.ts';
import type { SlipwayResult } from '../support/slipway.ts';
import { dockerArchive, FROM, hardeningStore, makeTar } from './support.ts';

/** What a terminal acts on: a title, clearing, the clipboard, an 8-bit CSI, a bell, a change of direction. */
const EVIL = '\x1b]0;owned\x07\x1b[2J\x1b]52;c;eA==\x07\x1bP+q\x1b\\\u009b2J\x07\x08\r\u202e';

/** Everything but line feeds, tabs, colours, and carriage returns: a log that is no terminal keeps them. */
const ACTIVE = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/;

/** Fails when something in the output would do more than show text. */
function expectHarmless({ stdout, stderr }: Pick<SlipwayResult, 'stdout' | 'stderr'>): void {
  for (const text of [stdout, stderr]) {
    const line = text
      .replace(/\x1b\[[0-9;:]*m/g, '')
      .split('\n')
      .find((each) => ACTIVE.test(each));
    expect(line).toBe(undefined);
  }
}

describeWith({ needs: [root()] }, 'what a terminal would act on', () => {
  const store = hardeningStore();
  const octal = (text: string) =>
    [...Buffer.from(text)].map((byte) => `\\\\${byte.toString(8).padStart(3, '0')}`).join('');
  const print = `printf "${octal(EVIL).replaceAll('\\\\', '\\')}"`;

  describe.each(['plain', 'quiet', 'rawjson'])('with --progress=%s', (progress) => {
    const flags = [`--progress=${progress}`, '--no-cache'];

    it('is not passed on from the output of RUN, done or failed', async () => {
      expectHarmless(await store.build(`${FROM}RUN ${print}; ${print} >&2; echo\n`, { flags }));
      const failed = await store.build(`${FROM}RUN ${print}; ${print} >&2; exit 3\n`, { flags });
      expect(failed.exitCode).toBe(1);
      expectHarmless(failed);
    });

    it('is not passed on from the Dockerfile: names of steps, excerpts, errors', async () => {
      const lines = [
        `RUN echo ${EVIL}`,
        `RUN false ${EVIL}`,
        `COPY ${EVIL.replaceAll('\r', '')} /x`,
        `${EVIL} x`,
        `ENV A=${EVIL}\nRUN exit 1`,
        `LABEL ${EVIL}`,
        `USER ${EVIL}\nRUN true`,
        `RUN --mount=type=${EVIL} true`,
        `WORKDIR /${EVIL}\nRUN pwd`,
        `SHELL ["${EVIL}"]\nRUN x`,
        `RUN ["${EVIL.replaceAll('\\', '')}"]`,
        `FROM ${EVIL}`,
        `ARG ${EVIL}=1`,
        `HEALTHCHECK ${EVIL}`,
      ];
      for (const line of lines) expectHarmless(await store.build(`${FROM}${line}\n`, { flags }));
    });

    it('is not passed on from names of files in a context or archive', async () => {
      const name = EVIL.replaceAll('/', '');
      const prepare = (context: string): void => {
        writeFileSync(join(context, `.wh.${name}`), '');
        writeFileSync(join(context, `f${name}`), '');
      };
      expectHarmless(await store.build(`${FROM}COPY . /\n`, { prepare, flags }));
      expectHarmless(await store.build(`${FROM}COPY f* /bin/sh/x\n`, { prepare, flags }));
      const files = {
        'a.tar': makeTar([{ path: `../${name}` }]),
        'b.tar': makeTar([{ path: `.wh.${name}` }]),
      };
      for (const archive of Object.keys(files)) {
        expectHarmless(await store.build(`${FROM}ADD ${archive} /\n`, { files, flags }));
      }
      expectHarmless(await store.build(`${FROM}RUN touch "/.wh.$(${print})"\n`, { flags }));
    });
  });

  it('is not passed on from build arguments, tags and flags', async () => {
    for (const flags of [
      ['--build-arg', `${EVIL}=1`],
      ['-t', EVIL],
      ['--target', EVIL],
      ['-f', EVIL],
      ['--secret', EVIL],
      ['--output', EVIL],
      ['--platform', EVIL],
      ['--network', EVIL],
      [`--${EVIL}`],
    ]) {
      expectHarmless(await store.build(`${FROM}RUN true\n`, { flags }));
    }
  });

  it('is not passed on from an image: its history, configuration and layers', async () => {
    const layer = makeTar([{ path: `etc/${EVIL.replaceAll('/', '')}` }]);
    const input = dockerArchive({
      tag: 'test/evil',
      layers: [layer],
      config: {
        Env: [`A=${EVIL}`],
        Labels: { [EVIL]: EVIL },
        Cmd: [EVIL],
        User: EVIL,
        WorkingDir: `/${EVIL}`,
        Entrypoint: [EVIL],
      },
      history: [{ created_by: EVIL, comment: EVIL, author: EVIL }],
    });
    expectHarmless(await store.run(['load'], { input }));
    for (const args of [
      ['images'],
      ['history', 'test/evil'],
      ['history', '--no-trunc', 'test/evil'],
      ['inspect', 'test/evil'],
      ['run', '--rm', 'test/evil'],
      ['inspect', EVIL],
      ['rmi', EVIL],
      ['load', '-i', `/${EVIL}`],
      [EVIL],
    ]) {
      expectHarmless(await store.run(args));
    }
    expectHarmless(await store.build('FROM test/evil\nRUN true\n'));
    const bad = dockerArchive({
      tag: 'test/evil',
      layers: [makeTar([{ path: 'h', type: 'hardlink', link: EVIL }])],
    });
    expectHarmless(await store.run(['load'], { input: bad }));
  });
});
