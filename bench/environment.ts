import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeBaseRootfs } from '../tools/base/base.ts';
import { memoryFolder } from '../tools/memory-folder.ts';
import { findPeer } from '../tools/peers.ts';
import { BASE_IMAGE, type BenchEnvironment } from './bench.ts';
import { runProgram } from './measure.ts';

const LAUNCHER = join(import.meta.dirname, '../bin/slipway.js');

/** Prepares stores and the base image for ours and theirs; everything it made is gone when it is disposed. */
export async function openEnvironment(rounds: number): Promise<BenchEnvironment & Disposable> {
  const memory = mkdtempSync(join(memoryFolder(), 'slipway-bench-'));
  const shared = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
  const { tar } = await makeBaseRootfs();
  // This very Node: the launcher's relaunch from an older one is not what is measured.
  const slipway = [process.execPath, LAUNCHER, '--root', join(memory, 'store')];
  runProgram([...slipway, 'import', '-', BASE_IMAGE], { input: tar });
  const docker = findPeer('docker');
  if (!('missing' in docker))
    runProgram([...docker.command, 'import', '-', BASE_IMAGE], { input: tar, env: docker.env });
  const buildah = findPeer('buildah');
  if (!('missing' in buildah)) {
    const archive = join(shared, 'base.tar');
    runProgram([...slipway, 'save', '-o', archive, BASE_IMAGE]);
    runProgram([...buildah.command, 'pull', `docker-archive:${archive}`], { env: buildah.env });
  }
  return {
    rounds,
    memory,
    shared,
    slipway,
    docker,
    buildah,
    [Symbol.dispose]() {
      for (const peer of [docker, buildah]) if (!('missing' in peer)) removeImages(peer.command, peer.env);
      for (const folder of [memory, shared]) rmSync(folder, { recursive: true, force: true });
    },
  };
}

function removeImages(docker: readonly string[], env: NodeJS.ProcessEnv): void {
  const [file, ...words] = docker;
  const names = ['images', '-q', '--filter', 'reference=slipway-bench/*'];
  const listing = spawnSync(file!, [...words, ...names], { env, encoding: 'utf8' });
  const ids = [...new Set(listing.stdout.split('\n').filter(Boolean))];
  if (ids.length > 0) spawnSync(file!, [...words, 'rmi', '-f', ...ids], { env, stdio: 'ignore' });
}
