import { humanSize } from './human.ts';
import { progressBar } from './progress-bar.ts';

/** A terminal is drawn to no more often than this. */
const REDRAW_MS = 100;

/** How far one download is, on a terminal: a line that is drawn again and wiped at the end. */
export interface DownloadLine {
  received: (bytes: number, total?: number) => void;
  end(): void;
}

/** Writes nothing where there is no terminal. */
export function downloadLine(out: NodeJS.WriteStream): DownloadLine {
  let drawn = Number.NEGATIVE_INFINITY;
  return {
    received(bytes, total) {
      const now = performance.now();
      if (!out.isTTY || now - drawn < REDRAW_MS) return;
      drawn = now;
      const amount = total === undefined ? humanSize(bytes, 4) : progressBar(bytes, total, out.columns);
      out.write(`\r\x1b[2KDownloading  ${amount}`);
    },
    end() {
      if (drawn >= 0) out.write('\r\x1b[2K');
    },
  };
}
