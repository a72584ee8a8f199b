import { humanSize } from './human.ts';

/** Cells of Docker's bar. */
const BAR = 50;

/** How far something is, as Docker shows it: a bar and amounts where the terminal is wide enough, else the amounts. */
export function progressBar(current: number, total: number, columns: number): string {
  const numbers = `${humanSize(current, 4)}/${humanSize(total, 4)}`;
  if (columns <= 110) return numbers.padStart(20);
  const filled = Math.min(BAR, Math.floor((current / Math.max(1, total)) * BAR));
  const bar = `${'='.repeat(Math.max(0, filled - 1))}${filled > 0 ? '>' : ''}`.padEnd(BAR);
  return `[${bar}]  ${numbers}`;
}
