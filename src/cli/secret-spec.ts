import { goQuote } from '../dockerfile/go-text.ts';
import type { SecretSource } from '../engine/secrets.ts';
import { SlipwayError } from '../errors/index.ts';
import { parseCsvRecord } from './flags/go-values.ts';

/**
 * Reads `--secret` as buildx does: CSV of `id`, `src` or `source`, `env` and `type` (`file`, `env`). An id alone is
 * the variable of that name where `env` has one, else the file of that name; of several with one id the last counts.
 * Throws `usage`, code SECRET_INVALID, with buildx's words.
 */
export function parseSecrets(texts: readonly string[], env: NodeJS.ProcessEnv): Record<string, SecretSource> {
  return Object.fromEntries(texts.map((text) => parseSecret(text, env)));
}

function parseSecret(text: string, env: NodeJS.ProcessEnv): [id: string, source: SecretSource] {
  const values = new Map<string, string>();
  for (const field of parseCsvRecord(text)) {
    const equals = field.indexOf('=');
    if (equals < 0) throw invalid(`invalid field '${field}' must be a key=value pair`);
    const key = field.slice(0, equals).toLowerCase();
    const value = field.slice(equals + 1);
    if (!['type', 'id', 'source', 'src', 'env'].includes(key)) {
      throw invalid(`unexpected key '${key}' in '${field}'`);
    }
    if (key === 'type' && value !== 'file' && value !== 'env') {
      throw invalid(`unsupported secret type ${goQuote(value)}`);
    }
    values.set(key === 'source' ? 'src' : key, value);
  }
  const id = values.get('id') ?? '';
  if (id === '') throw invalid('secret missing ID');
  const variable = values.get('env') || (values.get('type') === 'env' ? values.get('src') : undefined);
  if (variable) return [id, { env: variable }];
  const file = values.get('src');
  if (file) return [id, { file }];
  return [id, env[id] === undefined ? { file: id } : { env: id }];
}

function invalid(message: string): SlipwayError {
  return new SlipwayError('usage', message, {
    code: 'SECRET_INVALID',
    hint: 'Write --secret id=NAME,src=FILE or --secret id=NAME,env=VARIABLE.',
  });
}
