import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { RegistryClient } from '../../src/registry/types.ts';
import { suiteFolder } from '../support/folders.ts';
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts';
import { openTestClient } from './remote-images.ts';
import { testRegistry } from './servers.ts';

/** A registry of a suite, what is between it and Slipway, and a store of its own for each test. */
export interface ProxiedRegistry {
  /** To put images into it, past the proxy. */
  readonly client: RegistryClient;
  readonly proxy: FaultProxy;
  /** The store of the test that runs. */
  readonly root: string;
  /** Of the suite. */
  readonly folder: string;
  /** The registry's, see `TestRegistry`. */
  readonly storage: string;
}

/** Gives the suite in whose body it is called such a registry; before each test the proxy forgets its faults. */
export function proxiedRegistry(): ProxiedRegistry {
  const folder = suiteFolder('big');
  const registry = testRegistry();
  let client: RegistryClient;
  let proxy: FaultProxy;
  let stores = 0;
  let root = '';
  beforeAll(async () => {
    client = await openTestClient(registry.host);
    proxy = await startFaultProxy(() => registry.host);
  });
  afterAll(async () => {
    await client?.close();
    await proxy?.close();
  });
  beforeEach(() => {
    root = join(folder.path, `store-${stores++}`);
    proxy.fault = () => 'none';
    proxy.gate = () => undefined;
    proxy.log.length = 0;
    proxy.blobBytes = 0;
  });
  return {
    get client() {
      return client;
    },
    get proxy() {
      return proxy;
    },
    get root() {
      return root;
    },
    get folder() {
      return folder.path;
    },
    get storage() {
      return registry.storage;
    },
  };
}
