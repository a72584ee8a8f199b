import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** A registry on the loopback, whose storage is a folder. Disposing kills it; the folder is the caller's. */
export interface RegistryServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  host: string;
  /** Takes all content away. */
  clear(): void;
}

/**
 * Starts Debian's docker-registry below `folder`, which is made. It writes no log: what measures runs programs
 * synchronously, so nobody would read that.
 */
export async function startRegistry(folder: string): Promise<RegistryServer> {
  const storage = join(folder, 'storage');
  mkdirSync(storage, { recursive: true });
  const host = `127.0.0.1:${await freePort()}`;
  const file = join(folder, 'registry.json');
  // Without a cache of descriptors, so that the storage can be emptied under it.
  writeFileSync(
    file,
    JSON.stringify({
      version: '0.1',
      log: { accesslog: { disabled: true }, level: 'error' },
      storage: { filesystem: { rootdirectory: storage } },
      http: { addr: host },
    }),
  );
  const child = spawn('docker-registry', ['serve', file], { stdio: 'ignore' });
  const ended = once(child, 'close');
  while (!(await answers(host))) {
    if (child.exitCode !== null) throw new Error(`docker-registry ended with ${child.exitCode}`);
    await setTimeout(50);
  }
  return {
    host,
    clear: () => rmSync(join(storage, 'docker'), { recursive: true, force: true }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function answers(host: string): Promise<boolean> {
  try {
    return (await fetch(`http://${host}/v2/`)).ok;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
