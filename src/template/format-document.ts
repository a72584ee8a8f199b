import { SlipwayError } from '../errors/index.ts';
import { evaluate } from './evaluate.ts';
import { functions } from './functions.ts';
import type { Template } from './parse.ts';
import { type StructSchema, typedFromJson } from './typed.ts';
import { fromJson } from './values.ts';

/**
 * What a template makes of a document, as `docker inspect --format` does it: on Go's types first, and where that
 * fails on the JSON text, whose names (`.Id`) are other ones.
 *
 * @throws SlipwayError `TEMPLATE_FAILED`
 */
export function formatDocument(template: Template, document: unknown, schema: StructSchema): string {
  try {
    return evaluate(template, typedFromJson(document, schema), { functions });
  } catch (error) {
    if (!(error instanceof SlipwayError) || error.code !== 'TEMPLATE_FAILED') throw error;
    return evaluate(template, fromJson(document), { functions, strictKeys: true });
  }
}
