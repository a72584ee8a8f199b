import { evaluate } from './evaluate.ts';
import { functions, type TemplateFunction } from './functions.ts';
import { parseTemplate, type Template } from './parse.ts';
import { type GoValue, toJson } from './values.ts';

export { formatDocument } from './format-document.ts';
export { structFromJson } from './typed.ts';
export { GoMap, GoStruct, type GoValue, rawJson } from './values.ts';

const NAMES: ReadonlySet<string> = new Set([...Object.keys(functions), 'and', 'or']);

/**
 * Parses a template as Docker's `--format` takes it: Go's text/template with Docker's functions.
 *
 * @throws SlipwayError `TEMPLATE_SYNTAX`
 */
export function parseFormat(text: string): Template {
  return parseTemplate(text, NAMES);
}

/**
 * The text that a template makes of a value.
 *
 * @throws SlipwayError `TEMPLATE_FAILED`
 */
export function render(template: Template, value: GoValue): string {
  return evaluate(template, value, { functions });
}

/** Functions that only change how a value looks leave the headers of a table as they are. */
const headerFunctions = {
  ...functions,
  ...Object.fromEntries(
    ['json', 'title', 'lower', 'upper', 'truncate'].map((name) => [
      name,
      { ...functions[name]!, call: ([header]: readonly GoValue[]) => header },
    ]),
  ),
};

/** As `render`, with JSON on several lines, as buildx has it. Errors as `render`. */
export function renderIndented(template: Template, value: GoValue): string {
  const json: TemplateFunction = {
    least: 1,
    most: 1,
    call: ([one]) => JSON.stringify(toJson(one), undefined, 2),
  };
  return evaluate(template, value, { functions: { ...functions, json } });
}

/** The header of a table: the template on the names of its columns. */
export function renderHeader(template: Template, headers: GoValue): string {
  return evaluate(template, headers, { functions: headerFunctions });
}
