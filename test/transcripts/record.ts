/**
 * Records what a real Docker engine says to the command lines of testdata/transcripts. The engine must have no images:
 * `PEERS_IN=./in node test/transcripts/record.ts [NAME]...`; what the engine has is removed first.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serveRegistry } from './registry.ts';
import { makeRootfs } from './rootfs.ts';
import { commandsOf, recordingOf, runTranscript } from './transcript.ts';
import { serveFolder } from './web.ts';

const folder = join(import.meta.dirname, '../../testdata/transcripts');
const all = readdirSync(folder).flatMap((file) => (file.endsWith('.txt') ? [file.slice(0, -4)] : []));
const names = process.argv.length > 2 ? process.argv.slice(2) : all;
const docker = [...(process.env.PEERS_IN === undefined ? [] : [process.env.PEERS_IN]), 'docker'];
const cwd = mkdtempSync(join(tmpdir(), 'slipway-transcript-'));
const version = execFileSync(docker[0]!, [...docker.slice(1), 'version', '-f', '{{.Server.Version}}'], {
  encoding: 'utf8',
});
const { url, server } = await serveFolder(cwd);
const storage = mkdtempSync(join(tmpdir(), 'slipway-transcript-registry-'));
const registry = await serveRegistry(storage);
for (const name of names) {
  execFileSync('bash', [
    '-c',
    `${docker.join(' ')} image prune -af >/dev/null && rm -rf ${cwd}/* && ${docker.join(' ')} builder prune -af >/dev/null`,
  ]);
  makeRootfs(join(cwd, 'rootfs.tar'), name);
  // The engine sorts by whole seconds.
  const steps = runTranscript(commandsOf(name), {
    program: `sleep 1.05; ${docker.join(' ')} "$@"`,
    cwd,
    web: url,
    registry: registry.host,
  });
  writeFileSync(
    recordingOf(name),
    `${JSON.stringify({ engine: `docker ${version.trim()}`, steps }, null, 1)}\n`,
  );
}
server.kill();
registry.server.kill();
rmSync(cwd, { recursive: true });
rmSync(storage, { recursive: true });
