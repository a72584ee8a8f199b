import { release } from 'node:os';
import { detectIsolation } from '../../execute/isolation.ts';
import { listImages } from '../../store/images.ts';
import { defineCommand } from '../command.ts';
import { withExistingStore } from '../open-existing.ts';
import { programVersion } from '../program-version.ts';

/** `slipway info` */
export const info = defineCommand({
  usage: '',
  flags: {},
  args: { least: 0, most: 0 },
  async run(context) {
    const images = withExistingStore(context.root, (store) =>
      store === undefined ? undefined : listImages(store).length,
    );
    const rows: [string, string][] = [
      ['Version', programVersion()],
      ['Root Dir', context.root],
      ['Images', images === undefined ? '0 (there is no store yet)' : String(images)],
      ['Storage Driver', 'overlay'],
      ['Isolation', detectIsolation(context.env).reason],
      ['Kernel Version', release()],
      ['Node Version', process.version],
    ];
    context.stdout.write(rows.map(([name, value]) => `${name}: ${value}\n`).join(''));
    return 0;
  },
});
