import { parseFormat, render, structFromJson } from '../../template/index.ts';
import { defineCommand } from '../command.ts';
import { programVersion } from '../program-version.ts';
import { documentFormatFlag } from '../render/list-format.ts';

/** `slipway version` */
export const version = defineCommand({
  usage: '[OPTIONS]',
  flags: documentFormatFlag,
  args: { least: 0, most: 0 },
  async run({ stdout }, { values: { format } }) {
    const program = {
      Version: programVersion(),
      NodeVersion: process.version,
      Os: process.platform,
      Arch: process.arch === 'x64' ? 'amd64' : process.arch,
    };
    if (format !== '') {
      // There is no daemon: what scripts ask of the server, this program answers as well.
      const document = structFromJson('system.versionInfo', { Client: program, Server: program });
      const template = parseFormat(format === 'json' ? '{{json .}}' : format);
      stdout.write(`${render(template, document)}\n`);
      return 0;
    }
    const rows = [
      ['Version', program.Version],
      ['Node version', program.NodeVersion],
      ['OS/Arch', `${program.Os}/${program.Arch}`],
    ];
    const text = rows.map(([name, value]) => ` ${`${name}:`.padEnd(18)} ${value}\n`).join('');
    stdout.write(`Slipway:\n${text}`);
    return 0;
  },
});
