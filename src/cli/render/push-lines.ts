import type { PushEvent } from '../../engine/push/push.ts';
import { humanSize } from './human.ts';
import { LayerRows } from './layer-rows.ts';
import { progressBar } from './progress-bar.ts';

/**
 * What happens in a push, as Docker shows it: on a terminal one line for each layer, which is drawn again; elsewhere a
 * line for each change of a layer.
 */
export function pushLines(out: NodeJS.WriteStream): (event: PushEvent) => void {
  const rows = new LayerRows(out);
  let layers: string[] = [];
  /** Bytes that have gone, of those that there are where that is known, for each layer on its way. */
  let amounts: ({ sent: number; total: number | undefined } | undefined)[] = [];
  const say = (layer: string, text: string): void => {
    if (out.isTTY) rows.draw(layer, text);
    else out.write(`${layer}: ${text.trimEnd()}\n`);
  };
  const onLayer = ({ index, state }: Extract<PushEvent, { type: 'layer' }>): void => {
    const layer = layers[index]!;
    const text = stateText(state);
    if (text !== undefined) say(layer, `${text} `);
    if (text !== undefined || !out.isTTY) return;
    if (state.state === 'pushing') amounts[index] = { sent: amounts[index]?.sent ?? 0, total: state.total };
    else if (state.state !== 'sent') return;
    const amount = amounts[index];
    if (amount === undefined) return;
    const { total } = amount;
    if (state.state === 'sent') amount.sent += state.bytes;
    // Bytes that were sent again count once.
    const sent = Math.min(amount.sent, total ?? amount.sent);
    if (state.state === 'sent' && sent !== total && !rows.isDue()) return;
    const amounted = total === undefined ? humanSize(sent, 4) : progressBar(sent, total, out.columns);
    rows.draw(layer, `Pushing ${amounted}`);
  };
  return (event) => {
    switch (event.type) {
      case 'repository':
        out.write(`The push refers to repository [${event.name}]\n`);
        break;
      case 'image':
        layers = event.layers.map((diffId) => diffId.slice('sha256:'.length, 'sha256:'.length + 12));
        amounts = [];
        // Top first, as Docker lists them.
        for (const layer of layers.toReversed()) say(layer, 'Preparing ');
        break;
      case 'layer':
        onLayer(event);
        break;
      case 'pushed': {
        rows.end();
        const { digest, size } = event.manifest;
        out.write(`${event.tag}: digest: ${digest} size: ${size}\n`);
      }
    }
  };
}

function stateText(state: Extract<PushEvent, { type: 'layer' }>['state']): string | undefined {
  switch (state.state) {
    case 'pushed':
      return 'Pushed';
    case 'exists':
      return 'Layer already exists';
    case 'mounted':
      return `Mounted from ${state.from}`;
    default:
      return undefined;
  }
}
