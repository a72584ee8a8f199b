import { defineCommand } from '../command.ts';

/** `slipway logout` */
export const logout = defineCommand({
  usage: '[SERVER]',
  flags: {},
  args: { least: 0, most: 1 },
  async run({ env, signal, stdout }, { args }) {
    const { logout } = await import('../../engine/logout.ts');
    const server = await logout({ server: args[0], env, signal });
    stdout.write(`Removing login credentials for ${server}\n`);
    return 0;
  },
});
