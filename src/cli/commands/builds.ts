import { SlipwayError } from '../../errors/index.ts';
import { safeJson } from '../../progress/safe-text.ts';
import type { BuildRecord } from '../../record/build-record.ts';
import { BuildHistory } from '../../record/history.ts';
import { defineCommand } from '../command.ts';
import { renderBuild, renderBuilds, renderComparison } from '../render/build-list.ts';

const STATES: readonly BuildRecord['state'][] = ['running', 'done', 'failed', 'canceled', 'interrupted'];

/** `slipway builds ls` */
export const buildsLs = defineCommand({
  usage: '[OPTIONS]',
  flags: {
    filter: { type: 'list', short: 'f', usage: 'Filter output by "status=STATUS"' },
    format: { type: 'string', default: 'table', usage: 'Format the output ("table", "json")' },
    quiet: { type: 'bool', short: 'q', usage: 'Only show build IDs' },
  },
  args: { least: 0, most: 0 },
  async run({ root, stdout }, { values }) {
    const format = formatOf(values.format, ['table', 'json']);
    const states = statesOf(values.filter);
    const builds = new BuildHistory(root).all().filter(({ state }) => states.includes(state));
    if (values.quiet) stdout.write(builds.map(({ id }) => `${id}\n`).join(''));
    else if (format === 'json') stdout.write(builds.map((record) => `${safeJson(brief(record))}\n`).join(''));
    else stdout.write(renderBuilds(builds, Date.now()));
    return 0;
  },
});

/** `slipway builds show` */
export const buildsShow = defineCommand({
  usage: '[OPTIONS] [BUILD]',
  flags: { format: { type: 'string', default: 'text', usage: 'Format the output ("text", "json")' } },
  args: { least: 0, most: 1 },
  async run({ root, stdout }, { values, args }) {
    const format = formatOf(values.format, ['text', 'json']);
    const record = new BuildHistory(root).find(args[0]);
    stdout.write(format === 'json' ? `${safeJson(record, 2)}\n` : renderBuild(record));
    return 0;
  },
});

/** `slipway builds rm` */
export const buildsRm = defineCommand({
  usage: '[OPTIONS] BUILD [BUILD...]',
  flags: { all: { type: 'bool', short: 'a', usage: 'Remove the records of all builds that have ended' } },
  args: { least: 0 },
  async run({ root, stdout }, { values, args }) {
    const { removeBuilds } = await import('../../record/retention.ts');
    const history = new BuildHistory(root);
    if (args.length === 0 && !values.all) {
      throw new SlipwayError('usage', 'name the builds to remove, or give --all', { code: 'BUILDS_NONE' });
    }
    const named = args.map((text) => history.find(text));
    const running = named.find(({ state }) => state === 'running');
    if (running) {
      throw new SlipwayError('conflict', `build ${running.id} is still running`, { code: 'BUILD_RUNNING' });
    }
    const ended = values.all ? history.all().filter(({ state }) => state !== 'running') : named;
    const ids = [...new Set(ended.map(({ id }) => id))];
    removeBuilds(root, ids);
    stdout.write(ids.map((id) => `${id}\n`).join(''));
    return 0;
  },
});

/** `slipway builds compare` */
export const buildsCompare = defineCommand({
  usage: '[OPTIONS] BUILD BUILD',
  flags: { format: { type: 'string', default: 'text', usage: 'Format the output ("text", "json")' } },
  args: { least: 2, most: 2 },
  async run({ root, stdout }, { values, args }) {
    const format = formatOf(values.format, ['text', 'json']);
    const { compare } = await import('../../engine/builds.ts');
    const comparison = compare(root, args[0]!, args[1]!);
    stdout.write(format === 'json' ? `${safeJson(comparison, 2)}\n` : renderComparison(comparison));
    return 0;
  },
});

/** What a list needs of a record. */
function brief({ id, started, ended, state, subject, tags, imageId, error }: BuildRecord): object {
  return { id, state, started, ended, subject, tags, imageId, error };
}

function statesOf(filters: readonly string[]): readonly string[] {
  if (filters.length === 0) return STATES;
  return filters.map((filter) => {
    const state = filter.startsWith('status=') ? filter.slice('status='.length) : undefined;
    const known = STATES.find((one) => one === state);
    if (known !== undefined) return known;
    throw new SlipwayError('usage', `invalid filter ${JSON.stringify(filter)}`, {
      code: 'FILTER_INVALID',
      hint: `Filters: ${STATES.map((one) => `status=${one}`).join(', ')}.`,
    });
  });
}

function formatOf<Format extends string>(text: string, formats: readonly Format[]): Format {
  const format = formats.find((one) => one === text);
  if (format !== undefined) return format;
  throw new SlipwayError('usage', `unknown format ${JSON.stringify(text)}`, {
    code: 'FORMAT_INVALID',
    hint: `Formats: ${formats.join(', ')}.`,
  });
}
