import { SlipwayError } from '../errors/index.ts';

/** The refusal of a command whose engine this version does not have. */
export function notWired(command: string): SlipwayError {
  return new SlipwayError('unsupported', `this version cannot ${command}`, { code: 'NOT_IN_THIS_VERSION' });
}
