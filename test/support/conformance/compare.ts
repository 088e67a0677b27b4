/** Whether what was measured is what must be seen. Pure: gives the differences in words. */
import { isDeepStrictEqual } from 'node:util';
import type { Seen } from './cases.js';

export interface Answer {
  /** `<status> <backend>`. */
  readonly outcome: string;
  readonly latencyMs: number;
  readonly location: string | undefined;
  /** What the backend saw. */
  readonly path: string | undefined;
  readonly host: string | undefined;
}

export interface Measured {
  readonly answers: readonly Answer[];
  /** Requests by backend. */
  readonly hits: Readonly<Record<string, number>>;
}

type Counts = Readonly<Record<string, number>>;

export function differences(seen: Seen, measured: Measured, isFailing = false): readonly string[] {
  const { answers, hits } = measured;
  const counts = countsOf(answers.map(({ outcome }) => outcome));
  const problems: string[] = [];
  const equal = (what: string, wanted: unknown, found: unknown): void => {
    if (!isDeepStrictEqual(wanted, found)) problems.push(`${what}: ${show(wanted)} expected, ${show(found)} seen`);
  };
  const { exact, shares, anyOf, observed, backendHits, mirrorShares, latencyMs } = seen;
  if (exact !== undefined) equal('answers', exact, sortedLike(exact, counts));
  if (shares !== undefined) problems.push(...shareDifferences('share', shares, counts, answers.length));
  if (anyOf !== undefined) {
    const others = Object.keys(counts).filter((outcome) => !anyOf.includes(outcome));
    if (others.length > 0) problems.push(`answers: any of ${show(anyOf)} expected, ${show(others)} seen`);
  }
  if (observed !== undefined) problems.push(...qualityDifferences(observed, answers, isFailing));
  if (backendHits !== undefined) equal('requests at backends', backendHits, sortedLike(backendHits, hits));
  if (mirrorShares !== undefined) {
    problems.push(...shareDifferences('mirrored share', mirrorShares, copiesOf(measured), answers.length));
  }
  for (const [what, wanted, found] of [
    ['location', seen.location, answers.at(-1)?.location],
    ['path at the backend', seen.upstreamPath, answers.at(-1)?.path],
    ['host at the backend', seen.upstreamHost, answers.at(-1)?.host],
  ] as const) {
    if (wanted !== undefined) equal(what, wanted, found);
  }
  if (latencyMs !== undefined) problems.push(...latencyDifferences(latencyMs, answers));
  return problems;
}

/** Requests beyond those that were answered from there. */
export function copiesOf({ answers, hits }: Measured): Counts {
  const answered = countsOf(answers.map(({ outcome }) => outcome.split(' ')[1] ?? '-'));
  return Object.fromEntries(
    Object.entries(hits)
      .map(([backend, count]) => [backend, count - (answered[backend] ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );
}

function shareDifferences(what: string, shares: Counts, counts: Counts, n: number): readonly string[] {
  const strangers = Object.keys(counts).filter((key) => shares[key] === undefined);
  return [
    ...strangers.map((key) => `${what} of ${key}: none expected, ${counts[key]} of ${n} seen`),
    ...Object.entries(shares).flatMap(([key, share]) => {
      const measured = (counts[key] ?? 0) / n;
      const bound = 4 * Math.sqrt((share * (1 - share)) / n);
      if (Math.abs(measured - share) <= bound) return [];
      return [`${what} of ${key}: ${share} ± ${bound.toFixed(3)} expected, ${measured.toFixed(3)} seen`];
    }),
  ];
}

/**
 * Which backend a hash picks is nobody's promise, but that one gets all, or that all of them get some, is one. Where
 * backends fail, each of the answers that were seen must come, and once Envoy has no backend left it stays so.
 */
function qualityDifferences(observed: Counts, answers: readonly Answer[], isFailing: boolean): readonly string[] {
  const outcomes = answers.map(({ outcome }) => outcome);
  const found = [...new Set(outcomes)].toSorted();
  const wanted = Object.keys(observed).toSorted();
  const summary = `${show(observed)} seen at Istio, ${show(countsOf(outcomes))} here`;
  if (isFailing) {
    const firstOfEnvoy = outcomes.findIndex((outcome) => outcome.endsWith(' -'));
    const isEjected = firstOfEnvoy >= 0 && outcomes.slice(firstOfEnvoy).every((outcome) => outcome.endsWith(' -'));
    const wasEjected = wanted.some((outcome) => outcome.endsWith(' -'));
    return isDeepStrictEqual(found, wanted) && isEjected === wasEjected ? [] : [`ejection: ${summary}`];
  }
  if (wanted.length > 1) return isDeepStrictEqual(found, wanted) ? [] : [`spread: ${summary}`];
  const serviceOf = (outcome: string | undefined): string | undefined => outcome?.split('/')[0];
  return found.length === 1 && serviceOf(found[0]) === serviceOf(wanted[0]) ? [] : [`stickiness: ${summary}`];
}

/**
 * A delay that is missing, or that came where none was, is noticed; a slow machine is not. Where only some requests were
 * delayed, which of them is the median is chance.
 */
function latencyDifferences(wanted: NonNullable<Seen['latencyMs']>, answers: readonly Answer[]): readonly string[] {
  const sorted = answers.map(({ latencyMs }) => latencyMs).toSorted((a, b) => a - b);
  const found = { min: sorted[0] ?? 0, p50: sorted[Math.floor(sorted.length / 2)] ?? 0, max: sorted.at(-1) ?? 0 };
  const isMixed = wanted.max > 2 * wanted.min + 100;
  const compared = isMixed ? (['min', 'max'] as const) : (['min', 'p50', 'max'] as const);
  return compared.flatMap((which) => {
    const [low, high] = [wanted[which] * 0.8 - 20, wanted[which] * 1.25 + (which === 'max' ? 1000 : 100)];
    if (found[which] >= low && found[which] <= high) return [];
    return [`latency ${which}: ${wanted[which]} ms expected, ${found[which].toFixed(1)} seen`];
  });
}

function countsOf(keys: readonly string[]): Counts {
  const counts: Record<string, number> = {};
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}

/** The same keys in the same order, so that messages are easy to compare. */
function sortedLike(model: Counts, counts: Counts): Counts {
  const keys = [...Object.keys(model), ...Object.keys(counts)];
  return Object.fromEntries(
    [...new Set(keys)].flatMap((key) => (counts[key] === undefined ? [] : [[key, counts[key]]])),
  );
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing';
}
