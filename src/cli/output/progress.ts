/** Lines that say how far something is: redrawn in place on a terminal, written only when they change elsewhere. */
import type { Writer } from '../io.js';

export interface Progress {
  /** The whole block as it is now. */
  show(lines: readonly string[]): void;
  /** Leaves the last block standing. */
  end(): void;
}

const UP_AND_CLEAR = '\u001b[1A\u001b[2K';

export function createProgress(out: Writer, inPlace: boolean): Progress {
  let shown: readonly string[] = [];
  return {
    show(lines) {
      if (inPlace) out.write(UP_AND_CLEAR.repeat(shown.length) + lines.map((line) => `${line}\n`).join(''));
      else for (const line of lines) if (!shown.includes(line)) out.write(`${line}\n`);
      shown = lines;
    },
    end() {
      shown = [];
    },
  };
}
