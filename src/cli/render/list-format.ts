import { GoMap, GoStruct, parseFormat, rawJson, render, renderHeader } from '../../template/index.ts';
import { renderTable } from './table.ts';

/** One placeholder of a list's `--format`. */
export interface Column<Row> {
  /** As templates name it: `ID`. */
  name: string;
  /** Above its column in a table. */
  header: string;
  value(row: Row): string;
}

/** A kind of list, as Docker's formatter package knows it. */
export interface ListKind<Row> {
  /** Go's name of the type behind its templates, for messages: `*formatter.imageContext`. */
  typeName: string;
  columns: readonly Column<Row>[];
  /** The template of `table`. */
  table: string;
  /** The template of `raw`, where there is one. */
  raw?: string;
}

/** Help of the flag, in Docker's words. */
export const formatFlag = {
  format: {
    type: 'string',
    usage: `Format output using a custom template:
'table':            Print output in table format with column headers (default)
'table TEMPLATE':   Print output in table format using the given Go template
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates`,
  },
} as const;

/** Help of the flag of commands that show documents. */
export const documentFormatFlag = {
  format: {
    type: 'string',
    short: 'f',
    usage: `Format output using a custom template:
'json':             Print in JSON format
'TEMPLATE':         Print output using the given Go template.
Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates`,
  },
} as const;

/**
 * A list as `--format` asks for it: `table`, `table TEMPLATE`, `json`, `raw`, or a template for each row.
 *
 * @throws SlipwayError `TEMPLATE_SYNTAX`, `TEMPLATE_FAILED` with Docker's words.
 */
export function formatList<Row>(rows: readonly Row[], format: string, kind: ListKind<Row>): string {
  const isTable = /^table(?:\s|$)/.test(format);
  const template = parseFormat(templateText(format, kind));
  const lines = rows.map((row) => render(template, rowStruct(row, kind)));
  if (!isTable) return lines.map((line) => `${line}\n`).join('');
  const headers = new GoMap(
    kind.columns.map(({ name, header }) => [name, header]),
    '',
  );
  const cells = (line: string): string[] => line.split('\t');
  return renderTable(cells(renderHeader(template, headers)), lines.map(cells));
}

function templateText<Row>(format: string, kind: ListKind<Row>): string {
  const table = /^table(?:\s+|$)([\s\S]*)$/.exec(format);
  const text = table === null ? format : table[1] === '' ? kind.table : table[1]!;
  if (format === 'json') return '{{json .}}';
  if (format === 'raw' && kind.raw !== undefined) return kind.raw;
  return text.trim().replaceAll('\\t', '\t').replaceAll('\\n', '\n');
}

/** A row as templates see it. */
export function rowStruct<Row>(
  row: Row,
  { typeName, columns }: Pick<ListKind<Row>, 'typeName' | 'columns'>,
): GoStruct {
  const sorted = columns.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return new GoStruct({
    typeName,
    methods: columns.map(({ name, value }) => [name, () => value(row)]),
    json: () => Object.fromEntries(sorted.map(({ name, value }) => [name, htmlSafe(value(row))])),
  });
}

/** Docker's rows go through encoding/json twice, and the first time escapes HTML. */
function htmlSafe(text: string): unknown {
  const escaped = (letter: string): string => `\\u00${letter.charCodeAt(0).toString(16)}`;
  return rawJson(JSON.stringify(text).replace(/[<>&]/g, escaped));
}
