import { defineCommand } from '../command.ts';
import { programVersion } from '../program-version.ts';

/** `slipway version` */
export const version = defineCommand({
  usage: '',
  flags: {},
  args: { least: 0, most: 0 },
  async run(context) {
    const { platform, arch, version: node } = process;
    const rows = [
      ['Version', programVersion()],
      ['Node version', node],
      ['OS/Arch', `${platform}/${arch === 'x64' ? 'amd64' : arch}`],
    ];
    const text = rows.map(([name, value]) => ` ${`${name}:`.padEnd(18)} ${value}\n`).join('');
    context.stdout.write(`Slipway:\n${text}`);
    return 0;
  },
});
