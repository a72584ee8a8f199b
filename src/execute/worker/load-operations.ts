import type { WantedImages } from '../../export/archive-image.ts';
import { type ImportRequest, importRootfs } from '../../export/import-rootfs.ts';
import type { Input } from '../../export/input.ts';
import { type ChooseLayer, type LoadedArchive, loadArchive } from '../../export/load.ts';
import { type PullLayersRequest, pullLayers } from '../../export/pull-layers.ts';
import type { UnpackedLayer } from '../../export/unpack-blob.ts';
import type { Finding, LayerCheck } from '../../store/check.ts';
import { checkLayers } from '../../store/check-layers.ts';
import type { OperationContext } from '../protocol/server.ts';
import type { WorkerHost } from './host.ts';

/** `load`: asks the front, for each layer, whether it is there already or which id a new one gets. */
export function load(
  host: WorkerHost,
  input: Input & WantedImages,
  context: OperationContext,
): Promise<LoadedArchive> {
  const { select, platform, platforms } = input;
  const request = {
    input,
    select,
    platform,
    platforms,
    root: host.store,
    lease: host.lease,
    userxattr: host.userNamespace,
  };
  const choose: ChooseLayer = (diffId) => context.ask(diffId);
  return loadArchive(request, choose, { aborted: () => context.signal.aborted });
}

/** `pull`: unpacks layers while the front fetches their blobs; asks it how far it has come. */
export function pull(
  host: WorkerHost,
  { layers }: Pick<PullLayersRequest, 'layers'>,
  context: OperationContext,
): Promise<UnpackedLayer[]> {
  const request = { root: host.store, lease: host.lease, layers, userxattr: host.userNamespace };
  return pullLayers(request, {
    awaitBlob: (question) => context.ask(question),
    onUnpacked: (id) => void context.emit({ unpacked: id }),
    aborted: () => context.signal.aborted,
  });
}

/** `import`: one tar becomes one layer. */
export function importTar(
  host: WorkerHost,
  request: Pick<ImportRequest, 'input' | 'id'>,
  context: OperationContext,
): Promise<UnpackedLayer> {
  const { store: root, lease, userNamespace: userxattr } = host;
  return importRootfs({ ...request, root, lease, userxattr }, () => context.signal.aborted);
}

/** The layers' part of `system check`: packs each again and compares. */
export async function verifyLayers(
  host: WorkerHost,
  layers: LayerCheck[],
  context: OperationContext,
): Promise<Finding[]> {
  return checkLayers(host.store, host.lease, layers, { aborted: () => context.signal.aborted });
}
