import { SlipwayError } from '../errors/index.ts';

/**
 * Checks one `--allow`: `network.host`, `security.insecure`, `device`, `device=NAME` or `buildx.local.delete`.
 * Throws `usage` with BuildKit's words.
 */
export function parseEntitlement(text: string): string {
  if (/^(?:network\.host|security\.insecure|device(?:=.+)?|buildx\.local\.delete)$/.test(text)) return text;
  throw new SlipwayError('usage', `unknown entitlement ${text}`, {
    code: 'ENTITLEMENT_INVALID',
    hint: 'Known are network.host, security.insecure, device, device=NAME and buildx.local.delete.',
  });
}
