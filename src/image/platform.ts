import { SlipwayError } from '../errors/index.ts';
import type { Platform } from './types.ts';

/** Operating systems and architectures that may stand alone in a specifier (containerd's platforms database). */
const KNOWN_OS = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
);
const KNOWN_ARCHITECTURES = new Set(
  `386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le
   ppc riscv riscv64 s390 s390x sparc sparc64 wasm`.split(/\s+/),
);

const OS_PART = /^([A-Za-z0-9_-]+)(?:\(([A-Za-z0-9_.%-]*)\))?$/;
const PART = /^[A-Za-z0-9_.-]+$/;

/** Node's names of architectures in Go's, which images use. */
const NODE_ARCHITECTURES: Record<string, string> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** The platform of Linux containers on this machine: its architecture, no variant except `linux/arm/v7`. */
export function localPlatform(): Platform {
  const architecture = NODE_ARCHITECTURES[process.arch] ?? process.arch;
  return architecture === 'arm'
    ? { os: 'linux', architecture, variant: 'v7' }
    : { os: 'linux', architecture };
}

/**
 * Gives a platform its canonical names (`x86_64` → `amd64`, `linux/arm64/v8` → `linux/arm64`, `armhf` → `arm/v7`),
 * as containerd's platforms package does.
 */
export function normalizePlatform(platform: Platform): Platform {
  const os = platform.os.toLowerCase();
  const [architecture, variant] = normalizeArchitecture(platform.architecture, platform.variant ?? '');
  return {
    os: os === 'macos' ? 'darwin' : os,
    architecture,
    ...(variant === '' ? {} : { variant }),
    ...(platform.osVersion === undefined ? {} : { osVersion: platform.osVersion }),
  };
}

/**
 * Reads `os`, `architecture`, `os/architecture` or `os/architecture/variant` (the os optionally with a version in
 * parentheses) and normalises it. What is missing is taken from `local`.
 *
 * @throws SlipwayError `PLATFORM_INVALID` with containerd's words.
 */
export function parsePlatform(text: string, local: Platform = localPlatform()): Platform {
  if (text.includes('*')) throw invalid(`"${text}": wildcards not yet supported: invalid argument`);
  const parts = text.split('/');
  const first = OS_PART.exec(parts[0]!);
  if (first === null) {
    throw invalid(`"${parts[0]}" is an invalid OS component of "${text}": invalid argument`);
  }
  for (const part of parts.slice(1)) {
    if (!PART.test(part)) throw invalid(`"${part}" is an invalid component of "${text}": invalid argument`);
  }
  if (parts.length > 3) throw invalid(`"${text}": cannot parse platform specifier: invalid argument`);
  const version =
    first[2] === undefined || first[2] === '' ? {} : { osVersion: decodeVersion(first[2], text) };
  if (parts.length > 1) {
    return normalizePlatform({
      os: first[1]!,
      architecture: parts[1]!,
      ...(parts[2] === undefined ? {} : { variant: parts[2] }),
      ...version,
    });
  }
  const os = normalizePlatform({ os: first[1]!, architecture: '' }).os;
  if (KNOWN_OS.has(os)) return normalizePlatform({ ...local, os, ...version });
  const bare = normalizePlatform({ os: local.os, architecture: text });
  if (KNOWN_ARCHITECTURES.has(bare.architecture)) return bare;
  throw invalid(`"${text}": unknown operating system or architecture: invalid argument`);
}

/** `linux/amd64`, `linux/arm/v7`; with `osVersion` as `windows(10.0.17763)/amd64`. */
export function formatPlatform(platform: Platform): string {
  const os =
    platform.osVersion === undefined || platform.osVersion === ''
      ? platform.os
      : `${platform.os}(${platform.osVersion})`;
  return [os, platform.architecture, platform.variant ?? ''].filter((part) => part !== '').join('/');
}

/** True when both name the same operating system, architecture and variant. */
export function samePlatform(a: Platform, b: Platform): boolean {
  const x = normalizePlatform(a);
  const y = normalizePlatform(b);
  return x.os === y.os && x.architecture === y.architecture && (x.variant ?? '') === (y.variant ?? '');
}

/**
 * What also runs where `platform` does, best first: older variants, and the 32-bit architecture below a 64-bit one
 * (containerd, platforms/compare.go).
 */
export function compatiblePlatforms(platform: Platform): Platform[] {
  const exact = normalizePlatform(platform);
  const { os, architecture, variant } = exact;
  const arm = (newest: number): Platform[] =>
    [8, 7, 6, 5]
      .filter((one) => one <= newest)
      .map((one) => ({ os, architecture: 'arm', variant: `v${one}` }));
  const version = Number(/^v(\d+)/.exec(variant ?? '')?.[1] ?? 0);
  switch (architecture) {
    case 'amd64': {
      const older = Array.from({ length: Math.max(0, version - 1) }, (_, i) => version - 1 - i);
      const variants = older.map((one) => ({ os, architecture, ...(one > 1 && { variant: `v${one}` }) }));
      return [exact, ...variants, { os, architecture: '386' }];
    }
    case 'arm':
      return [exact, ...arm(version - 1)];
    case 'arm64':
      return [exact, ...(version > 8 ? [{ os, architecture }] : []), ...arm(8)];
    default:
      return [exact];
  }
}

function normalizeArchitecture(givenArchitecture: string, givenVariant: string): [string, string] {
  const architecture = givenArchitecture.toLowerCase();
  const variant = givenVariant.toLowerCase();
  switch (architecture) {
    case 'i386':
      return ['386', ''];
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return ['amd64', variant === 'v1' ? '' : variant];
    case 'aarch64':
    case 'arm64':
      if (variant === '8' || variant === 'v8' || variant === 'v8.0') return ['arm64', ''];
      return ['arm64', variant === '9' || variant === '9.0' || variant === 'v9.0' ? 'v9' : variant];
    case 'armhf':
      return ['arm', 'v7'];
    case 'armel':
      return ['arm', 'v6'];
    case 'arm':
      if (variant === '' || variant === '7') return ['arm', 'v7'];
      return ['arm', variant === '5' || variant === '6' || variant === '8' ? `v${variant}` : variant];
    default:
      return [architecture, variant];
  }
}

function decodeVersion(version: string, text: string): string {
  try {
    return decodeURIComponent(version);
  } catch (cause) {
    throw invalid(`"${text}" has an invalid OS version "${version}"`, cause);
  }
}

function invalid(message: string, cause?: unknown): SlipwayError {
  return new SlipwayError('syntax', message, {
    code: 'PLATFORM_INVALID',
    hint: 'A platform is written os/architecture or os/architecture/variant, like linux/amd64 or linux/arm/v7.',
    cause,
  });
}
