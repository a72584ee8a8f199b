import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isErrno, SlipwayError } from '../errors/index.ts';
import { parseFilter } from '../store/gc/filter.ts';
import { DEFAULT_RULES, type GcRule, type Space } from '../store/gc/policy.ts';

/** The collector's settings in a store. */
const FILE = 'gc.json';

/**
 * The rules by which builds clean up behind them: of SLIPWAY_GC (`off`, or one rule as
 * `max-used-space=20g,keep-duration=720h`), else of the file gc.json of the store (`{"enabled": true, "rules":
 * [{"maxUsedSpace": "20g", "keepDuration": "720h", "filters": ["type=regular"], "all": false}]}`), else the usual
 * ones. None: nothing is collected.
 *
 * @throws SlipwayError `invalid` for what cannot be read
 */
export function gcRules(root: string, env: NodeJS.ProcessEnv): readonly GcRule[] {
  const text = env.SLIPWAY_GC;
  if (text === 'off') return [];
  if (text !== undefined && text !== '') return [ruleOf(assignments(text), 'SLIPWAY_GC')];
  const settings = readSettings(join(root, FILE));
  if (settings === undefined) return DEFAULT_RULES;
  if (settings.enabled === false) return [];
  if (settings.rules === undefined) return DEFAULT_RULES;
  if (!Array.isArray(settings.rules)) throw invalid(FILE, 'rules is no list');
  return settings.rules.map((rule) => ruleOf(rule, FILE));
}

interface Settings {
  enabled?: unknown;
  rules?: unknown;
}

function readSettings(path: string): Settings | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw invalid(path, (error as Error).message, error);
  }
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw invalid(path, (error as Error).message, error);
  }
  throw invalid(path, 'it holds no object');
}

/** `max-used-space=20g,all=true`, with the names of the flags of `builder prune`. */
function assignments(text: string): Record<string, unknown> {
  const rule: Record<string, unknown> = {};
  for (const part of text.split(',')) {
    const [name = '', value = ''] = part.split(/=(.*)/s);
    const key = name.trim().replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    rule[key] = key === 'all' ? value === 'true' : value.trim();
  }
  return rule;
}

function ruleOf(value: unknown, where: string): GcRule {
  if (typeof value !== 'object' || value === null) throw invalid(where, 'a rule is no object');
  const rule: GcRule = {};
  for (const [key, given] of Object.entries(value)) {
    switch (key) {
      case 'all':
        if (typeof given !== 'boolean') throw invalid(where, 'all is neither true nor false');
        rule.all = given;
        break;
      case 'filters':
        if (!Array.isArray(given)) throw invalid(where, 'filters is no list');
        given.forEach(parseFilter);
        rule.filters = given as string[];
        break;
      case 'keepDuration':
        rule.keepDurationMs = parseDuration(String(given));
        break;
      case 'reservedSpace':
      case 'maxUsedSpace':
      case 'minFreeSpace':
        rule[key] = typeof given === 'number' ? given : parseSpace(String(given));
        break;
      default:
        throw invalid(where, `there is no ${key} in a rule`);
    }
  }
  return rule;
}

const SPACE = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])(?:i?b)?|b|(%))?$/i;

/** `20g`, `512MiB`, `10%`; units are powers of 1024. @throws SlipwayError `usage` */
export function parseSpace(text: string): Space {
  const match = SPACE.exec(text.trim());
  if (match === null) throw badValue('space', text, 'Write 20g, 512m or 10%.');
  const [, number, unit, percent] = match;
  if (percent !== undefined) return { percent: Number(number) };
  return Math.trunc(
    Number(number) * 1024 ** (unit === undefined ? 0 : 'kmgtp'.indexOf(unit.toLowerCase()) + 1),
  );
}

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of a duration as Go writes it, with `d` for days: `24h`, `1h30m`, `7d`. @throws SlipwayError `usage` */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
  if (text === '' || parts.map(([part]) => part).join('') !== text)
    throw badValue('duration', text, 'Write 24h, 1h30m or 7d.');
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit!]!, 0);
}

function badValue(what: string, text: string, hint: string): SlipwayError {
  return new SlipwayError('usage', `invalid ${what} ${JSON.stringify(text)}`, {
    code: 'GC_VALUE_INVALID',
    hint,
  });
}

function invalid(where: string, why: string, cause?: unknown): SlipwayError {
  return new SlipwayError('invalid', `the collector's settings in ${where} cannot be used: ${why}`, {
    code: 'GC_SETTINGS_INVALID',
    cause,
  });
}
