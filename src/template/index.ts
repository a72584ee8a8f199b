import { evaluate } from './evaluate.ts';
import { functions } from './functions.ts';
import { parseTemplate, type Template } from './parse.ts';
import type { GoValue } from './values.ts';

export { fromJson, GoMap, GoStruct, type GoValue } from './values.ts';

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
 * The text that a template makes of a value. With `strictKeys`, a key that a map lacks is an error.
 *
 * @throws SlipwayError `TEMPLATE_FAILED`
 */
export function render(template: Template, value: GoValue, strictKeys = false): string {
  return evaluate(template, value, { functions, strictKeys });
}
