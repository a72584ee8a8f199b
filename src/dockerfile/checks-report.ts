import type { Comment } from '../../grammar/ast.ts';
import { SlipwayError, type SourceRange } from '../errors/index.ts';
import { CHECKS, type CheckName, checkMessage } from './checks.ts';
import { parseGoBoolean } from './go-text.ts';

/** What the `check` directive says (SPEC 1.2). */
export interface CheckSettings {
  skipAll: boolean;
  skip: ReadonlySet<string>;
  experimentalAll: boolean;
  experimental: ReadonlySet<string>;
  /** Findings fail the build. */
  error: boolean;
}

/** A finding. */
export interface Finding {
  code: CheckName;
  message: string;
  range: SourceRange;
}

const NO_SETTINGS: CheckSettings = {
  skipAll: false,
  skip: new Set(),
  experimentalAll: false,
  experimental: new Set(),
  error: false,
};

/**
 * Reads `skip=A,B;error=true;experimental=all`.
 *
 * @throws SlipwayError `CHECK_DIRECTIVE_INVALID`.
 */
export function parseCheckSettings(text: string): CheckSettings {
  let settings = NO_SETTINGS;
  for (const part of text.split(';')) {
    if (part.trim() === '') continue;
    const equals = part.indexOf('=');
    if (equals === -1) throw invalid(`invalid check option "${part}"`);
    const key = part.slice(0, equals).trim().toLowerCase();
    const value = part.slice(equals + 1).trim();
    const names = new Set(value.split(',').map((name) => name.trim()));
    const all = names.has('all');
    if (key === 'skip') settings = { ...settings, skipAll: all, skip: names };
    else if (key === 'experimental') settings = { ...settings, experimentalAll: all, experimental: names };
    else if (key === 'error') {
      const error = parseGoBoolean(value);
      if (error === undefined) throw invalid(`failed to parse check option "${part}"`);
      settings = { ...settings, error };
    } else throw invalid(`invalid check option "${part}"`);
  }
  return settings;
}

/** Collects findings under the file's settings. */
export class CheckReport {
  readonly findings: Finding[] = [];
  private readonly settings: CheckSettings;
  private readonly seen = new Set<string>();

  constructor(settings: CheckSettings = NO_SETTINGS) {
    this.settings = settings;
  }

  /**
   * Notes a finding unless it is switched off: by the file, or by a `# check=skip=…` comment above the
   * instruction. The same finding at the same place counts once.
   */
  add<Name extends CheckName>(
    name: Name,
    place: { range: SourceRange; comments?: readonly Comment[] },
    ...parts: Parameters<(typeof checkMessage)[Name]>
  ): void {
    if (!this.wants(name, place.comments ?? [])) return;
    const message = (checkMessage[name] as (...parts: unknown[]) => string)(...parts);
    const key = `${name} ${place.range.start.offset} ${message}`;
    if (this.seen.has(key)) return;
    this.seen.add(key);
    this.findings.push({ code: name, message, range: place.range });
  }

  /** @throws SlipwayError `CHECKS_FAILED` when the file wants findings to fail the build and there are some. */
  assertClean(): void {
    if (!this.settings.error || this.findings.length === 0) return;
    const names = [...new Set(this.findings.map((finding) => finding.code))].sort();
    throw new SlipwayError('invalid', `lint violation found for rules: ${names.join(', ')}`, {
      code: 'CHECKS_FAILED',
      hint: this.findings.map((finding) => `line ${finding.range.start.line}: ${finding.message}`).join('; '),
    });
  }

  private wants(name: CheckName, comments: readonly Comment[]): boolean {
    let { skipAll, skip, experimentalAll, experimental } = this.settings;
    for (const { text } of comments) {
      const match = /^check\s*=\s*(.*)$/i.exec(text);
      if (match === null) continue;
      const local = commentSettings(match[1]!);
      skipAll ||= local.skipAll;
      experimentalAll ||= local.experimentalAll;
      skip = new Set([...skip, ...local.skip]);
      experimental = new Set([...experimental, ...local.experimental]);
    }
    const isExperimental = (CHECKS[name] as { experimental?: true }).experimental === true;
    if (isExperimental) return experimentalAll || experimental.has(name);
    return !skipAll && !skip.has(name);
  }
}

/** A comment that only looks like a directive is a comment. */
function commentSettings(text: string): CheckSettings {
  try {
    return parseCheckSettings(text);
  } catch {
    return NO_SETTINGS;
  }
}

function invalid(message: string): SlipwayError {
  return new SlipwayError('syntax', message, {
    code: 'CHECK_DIRECTIVE_INVALID',
    hint: 'Write # check=skip=Rule1,Rule2;error=true.',
  });
}
