/** Integer weights as Envoy accepts them. */

const MAX_TOTAL = 0xffff_ffff;

/** Divided by what is common to all. Only a sum beyond Envoy's 32 bits is rounded, and then nothing rounds to zero. */
export function reducedWeights(weights: readonly number[]): readonly number[] {
  const divisor = weights.reduce(gcd, 0) || 1;
  const reduced = weights.map((weight) => weight / divisor);
  const total = reduced.reduce((sum, weight) => sum + weight, 0);
  if (total <= MAX_TOTAL) return reduced;
  const factor = Math.ceil(total / (MAX_TOTAL - weights.length));
  return reduced.map((weight) => (weight === 0 ? 0 : Math.max(1, Math.floor(weight / factor))));
}

const STEADY_TOTAL = 1_000_000;

/**
 * Always of the same sum. A hash is parted by it: as one weight grows and its neighbour shrinks, callers move to the one that
 * grows and never back, and none of the others moves at all.
 */
export function steadyWeights(weights: readonly number[]): readonly number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const ends = weights.map((_, i) => {
    const upTo = weights.slice(0, i + 1).reduce((sum, weight) => sum + weight, 0);
    return Math.round((upTo / total) * STEADY_TOTAL);
  });
  return ends.map((end, i) => end - (ends[i - 1] ?? 0));
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
