import { describe, expect, it } from 'vitest';
import { type HistoryLine, historyColumns } from '../../src/cli/render/history-columns.ts';
import { createdSince, humanDuration, humanSize } from '../../src/cli/render/human.ts';
import { imageColumns } from '../../src/cli/render/image-columns.ts';
import { imageLines, type ListedImage } from '../../src/cli/render/image-list.ts';
import { formatList } from '../../src/cli/render/list-format.ts';

const NOW = Date.UTC(2026, 5, 1);
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('humanSize', () => {
  it.each([
    [0, '0B'],
    [1, '1B'],
    [999, '999B'],
    [1000, '1kB'],
    [1234, '1.23kB'],
    [1_500_000, '1.5MB'],
    [1_978_000, '1.98MB'],
    [121_400_000, '121MB'],
    [999_600, '1MB'],
    [12_345_678_901, '12.3GB'],
  ])('%d is %s', (bytes, text) => {
    expect(humanSize(bytes)).toBe(text);
  });
});

describe('humanDuration', () => {
  // The rows of go-units' own table of results.
  it.each([
    [0.45, 'Less than a second'],
    [1, '1 second'],
    [45, '45 seconds'],
    [46, '46 seconds'],
    [59, '59 seconds'],
    [60, 'About a minute'],
    [90, 'About a minute'],
    [3 * MINUTE, '3 minutes'],
    [35 * MINUTE + 40, '35 minutes'],
    [59 * MINUTE, '59 minutes'],
    [HOUR, 'About an hour'],
    [HOUR + 29 * MINUTE, 'About an hour'],
    [HOUR + 31 * MINUTE, '2 hours'],
    [3 * HOUR, '3 hours'],
    [3 * HOUR + 31 * MINUTE, '4 hours'],
    [24 * HOUR, '24 hours'],
    [36 * HOUR, '36 hours'],
    [2 * DAY, '2 days'],
    [7 * DAY, '7 days'],
    [13 * DAY + 5 * HOUR, '13 days'],
    [14 * DAY, '2 weeks'],
    [15 * DAY, '2 weeks'],
    [21 * DAY, '3 weeks'],
    [29 * DAY, '4 weeks'],
    [60 * DAY, '2 months'],
    [365 * DAY, '12 months'],
    [24 * 30 * DAY, '24 months'],
    [730 * DAY, '2 years'],
    [3 * 365 * DAY + 2 * 30 * DAY, '3 years'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(humanDuration(seconds)).toBe(text);
  });

  it.each([
    ['2026-05-18T00:00:00Z', '2 weeks ago'],
    ['0001-01-01T00:00:00Z', 'N/A'],
    ['nonsense', 'N/A'],
    [undefined, 'N/A'],
    ['1970-01-01T00:00:00Z', '56 years ago'],
  ])('%s was %s', (created, text) => {
    expect(createdSince(created, NOW)).toBe(text);
  });
});

const IMAGES: ListedImage[] = [
  {
    id: `sha256:${'1'.repeat(64)}`,
    tags: [
      { repository: 'app', tag: '1' },
      { repository: 'localhost:5000/team/app', tag: 'latest' },
    ],
    digests: [{ repository: 'app', digest: `sha256:${'a'.repeat(64)}` }],
    created: '2026-05-31T23:59:00Z',
    size: 121_400_000,
  },
  { id: `sha256:${'2'.repeat(64)}`, tags: [], digests: [], created: '2026-01-01T00:00:00Z', size: 0 },
  {
    id: `sha256:${'3'.repeat(64)}`,
    tags: [],
    digests: [{ repository: 'pulled', digest: `sha256:${'b'.repeat(64)}` }],
    created: '0001-01-01T00:00:00Z',
    size: 1_978_000,
  },
];

describe('the list of images', () => {
  const options = { noTrunc: false, digests: false, now: NOW };
  const list = (images: ListedImage[], how: typeof options, format = 'table') =>
    formatList(imageLines(images, how.digests), format, imageColumns(how));

  it('is a table as Docker prints it', () => {
    expect(list(IMAGES, options)).toBe(`\
REPOSITORY                TAG       IMAGE ID       CREATED              SIZE
app                       1         111111111111   About a minute ago   121MB
localhost:5000/team/app   latest    111111111111   About a minute ago   121MB
<none>                    <none>    222222222222   5 months ago         0B
pulled                    <none>    333333333333   N/A                  1.98MB
`);
  });

  it('shows digests, whole ids, ids alone', () => {
    expect(list(IMAGES, { ...options, digests: true }).replace(/([ab])\1{63}/g, '($1)')).toBe(`\
REPOSITORY                TAG       DIGEST                                                                    IMAGE ID       CREATED              SIZE
app                       1         sha256:(a)   111111111111   About a minute ago   121MB
localhost:5000/team/app   latest    <none>                                                                    111111111111   About a minute ago   121MB
<none>                    <none>    <none>                                                                    222222222222   5 months ago         0B
pulled                    <none>    sha256:(b)   333333333333   N/A                  1.98MB
`);
    expect(list(IMAGES.slice(1, 2), { ...options, noTrunc: true }, '{{.ID}}')).toBe(
      `sha256:${'2'.repeat(64)}\n`,
    );
  });

  it('by templates', () => {
    expect(list(IMAGES, options, 'table {{upper .Repository}}\\t{{.ID}}')).toBe(`\
REPOSITORY                IMAGE ID
APP                       111111111111
LOCALHOST:5000/TEAM/APP   111111111111
<NONE>                    222222222222
PULLED                    333333333333
`);
    expect(list(IMAGES.slice(1, 2), options, 'json')).toBe(
      '{"Containers":"N/A","CreatedAt":"2026-01-01 00:00:00 +0000 UTC","CreatedSince":"5 months ago",' +
        '"Digest":"\\u003cnone\\u003e","ID":"222222222222","Repository":"\\u003cnone\\u003e","SharedSize":"N/A",' +
        '"Size":"0B","Tag":"\\u003cnone\\u003e","UniqueSize":"N/A","VirtualSize":"0B"}\n',
    );
    expect(() => list(IMAGES, options, '{{.Foo}}')).toThrow(
      `template: :1:2: executing "" at <.Foo>: can't evaluate field Foo in type *formatter.imageContext`,
    );
  });

  it('has only a header without images', () => {
    expect(list([], options)).toBe('REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n');
  });
});

describe('the history of an image', () => {
  const lines: HistoryLine[] = [
    {
      id: `sha256:${'1'.repeat(64)}`,
      created: '2026-05-31T00:00:00Z',
      createdBy: 'CMD ["sh"]',
      size: 0,
      comment: 'buildkit.dockerfile.v0',
    },
    {
      id: undefined,
      created: '2026-05-30T12:00:00.123Z',
      createdBy: 'RUN /bin/sh -c \tapt-get update && apt-get install -y gcc # \x1b[2J',
      size: 203_456_789,
      comment: '',
    },
  ];
  const options = { human: true, noTrunc: false, now: NOW };
  const list = (how: typeof options) => formatList(lines, 'table', historyColumns(how));

  it('is a table as Docker prints it', () => {
    expect(list(options)).toBe(`\
IMAGE          CREATED        CREATED BY                                      SIZE      COMMENT
111111111111   24 hours ago   CMD ["sh"]                                      0B        buildkit.dockerfile.v0
<missing>      36 hours ago   RUN /bin/sh -c  apt-get update && apt-get in…   203MB     
`);
  });

  it('in full and in exact numbers', () => {
    const text = list({ ...options, human: false, noTrunc: true });
    expect(text.replaceAll('1'.repeat(64), '(1)')).toBe(`\
IMAGE                                                                     CREATED AT             CREATED BY                                                    SIZE        COMMENT
sha256:(1)   2026-05-31T00:00:00Z   CMD ["sh"]                                                    0           buildkit.dockerfile.v0
<missing>                                                                 2026-05-30T12:00:00Z   RUN /bin/sh -c  apt-get update && apt-get install -y gcc #    203456789   
`);
  });
});
