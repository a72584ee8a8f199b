import { layerDirectory } from '../../store/layout.ts';
import { type BytePath, bytesOf } from '../../sys/bytes.ts';
import type { LayerChain } from '../executor.ts';
import { applyLayer } from '../snapshot/apply-layer.ts';
import type { WorkerHost } from '../worker/host.ts';
import { inherited, mergedOverrides, readOverrides } from './layer-overrides.ts';
import { type KeptMetadata, MetadataKeeper } from './metadata-keeper.ts';

/**
 * Lays layers over a writable root file system, bottom first. Where that is a mount over what is below them, the
 * kernel makes the whiteouts and opaque directories that it takes.
 */
export function squashLayers(host: WorkerHost, layers: LayerChain, root: BytePath): KeptMetadata {
  const { kept } = new MetadataKeeper(host.sys);
  for (const layer of layers) {
    applyLayer({
      sys: host.sys,
      layer: bytesOf(layerDirectory(host.store, layer)),
      target: root,
      userxattr: host.userNamespace,
      overrides: readOverrides(host, layer),
    });
  }
  for (const [path, override] of mergedOverrides(host, layers)) {
    kept.refused.set(`${root}/${path}`, inherited(override));
  }
  return kept;
}
