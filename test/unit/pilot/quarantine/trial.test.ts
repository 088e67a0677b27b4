import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { Definition } from '../../../../src/model/definition.js';
import {
  accepted,
  keepOnly,
  refused,
  type Step,
  type Trial,
  tryAll,
  tryHalves,
  tryWithout,
} from '../../../../src/pilot/quarantine/trial.js';

const named = (name: string): Definition => ({
  kind: 'EnvoyFilter',
  namespace: 'default',
  name,
  labels: {},
  spec: {},
  document: { apiVersion: 'v1', kind: 'EnvoyFilter', metadata: { name } },
});

/** To the end, with a proxy that refuses whatever `isRefused` says of what it has. */
function run(first: Trial, isRefused: (inEffect: readonly string[]) => boolean) {
  const proven: string[] = [];
  const guilty: string[] = [];
  let answers = 0;
  let trial: Trial | undefined = first;
  for (; trial !== undefined; answers++) {
    const has: readonly string[] = [...proven, ...trial.testing.map(({ name }) => name)];
    const step: Step = isRefused(has) ? refused(trial) : accepted(trial);
    proven.push(...step.proven.map(({ name }) => name));
    if (step.guilty !== undefined) guilty.push(step.guilty.name);
    trial = step.next;
  }
  return { proven, guilty, answers };
}

describe('a trial', () => {
  it('finds exactly those that are refused, whichever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }), (isBad) => {
        const all = isBad.map((_, i) => named(String(i)));
        const bad = isBad.flatMap((is, i) => (is ? [String(i)] : []));
        const found = run(tryAll(all), (has) => has.some((name) => bad.includes(name)));
        expect(found.guilty.toSorted()).toEqual(bad.toSorted());
        expect([...found.proven, ...found.guilty]).toHaveLength(all.length);
        if (bad.length === 1) expect(found.answers).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(all.length)));
      }),
    );
  });

  it('blames the second of two that are refused only together', () => {
    const both = run(tryHalves([named('a'), named('b')]), (has) => has.includes('a') && has.includes('b'));
    expect(both).toMatchObject({ proven: ['a'], guilty: ['b'] });
  });

  it('blames nobody when the proxy refuses what it has without any of them', () => {
    const found = run(tryWithout([named('a'), named('b'), named('c')]), () => true);
    expect(found).toEqual({ proven: ['a', 'b', 'c'], guilty: [], answers: 1 });
  });
});

test('what has left the mesh meanwhile is tried no more, and the trial is over when nothing else is left', () => {
  const [a, b, c] = [named('a'), named('b'), named('c')] as const;
  const trial = { testing: [a], rest: [[b, c]] };
  expect(keepOnly(trial, (one) => one !== b)).toEqual({ testing: [a], rest: [[c]] });
  expect(keepOnly(trial, (one) => one !== a)).toEqual({ testing: [b, c], rest: [] });
  expect(keepOnly(trial, () => false)).toBeUndefined();
  expect(keepOnly({ testing: [], rest: [[a]] }, () => true)).toEqual({ testing: [], rest: [[a]] });
});
