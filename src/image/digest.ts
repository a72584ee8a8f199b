import { hash } from 'node:crypto';
import type { Digest } from './types.ts';

/** `sha256:…` of some bytes. */
export function digestOf(bytes: Buffer | string): Digest {
  return `sha256:${hash('sha256', bytes, 'hex')}`;
}

/** True for a digest we can check: `sha256:` and 64 lower-case hex digits. */
export function isSha256Digest(text: string): boolean {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/** The name of a stack of layers, bottom first (OCI image-spec, "Layer ChainID"). Undefined for no layers. */
export function chainId(diffIds: readonly Digest[]): Digest | undefined {
  return chainIds(diffIds).at(-1);
}

/** The chain ids of a stack's prefixes: the first layer, the first two, … */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chains: Digest[] = [];
  for (const diffId of diffIds) {
    const below = chains.at(-1);
    chains.push(below === undefined ? diffId : digestOf(`${below} ${diffId}`));
  }
  return chains;
}
