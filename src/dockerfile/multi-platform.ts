import { SlipwayError } from '../errors/index.ts';
import { parseGoBoolean } from './go-text.ts';

/**
 * Whether BUILDKIT_MULTI_PLATFORM asks for the layout of several platforms though there is one (SPEC 1.6).
 *
 * @throws SlipwayError `usage` MULTI_PLATFORM in BuildKit's words
 */
export function isMultiPlatform(buildArgs: ReadonlyMap<string, string>): boolean {
  const given = buildArgs.get('BUILDKIT_MULTI_PLATFORM');
  if (given === undefined || given === '') return false;
  const value = parseGoBoolean(given);
  if (value !== undefined) return value;
  throw new SlipwayError('usage', `invalid boolean value for multi-platform: ${given}`, {
    code: 'MULTI_PLATFORM',
    hint: 'The build argument BUILDKIT_MULTI_PLATFORM is true or false.',
  });
}
