import { hash } from 'node:crypto';
import type { Digest } from '../image/types.ts';

/** Version of the derivation below: a change of any rule must change it, or old results would be reused wrongly. */
const KEY_FORMAT = 1;

/**
 * What a step can observe beside its parent, as named values that people can read and compare (DESIGN, decision
 * 5). Values are text; what is long or secret appears as a digest or an id.
 */
export type KeyParts = Record<string, string>;

/** SHA-256 (hex) of a step's parts in the order of their names. */
export function definitionDigest(parts: KeyParts): string {
  const sorted = Object.entries(parts).sort(([a], [b]) => (a < b ? -1 : 1));
  return hash('sha256', JSON.stringify([KEY_FORMAT, sorted]), 'hex');
}

/** The key under which a step's result is recorded: what it does, on what content. */
export function stepKey(definition: string, parentChain: Digest): string {
  return hash('sha256', `${KEY_FORMAT}\n${definition}\n${parentChain}`, 'hex');
}

/** ChainID of a stack of layers (OCI image-spec config.md, Layer ChainID); of none: a name of our own. */
export function chainId(diffIds: readonly Digest[]): Digest {
  let chain = '';
  for (const diffId of diffIds) {
    chain = chain === '' ? diffId : `sha256:${hash('sha256', `${chain} ${diffId}`, 'hex')}`;
  }
  return chain === '' ? 'scratch' : chain;
}
