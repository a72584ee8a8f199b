import { describe, expect, it } from 'vitest';
import type { FlagTable } from '../../src/cli/flags/definition.ts';
import { parseFlags } from '../../src/cli/flags/parse.ts';
import { flagUsages } from '../../src/cli/flags/usage.ts';

const TABLE = {
  tag: { type: 'list', short: 't', usage: '' },
  quiet: { type: 'bool', short: 'q', usage: '' },
  pull: { type: 'bool', usage: '' },
  rm: { type: 'bool', default: 'true', usage: '' },
  file: { type: 'string', short: 'f', usage: '' },
  platform: { type: 'strings', usage: '' },
  jobs: { type: 'int', short: 'j', default: '2', usage: '' },
  sbom: { type: 'string', alone: 'true', usage: '' },
} as const satisfies FlagTable;

const DEFAULTS = { tag: [], quiet: false, pull: false, rm: true, file: '', platform: [], jobs: 2, sbom: '' };

describe('parseFlags', () => {
  it.each([
    { argv: ['-t=a'], values: { tag: ['a'] } },
    { argv: ['-ta'], values: { tag: ['a'] } },
    { argv: ['-t', 'a', '--tag=b', '--tag', 'c'], values: { tag: ['a', 'b', 'c'] } },
    { argv: ['-t='], values: { tag: ['='] } },
    { argv: ['-t', '=a'], values: { tag: ['=a'] } },
    { argv: ['--tag='], values: { tag: [''] } },
    { argv: ['--tag', '-q'], values: { tag: ['-q'] } },
    { argv: ['-t', '--'], values: { tag: ['--'] } },
    { argv: ['-qt', 'x'], values: { quiet: true, tag: ['x'] } },
    { argv: ['-qtx'], values: { quiet: true, tag: ['x'] } },
    { argv: ['-qt=x'], values: { quiet: true, tag: ['x'] } },
    { argv: ['-q=false'], values: {} },
    { argv: ['-q=T'], values: { quiet: true } },
    { argv: ['--pull=false'], values: {} },
    { argv: ['--pull', 'false'], values: { pull: true }, args: ['false'] },
    { argv: ['--rm=0'], values: { rm: false } },
    { argv: ['a', '-q', 'b'], values: { quiet: true }, args: ['a', 'b'] },
    { argv: ['-q', '--', '-t', '--', 'x'], values: { quiet: true }, args: ['-t', '--', 'x'] },
    { argv: ['-', '-q'], values: { quiet: true }, args: ['-'] },
    { argv: ['-f', 'a', '-f', 'b'], values: { file: 'b' } },
    { argv: ['--platform', 'a,b', '--platform=c'], values: { platform: ['a', 'b', 'c'] } },
    { argv: ['--platform', '"a,b",c'], values: { platform: ['a,b', 'c'] } },
    { argv: ['-j8'], values: { jobs: 8 } },
    { argv: ['--jobs=0x10'], values: { jobs: 16 } },
    { argv: ['--jobs', '-1'], values: { jobs: -1 } },
    { argv: ['--sbom', 'x'], values: { sbom: 'true' }, args: ['x'] },
    { argv: ['--sbom=y'], values: { sbom: 'y' } },
  ])('$argv', ({ argv, values, args = [] }) => {
    const parsed = parseFlags(TABLE, argv);
    expect(parsed.values).toEqual({ ...DEFAULTS, ...values });
    expect(parsed.args).toEqual(args);
  });

  it('ends at the first argument where the command says so', () => {
    const { values, args } = parseFlags(TABLE, ['-q', 'image', '-t', 'x'], { flagsEndAtArgument: true });
    expect({ values, args }).toEqual({ values: { ...DEFAULTS, quiet: true }, args: ['image', '-t', 'x'] });
  });

  it.each([
    [['--bogus'], 'unknown flag: --bogus'],
    [['--constructor'], 'unknown flag: --constructor'],
    [['-z'], "unknown shorthand flag: 'z' in -z"],
    [['-qz'], "unknown shorthand flag: 'z' in -z"],
    [['--tag'], 'flag needs an argument: --tag'],
    [['-qt'], "flag needs an argument: 't' in -t"],
    [['--=x'], 'bad flag syntax: --=x'],
    [['---'], 'bad flag syntax: ---'],
    [['--pull=x'], 'invalid argument "x" for "--pull" flag: strconv.ParseBool: parsing "x": invalid syntax'],
    [
      ['-j', 'many'],
      'invalid argument "many" for "-j, --jobs" flag: strconv.ParseInt: parsing "many": invalid syntax',
    ],
    [
      ['--platform', 'a"b'],
      'invalid argument "a\\"b" for "--platform" flag: parse error on line 1, column 2: bare " in non-quoted field',
    ],
  ])('%j', (argv, message) => {
    expect(() => parseFlags(TABLE, argv)).toThrow(expect.objectContaining({ kind: 'usage', message }));
  });
});

describe('flagUsages', () => {
  // Texts and result are those of `docker rmi --help` and `docker images --help` (28.2.2, 80 columns).
  it('aligns and wraps as Docker does', () => {
    const rmi = {
      platform: {
        type: 'strings',
        usage:
          'Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")',
      },
      'no-prune': { type: 'bool', usage: 'Do not delete untagged parents' },
      force: { type: 'bool', short: 'f', usage: 'Force removal of the image' },
      secret: { type: 'bool', usage: 'Not shown', hidden: true },
    } as const satisfies FlagTable;
    expect(flagUsages(rmi, 79)).toBe(`\
  -f, --force              Force removal of the image
      --no-prune           Do not delete untagged parents
      --platform strings   Remove only the given platform variant.
                           Formatted as "os[/arch[/variant]]" (e.g.,
                           "linux/amd64")
`);
  });

  it('keeps line breaks of a text', () => {
    const images = {
      filter: {
        type: 'string',
        short: 'f',
        valueName: 'filter',
        usage: 'Filter output based on conditions provided',
      },
      format: {
        type: 'string',
        usage: `Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates`,
      },
    } as const satisfies FlagTable;
    expect(flagUsages(images, 79)).toBe(`\
  -f, --filter filter   Filter output based on conditions provided
      --format string   Format output using a custom template:
                        'table':            Print output in table format
                        with column headers (default)
                        'table TEMPLATE':   Print output in table format
                        using the given Go template
                        'json':             Print in JSON format
                        'TEMPLATE':         Print output using the given
                        Go template.
                        Refer to https://docs.docker.com/go/formatting/
                        for more information about formatting output with
                        templates
`);
  });

  it('shows defaults', () => {
    const table = {
      network: { type: 'string', default: 'default', usage: 'Mode' },
      rm: { type: 'bool', default: 'true', usage: 'Remove' },
      sbom: { type: 'string', alone: 'true', usage: 'Make one' },
    } as const satisfies FlagTable;
    expect(flagUsages(table, 79)).toBe(`\
      --network string         Mode (default "default")
      --rm                     Remove (default true)
      --sbom string[="true"]   Make one
`);
  });
});
