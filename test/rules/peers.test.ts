import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { findPeer } from '../../tools/peers.ts';
import { buildFlags, readBases } from '../differential/cases.ts';
import { makeTar } from '../differential/make-tar.ts';
import { makeTree } from '../differential/make-tree.ts';
import { readImage } from '../differential/read-image.ts';
import { suiteFolder } from '../support/folders.ts';
import { describeWith, peer, root } from '../support/need.ts';
import { type BuiltImage, checkImage, textOf, wantedBy } from './case-runner.ts';
import { cases, type RuleCase } from './rule-data.ts';

const TAG = 'slipway.test/rule:1';

function docker(args: string[], input?: Buffer): { status: number | null; stdout: Buffer; stderr: string } {
  const found = findPeer('docker');
  if ('missing' in found) throw new Error(found.missing);
  const [program, ...words] = found.command;
  const { status, stdout, stderr } = spawnSync(program, [...words, ...args], {
    input: input ?? Buffer.alloc(0),
    maxBuffer: 1 << 30,
    env: { ...found.env, DOCKER_BUILDKIT: '1' },
  });
  return { status, stdout, stderr: String(stderr) };
}

/** What an engine of 2024 can be asked: no setting of the library, no count of steps, no feature of newer ones. */
function isForEngine(one: RuleCase): boolean {
  return (
    one.engine === undefined &&
    one.first === undefined &&
    one.dockerfile !== undefined &&
    one.stdin === undefined &&
    one.command === undefined &&
    one.options === undefined &&
    one.secrets === undefined
  );
}

/** A configuration as the engine shows it: it saves no image without layers. */
function inspected(): BuiltImage {
  const [image] = JSON.parse(docker(['image', 'inspect', TAG]).stdout.toString()) as [
    { Architecture: string; Os: string; Author: string; Config: object; RootFS: { Layers?: string[] } },
  ];
  const lines = docker(['history', '--no-trunc', '--format', '{{json .}}', TAG])
    .stdout.toString()
    .trim()
    .split('\n');
  const history = lines.reverse().map((line) => {
    const { CreatedBy, Comment } = JSON.parse(line) as { CreatedBy: string; Comment: string };
    return { created_by: CreatedBy, comment: Comment };
  });
  const { Architecture: architecture, Os: os, Author: author, Config: config, RootFS } = image;
  return {
    document: {
      architecture,
      os,
      author,
      config,
      history,
      rootfs: { type: 'layers', diff_ids: RootFS.Layers ?? [] },
    },
  };
}

describeWith(
  { needs: [root(), peer('docker')] },
  'rules of the Dockerfile language, by a Docker engine',
  () => {
    const folder = suiteFolder('shared');

    beforeAll(() => {
      for (const [name, entries] of Object.entries(readBases())) {
        const archive = makeTar(entries);
        docker(['import', '-', name], archive);
        if (entries['bin/busybox'] === undefined) docker(['import', '-', 'b'], archive);
        else docker(['import', '--change', 'CMD ["/bin/sh"]', '-', 'base'], archive);
      }
    });

    test.each(cases.filter(isForEngine).map((one) => [`${one.rules.join(' ')}: ${one.name}`, one] as const))(
      '%s',
      async (_, one) => {
        const context = mkdtempSync(join(folder.path, 'context-'));
        await makeTree(context, one.context ?? {});
        const file = `${context}.Dockerfile`;
        writeFileSync(file, textOf(one.dockerfile!));
        // Without a bridge, RUN has the host's network; the flag also gives leave to ask for it.
        const network = one.fails?.some((text) => text.includes('network.host')) ? [] : ['--network=host'];
        const flags = ['--no-cache', ...network, '--progress=plain', '-f', file, '-t', TAG];
        const { buildArgs = {}, labels = {}, target } = one;
        const pairs = buildFlags({
          name: one.name,
          dockerfile: file,
          first: undefined,
          buildArgs,
          labels,
          ...(target === undefined ? {} : { target }),
        });
        const { status, stderr } = docker(['build', ...flags, ...pairs, context]);
        if (one.fails !== undefined) {
          expect(status).toBe(1);
          for (const text of one.fails) expect(stderr).toContain(text);
          return;
        }
        expect(status, stderr).toBe(0);
        checkImage(wantedBy(one) === 'files' ? readImage(docker(['save', TAG]).stdout) : inspected(), one);
      },
    );
  },
);
