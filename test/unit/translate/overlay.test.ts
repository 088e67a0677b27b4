import { describe, expect, it } from 'vitest';
import { defaultRule } from '../../../src/pilot/translate/compile-route.js';
import {
  overlay,
  overlayFindings,
  type Shift,
  shiftOf,
  type VersionsOf,
} from '../../../src/pilot/translate/overlay.js';
import type { Destination, Rule, Rules, Selection } from '../../../src/pilot/translate/policy.js';
import { release } from '../../support/mesh-world.js';

const plain: Selection = { kind: 'plain' };
const v1: Selection = { kind: 'version', version: 'v1' };
const v2: Selection = { kind: 'version', version: 'v2' };
const v3: Selection = { kind: 'version', version: 'v3' };
const subset = (name: string): Selection => ({ kind: 'subset', subset: name });

/** Stable is v1; `old` selects it by labels, `pool` both v1 and v2. */
const versionsOf: VersionsOf = (selection) => {
  if (selection.kind === 'plain') return ['v1'];
  if (selection.kind === 'version') return [selection.version];
  return { old: ['v1'], pool: ['v1', 'v2'] }[selection.subset] ?? [];
};

function shift(weight: number, over: Partial<Shift> = {}): Shift {
  return { host: 'reviews', from: 'v1', to: 'v2', weight, matches: [], ...over };
}

function destination(selection: Selection, weight: number, host = 'reviews'): Destination {
  return { host, selection, port: undefined, weight, edits: undefined };
}

function rule(...destinations: readonly Destination[]): Rule {
  const base = defaultRule({ namespace: 'default', name: 'reviews', key: 'default/reviews', host: 'reviews' });
  if (base.action.kind !== 'forward') throw new Error('the default forwards');
  return { ...base, action: { ...base.action, destinations } };
}

function destinationsOf(rules: Rules, index = 0): readonly Destination[] {
  const action = rules[index]?.action;
  if (action?.kind !== 'forward') throw new Error('it does not forward');
  return action.destinations;
}

/** Share per destination: `reviews v1`. */
function shares(rules: Rules, index = 0): Record<string, number> {
  const destinations = destinationsOf(rules, index);
  const total = destinations.reduce((sum, { weight }) => sum + weight, 0);
  const sums: Record<string, number> = {};
  for (const { host, selection, weight } of destinations) {
    const name =
      selection.kind === 'plain' ? 'plain' : selection.kind === 'version' ? selection.version : selection.subset;
    sums[`${host} ${name}`] = (sums[`${host} ${name}`] ?? 0) + weight / total;
  }
  return sums;
}

describe('the weight of a release', () => {
  it.each([
    ['no subset while the old version is stable', plain, 'reviews plain'],
    ['a version', v1, 'reviews v1'],
    ['a subset that selects just it', subset('old'), 'reviews old'],
  ])('parts a destination that is %s', (_what, selection, name) => {
    expect(shares(overlay([rule(destination(selection, 1))], shift(1000), versionsOf))).toEqual({
      [name]: 0.9,
      'reviews v2': 0.1,
    });
  });

  it('leaves other versions, other services and mixed subsets as they are', () => {
    const rules = [rule(destination(v3, 1), destination(subset('pool'), 1), destination(v1, 1, 'ratings'))];
    expect(overlay(rules, shift(5000), versionsOf)).toBe(rules);
  });

  it('parts the 80 of an 80/20 split, and nothing else of it', () => {
    const rules = [rule(destination(v1, 80), destination(v3, 20))];
    expect(shares(overlay(rules, shift(2500), versionsOf))).toEqual({
      'reviews v1': 0.6,
      'reviews v2': 0.2,
      'reviews v3': 0.2,
    });
  });

  it('adds to what the new version has already', () => {
    const rules = [rule(destination(v1, 80), destination(v2, 20))];
    const { 'reviews v1': old, 'reviews v2': fresh } = shares(overlay(rules, shift(1000), versionsOf));
    expect([old, fresh]).toEqual([0.72, expect.closeTo(0.28, 12)]);
  });

  it('of 0 changes nothing, not even the object', () => {
    const rules = [rule(destination(plain, 1))];
    expect(overlay(rules, shift(0), versionsOf)).toBe(rules);
  });

  it('of 100 gives all of the old to the new, with its edits', () => {
    const edits = {
      request: { set: [{ name: 'x-a', value: '1' }], add: [], remove: [] },
      response: { set: [], add: [], remove: [] },
    };
    const rules = [rule({ ...destination(v1, 80), edits }, destination(v3, 20))];
    const result = overlay(rules, shift(10_000), versionsOf);
    expect(shares(result)).toEqual({ 'reviews v2': 0.8, 'reviews v3': 0.2 });
    expect(destinationsOf(result)[0]?.edits).toBe(edits);
  });

  it('keeps every sum exact, whatever the split and the weight', () => {
    const random = seeded(20_260_801);
    for (let i = 0; i < 2000; i++) {
      const selections = [plain, v1, v2, v3, subset('old'), subset('pool')];
      const destinations = Array.from({ length: 1 + random(5) }, () =>
        destination(
          selections[random(selections.length)] as Selection,
          random(10_001),
          random(3) === 0 ? 'ratings' : 'reviews',
        ),
      );
      const weight = random(10_001);
      const before = [rule(...destinations)];
      const after = destinationsOf(overlay(before, shift(weight), versionsOf));
      const total = sum(destinations);
      const scale = sum(after) / (total || 1);
      expect([0, 1, 10_000]).toContain(scale);
      const kept = (list: readonly Destination[]): number => sum(list.filter((d) => !isOld(d) && !isNew(d)));
      expect(kept(after)).toBe(kept(destinations) * scale);
      const old = sum(destinations.filter(isOld));
      const hasOld = destinations.some(isOld);
      expect(sum(after.filter(isOld)) * 10_000).toBe(hasOld ? old * scale * (10_000 - weight) : 0);
      expect(after.every((d) => Number.isInteger(d.weight))).toBe(true);
    }
  });
});

