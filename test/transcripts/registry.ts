import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../support/git.ts';

/** Debian's docker-registry without credentials, with its files in a folder: what transcripts push to and pull from. */
export async function serveRegistry(folder: string): Promise<{ host: string; server: ChildProcess }> {
  mkdirSync(folder, { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const file = join(folder, 'config.yml');
  writeFileSync(
    file,
    JSON.stringify({
      version: '0.1',
      log: { level: 'info' },
      storage: { filesystem: { rootdirectory: join(folder, 'storage') } },
      http: { addr: host },
    }),
  );
  const server = spawn('docker-registry', ['serve', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.once('close', () => reject(new Error('docker-registry did not start')));
    server.stderr.on('data', (text: Buffer) => {
      if (text.includes('listening on')) resolve();
    });
  });
  return { host, server };
}
