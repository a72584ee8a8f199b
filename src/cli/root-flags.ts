import { type FlagTable, helpFlag } from './flags/definition.ts';

/** Options that stand before the command. */
export const rootFlags = {
  debug: { type: 'bool', short: 'D', usage: 'Enable debug mode' },
  root: { type: 'string', usage: 'Directory of the store (overrides SLIPWAY_ROOT)' },
  version: { type: 'bool', short: 'v', usage: 'Print version information and quit' },
  ...helpFlag,
} as const satisfies FlagTable;
