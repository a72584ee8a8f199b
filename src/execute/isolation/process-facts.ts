import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { capabilityNames } from '../../runtime/capabilities.ts';
import { type IdMaps, parseIdMap } from './id-map.ts';

/** What this process is and may do, as far as its isolation depends on it. */
export interface ProcessFacts {
  uid: number;
  gid: number;
  /** Undefined for an id without an account. */
  name: string | undefined;
  /** Effective capabilities, without `CAP_`. */
  capabilities: ReadonlySet<string>;
  /** Programs cannot gain rights by being executed: newuidmap cannot do its work. */
  noNewPrivileges: boolean;
  /** The user namespace that it is in. */
  maps: IdMaps;
  /** That is the machine's first one. */
  initialNamespace: boolean;
}

/** Looks at /proc/self. */
export function readProcessFacts(): ProcessFacts {
  const status = readText('/proc/self/status');
  const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const uidMap = readText('/proc/self/uid_map') || '0 0 4294967295';
  const gidMap = readText('/proc/self/gid_map') || '0 0 4294967295';
  return {
    uid: process.geteuid!(),
    gid: process.getegid!(),
    name: accountName(),
    capabilities: new Set(capabilityNames.filter((_, bit) => mask & (1n << BigInt(bit)))),
    noNewPrivileges: /^NoNewPrivs:\s*1$/m.test(status),
    maps: { uid: parseIdMap(uidMap), gid: parseIdMap(gidMap) },
    initialNamespace: /^\s*0\s+0\s+4294967295\s*$/.test(uidMap),
  };
}

/** The content of a file of /proc or /etc, empty when there is none. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function accountName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}
