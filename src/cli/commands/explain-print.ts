import { type ExplainRequest, explain } from '../../engine/builds.ts';
import { safeJson } from '../../progress/safe-text.ts';
import { renderExplanation } from '../render/explanation.ts';
import type { ExplainFormat } from './explain-format.ts';

/** Writes a build's explanation. Errors as `explain`. */
export function printExplanation(
  request: ExplainRequest,
  format: ExplainFormat,
  out: { write(text: string): unknown },
): void {
  const explanation = explain(request);
  out.write(format === 'json' ? `${safeJson(explanation, 2)}\n` : renderExplanation(explanation, Date.now()));
}
