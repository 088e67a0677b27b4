/** Istio's own tests of delegates as data: 44 pairs of matches that can or cannot hold together, and 11 merges of whole rules. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { conflicts, mergeDelegate } from '../../../src/dsl/delegate.js';
import type { HttpRule, IstioMatch } from '../../../src/dsl/virtual-service-shape.js';
import { unseenMutants } from '../../support/golden.js';

const folder = path.resolve(import.meta.dirname, '../../../fixtures/conformance/istio/golden');

function linesOf<Line>(name: string): readonly (readonly [number, Line])[] {
  const lines = readFileSync(path.join(folder, name), 'utf8').trim().split('\n');
  return lines.map((line, i) => [i + 1, JSON.parse(line) as Line] as const);
}

/** With the defaults that our parser gives, which Istio's JSON leaves out. */
function match(partial: object): IstioMatch {
  return { ignoreUriCase: false, headers: {}, withoutHeaders: {}, queryParams: {}, ...partial } as IstioMatch;
}

/** Some of these rules have no action, which no user could write. */
function rule(partial: { readonly match?: readonly object[] }): HttpRule {
  return { ...partial, ...(partial.match === undefined ? {} : { match: partial.match.map(match) }) } as HttpRule;
}

interface Pair {
  readonly root: object;
  readonly delegate: object;
  readonly conflict: boolean;
}

it.each(linesOf<Pair>('delegate-match-conflict.jsonl'))('pair %i conflicts, or does not', (_line, pair) => {
  expect(conflicts(match(pair.root), match(pair.delegate))).toBe(pair.conflict);
});

interface Merge {
  readonly root: object;
  readonly delegate: readonly object[];
  readonly merged?: readonly object[];
}

it.each(linesOf<Merge>('delegate-merge.jsonl'))('merge %i', (_line, { root, delegate, merged = [] }) => {
  const { rules } = mergeDelegate(rule(root), delegate.map(rule));
  expect(withoutDefaults(rules)).toEqual(withoutDefaults(merged.map(rule)));
});

it('a merge would be seen to differ in every field', () => {
  const merges = linesOf<Merge>('delegate-merge.jsonl').map(([line, { root, delegate }]) => {
    const said = withoutDefaults(mergeDelegate(rule(root), delegate.map(rule)).rules) as object;
    return [String(line), said] as const;
  });
  const { mutants, unseen } = unseenMutants(merges, withoutDefaults);
  expect(mutants).toBeGreaterThan(50);
  expect(unseen).toEqual([]);
});

/** Maps without entries, false and undefined: what is not said. */
function withoutDefaults(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) => {
      const isEmptyMap =
        inner !== null && typeof inner === 'object' && !Array.isArray(inner) && Object.keys(inner).length === 0;
      return isEmptyMap || inner === false ? undefined : inner;
    }),
  );
}
