/** Edits between two words (Levenshtein). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] as number;
}

const MAX_LISTED = 8;

/** A hint: the word that was probably meant, else what there is. */
export function suggestion(found: string, allowed: readonly string[]): string {
  if (allowed.length === 0) return 'there is none yet';
  const near = allowed
    .map((word) => ({ word, edits: distance(found.toLowerCase(), word.toLowerCase()) }))
    .filter(({ word, edits }) => edits <= Math.max(1, Math.floor(Math.min(word.length, found.length) / 3)))
    .toSorted((a, b) => a.edits - b.edits)[0];
  if (near !== undefined) return `did you mean "${near.word}"?`;
  const sorted = allowed.toSorted();
  const listed = sorted.slice(0, MAX_LISTED).join(', ');
  return `there is: ${listed}${sorted.length > MAX_LISTED ? ` and ${sorted.length - MAX_LISTED} more` : ''}`;
}