function isOld(d: Destination): boolean {
  const versions = versionsOf(d.selection);
  return d.host === 'reviews' && versions.length === 1 && versions[0] === 'v1';
}

function isNew(d: Destination): boolean {
  return d.host === 'reviews' && d.selection.kind === 'version' && d.selection.version === 'v2';
}

function sum(destinations: readonly Destination[]): number {
  return destinations.reduce((total, { weight }) => total + weight, 0);
}

/** The same numbers in each run (mulberry32). */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

describe('the match of a release', () => {
  const matches = [{ name: 'x-user', match: { kind: 'exact', text: 'jason' }, inverted: false }] as const;

  it('puts a copy before each rule that it touches, the match added to its conditions, all to the new version', () => {
    const conditional: Rule = {
      ...rule(destination(v1, 80), destination(v3, 20)),
      name: 'some',
      matches: [
        {
          name: '',
          path: { kind: 'prefix', text: '/some' },
          ignoreCase: false,
          headers: [{ name: 'x-a', match: { kind: 'present' }, inverted: false }],
          queryParameters: [],
          caller: undefined,
          port: undefined,
          serverNames: [],
          subnets: [],
          statPrefix: '',
        },
      ],
    };
    const result = overlay(
      [conditional, rule(destination(v3, 1)), rule(destination(plain, 1))],
      shift(0, { matches }),
      versionsOf,
    );
    expect(result.map(({ name, isReleaseCopy }) => [name, isReleaseCopy])).toEqual([
      ['some', true],
      ['some', false],
      ['default', false],
      ['default', true],
      ['default', false],
    ]);
    expect(shares(result, 0)).toEqual({ 'reviews v2': 1 });
    expect(result[0]?.matches[0]).toMatchObject({
      path: { text: '/some' },
      headers: [{ name: 'x-a' }, { name: 'x-user' }],
    });
    expect(result[1]).toBe(conditional);
    expect(result[3]?.matches).toMatchObject([{ path: undefined, headers: [{ name: 'x-user' }] }]);
  });

  it('goes together with a weight', () => {
    const result = overlay([rule(destination(plain, 1))], shift(500, { matches }), versionsOf);
    expect(shares(result, 0)).toEqual({ 'reviews v2': 1 });
    expect(shares(result, 1)).toEqual({ 'reviews plain': 0.95, 'reviews v2': 0.05 });
  });
});

describe('what a release does now', () => {
  const service = { stable: 'v1' } as Parameters<typeof shiftOf>[0];

  it('is its weight and matches while it is in progress or paused', () => {
    const active = release({ weight: 2.5, matches: [{ header: 'X-User', exact: 'jason' }] });
    const expected = { from: 'v1', to: 'v2', weight: 250, matches: [{ name: 'x-user' }] };
    expect(shiftOf(service, 'reviews', active)).toMatchObject(expected);
    expect(shiftOf(service, 'reviews', { ...active, phase: 'paused' })).toMatchObject(expected);
  });

  it('is nothing after it was rolled back or undone, or where there is none', () => {
    expect(shiftOf(service, 'reviews', release({ phase: 'rolled-back' }))).toBeUndefined();
    expect(shiftOf(service, 'reviews', release({ phase: 'undone' }))).toBeUndefined();
    expect(shiftOf(service, 'reviews', undefined)).toBeUndefined();
  });

  it('is everything after it succeeded, until the definition names the new version itself', () => {
    const succeeded = release({ phase: 'succeeded' });
    expect(shiftOf(service, 'reviews', succeeded)).toMatchObject({ weight: 10_000, matches: [] });
    expect(shiftOf({ ...service, stable: 'v2' }, 'reviews', succeeded)).toBeUndefined();
  });
});

describe('what a release meets', () => {
  it('is told for each destination of the service', () => {
    const rules = [
      rule(destination(plain, 1), destination(subset('pool'), 1)),
      rule(destination(v3, 1), destination(v1, 1, 'ratings')),
    ];
    const found = overlayFindings(rules, shift(0), versionsOf).map(({ selection, effect }) => [selection.kind, effect]);
    expect(found).toEqual([
      ['plain', 'shifts'],
      ['subset', 'mixes'],
      ['version', 'stays'],
    ]);
  });
});
