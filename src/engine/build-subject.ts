import { join, resolve } from 'node:path';
import { redactUrl } from '../errors/redact-url.ts';
import { formatPlatform } from '../image/platform.ts';
import type { BuildSubject } from '../record/build-record.ts';
import type { BuildOptions } from './options.ts';
import { wantedPlatforms } from './wanted-platforms.ts';
import type { WantedTarget } from './wanted-targets.ts';

const URL_START = /^(?:[a-z+]+:\/\/|git@|github\.com\/)/i;

/** What a build is of, for its record: paths absolute, URLs without credentials. */
export function buildSubject(options: BuildOptions, wanted: readonly WantedTarget[]): BuildSubject {
  const cwd = resolve(options.cwd ?? '.');
  const context = place(options.context, cwd);
  const target = wanted.flatMap(({ stage }) => stage?.toLowerCase() ?? []).join(', ');
  return {
    file: fileOf(options, { context, cwd }),
    context,
    ...(target === '' ? {} : { target }),
    platform: wantedPlatforms(options).map(formatPlatform).join(','),
  };
}

function fileOf({ dockerfile, file }: BuildOptions, at: { context: string; cwd: string }): string {
  if (dockerfile !== undefined) return '(text)';
  if (file !== undefined) return place(file, at.cwd);
  return at.context.startsWith('/') ? join(at.context, 'Dockerfile') : 'Dockerfile';
}

function place(text: string, cwd: string): string {
  if (text === '-') return '-';
  return URL_START.test(text) ? redactUrl(text) : resolve(cwd, text);
}
