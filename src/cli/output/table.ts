/** Columns without borders, as wide as their widest cell. */
import stringWidth from 'string-width';

const GAP = '  ';

/** One line per row, header first, each ending with a newline. Cells may hold colour. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...lines.map((line) => stringWidth(line[column] ?? ''))));
  return lines.map((line) => formatLine(line, widths)).join('');
}

function formatLine(cells: readonly string[], widths: readonly number[]): string {
  const padded = cells.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - stringWidth(cell)));
  return `${padded.join(GAP).trimEnd()}\n`;
}

/** `label  value` pairs, one a line, for `describe` and `status`. */
export function formatPairs(pairs: readonly (readonly [string, string])[], indent = ''): string {
  const width = Math.max(0, ...pairs.map(([label]) => stringWidth(label)));
  return pairs
    .map(([label, value]) => {
      const pad = ' '.repeat(width - stringWidth(label));
      return `${indent}${label}${pad}${GAP}${value}`.trimEnd() + '\n';
    })
    .join('');
}
