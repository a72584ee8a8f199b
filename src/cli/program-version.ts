import { readFileSync } from 'node:fs';

/** Put in place by the bundler, so that the version costs no file access. */
declare const SLIPWAY_VERSION: string | undefined;

/** The version of package.json. */
export function programVersion(): string {
  if (typeof SLIPWAY_VERSION === 'string') return SLIPWAY_VERSION;
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
