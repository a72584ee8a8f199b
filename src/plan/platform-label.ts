import type { EnvList } from '../dockerfile/scope.ts';
import { formatPlatform, normalizePlatform, parsePlatform } from '../image/platform.ts';
import type { Platform } from '../image/types.ts';

/**
 * The platform of a stage as progress shows it: `linux/amd64`, and `linux/amd64->arm64` once the stage has declared for
 * which other one it works (BuildKit, `formatTargetPlatform`).
 */
export function platformLabel(platform: Platform, env: EnvList): string {
  return formatPlatform(platform) + arrow(normalizePlatform(platform), targetOf(platform, env));
}

/** What the TARGET variables that a stage has declared say; what they leave open is the stage's own. */
function targetOf(platform: Platform, env: EnvList): Platform {
  const whole = env.get('TARGETPLATFORM');
  if (whole !== undefined && whole !== '') {
    try {
      return parsePlatform(whole);
    } catch {
      // It is a build argument of that name: the others count.
    }
  }
  const architecture = env.get('TARGETARCH') || platform.architecture;
  const isOther = architecture !== platform.architecture;
  const variant = env.get('TARGETVARIANT') || (isOther ? undefined : platform.variant);
  return normalizePlatform({
    os: env.get('TARGETOS') || platform.os,
    architecture,
    ...(variant === undefined ? {} : { variant }),
  });
}

function arrow(own: Platform, target: Platform): string {
  if (target.os !== own.os) return `->${formatPlatform(target)}`;
  const { architecture, variant = '' } = target;
  const isSame = architecture === own.architecture;
  if (isSame && variant === (own.variant ?? '')) return '';
  return `->${[isSame ? '' : architecture, variant].filter(Boolean).join('/')}`;
}
