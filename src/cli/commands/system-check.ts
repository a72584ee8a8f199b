import { type CommandContext, defineCommand } from '../command.ts';

/** `slipway system check` */
export const systemCheck = defineCommand({
  usage: '',
  flags: {},
  args: { least: 0, most: 0 },
  run: (context) => perform(context),
});

/** Checks the store; resolves to 1 when something is wrong with it. */
async function perform({ root, env, signal, stdout }: CommandContext): Promise<number> {
  const [{ check }, { isGarbage }] = await Promise.all([
    import('../../engine/check.ts'),
    import('../../store/check.ts'),
  ]);
  const findings = await check({ root, env, signal });
  const damage = findings.filter((finding) => !isGarbage(finding));
  for (const { code, message } of findings) stdout.write(`${code}: ${message}\n`);
  const garbage = findings.length - damage.length;
  const left = garbage === 0 ? '' : `; ${garbage} leftovers of dead processes were cleared away`;
  stdout.write(
    damage.length === 0
      ? `The store is whole${left}.\n`
      : `The store is damaged: ${damage.length} findings${left}.\n`,
  );
  return damage.length === 0 ? 0 : 1;
}
