/** The comparison of the conformance runner notices what it is there for. */
import { describe, expect, test } from 'vitest';
import { type Answer, differences } from '../../support/conformance/compare.js';

function answers(counts: Readonly<Record<string, number>>, over: Partial<Answer> = {}): Answer[] {
  return Object.entries(counts).flatMap(([outcome, n]) =>
    Array.from({ length: n }, () => ({ outcome, latencyMs: 1, location: undefined, path: '/', host: 'b', ...over })),
  );
}

describe('the comparison with Istio', () => {
  test('counts are equal or not', () => {
    const seen = { exact: { '200 b/v1': 2 } };
    expect(differences(seen, { answers: answers({ '200 b/v1': 2 }), hits: {} })).toEqual([]);
    expect(differences(seen, { answers: answers({ '200 b/v1': 1, '503 -': 1 }), hits: {} })).toEqual([
      'answers: {"200 b/v1":2} expected, {"200 b/v1":1,"503 -":1} seen',
    ]);
  });

  test('shares may stray by 4 sigma, and strangers may not come at all', () => {
    const seen = { shares: { a: 0.5, b: 0.5 } };
    expect(differences(seen, { answers: answers({ a: 230, b: 170 }), hits: {} })).toEqual([]);
    expect(differences(seen, { answers: answers({ a: 241, b: 159 }), hits: {} })).toHaveLength(2);
    expect(differences(seen, { answers: answers({ a: 200, b: 199, c: 1 }), hits: {} })).toEqual([
      'share of c: none expected, 1 of 400 seen',
    ]);
  });

  test('sticky is one backend, whichever; spread is all of them', () => {
    const sticky = { observed: { '200 a/v1': 30 } };
    expect(differences(sticky, { answers: answers({ '200 a/v3': 30 }), hits: {} })).toEqual([]);
    expect(differences(sticky, { answers: answers({ '200 a/v3': 29, '200 a/v1': 1 }), hits: {} })).toHaveLength(1);
    expect(differences(sticky, { answers: answers({ '503 -': 30 }), hits: {} })).toHaveLength(1);
    const spread = { observed: { '200 a/v1': 10, '200 a/v2': 20 } };
    expect(differences(spread, { answers: answers({ '200 a/v1': 25, '200 a/v2': 5 }), hits: {} })).toEqual([]);
    expect(differences(spread, { answers: answers({ '200 a/v1': 30 }), hits: {} })).toHaveLength(1);
  });

  test('once ejected, a backend stays away', () => {
    const seen = { observed: { '500 b/v1': 2, '503 -': 28 } };
    const play = (...runs: Readonly<Record<string, number>>[]): readonly string[] =>
      differences(seen, { answers: runs.flatMap((run) => answers(run)), hits: {} }, true);
    expect(play({ '500 b/v1': 3 }, { '503 -': 27 })).toEqual([]);
    expect(play({ '500 b/v1': 30 })).toHaveLength(1);
    expect(play({ '500 b/v1': 2 }, { '503 -': 3 }, { '500 b/v1': 1 })).toHaveLength(1);
  });

  test('a delay that is missing or that came unasked is noticed', () => {
    const some = { latencyMs: { min: 0.4, p50: 0.9, max: 205.7 } };
    const delayed = (...times: number[]): readonly string[] =>
      differences(some, { answers: times.flatMap((latencyMs) => answers({ a: 1 }, { latencyMs })), hits: {} });
    expect(delayed(1, 2, 203)).toEqual([]);
    expect(delayed(1, 2, 3)).toHaveLength(1);
    expect(delayed(1, 203, 203)).toEqual([]);
    expect(delayed(203, 203, 203)).toHaveLength(1);
  });

  test('copies are requests beyond those that were answered; retries count as hits', () => {
    const measured = { answers: answers({ '200 b/v1': 100 }), hits: { 'b/v1': 100, 'c/v1': 50 } };
    expect(differences({ mirrorShares: { 'c/v1': 0.5 } }, measured)).toEqual([]);
    expect(differences({ mirrorShares: { 'c/v1': 1 } }, measured)).toHaveLength(1);
    expect(differences({ backendHits: { 'b/v1': 100 } }, measured)).toHaveLength(1);
    expect(differences({ backendHits: { 'b/v1': 100, 'c/v1': 50 } }, measured)).toEqual([]);
  });

  test('what the backend saw and where a redirect points are compared', () => {
    const measured = { answers: answers({ a: 1 }, { path: '/x', host: 'h', location: 'http://l' }), hits: {} };
    expect(differences({ upstreamPath: '/x', upstreamHost: 'h', location: 'http://l' }, measured)).toEqual([]);
    expect(differences({ upstreamPath: '/', upstreamHost: 'b', location: 'http://m' }, measured)).toHaveLength(3);
  });
});
