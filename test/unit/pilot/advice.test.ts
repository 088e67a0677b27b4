import { expect, test } from 'vitest';
import type { Release } from '../../../src/model/release.js';
import { settlingAdvice } from '../../../src/pilot/release/advice.js';
import { readWorld, worldOf } from '../../support/worlds.js';

const release: Release = {
  namespace: 'default',
  service: 'reviews',
  stable: 'v1',
  gray: 'v2',
  phase: 'succeeded',
  weight: 100,
  steps: [],
  matches: [],
  reason: '',
  startedAt: 0,
  since: 0,
  revision: 1,
  history: [],
};

const others = [
  'Service default/reviews spec.stable: v1 -> v2',
  'Route default/reviews spec.rules[1].split[0].version: v1 -> v2',
];

test('what a promoted version asks to be written is a world that can be applied', () => {
  const { definitions } = worldOf(readWorld('example'));
  expect(settlingAdvice(definitions, release)).toEqual([
    others[0],
    'Cluster room-1 spec.deploy[2]: remove, and add its instances 2 to spec.deploy[3]',
    others[1],
  ]);
});

test('an entry of the old version alone becomes one of the new', () => {
  const text = readWorld('example').replace('    - { service: reviews, version: v2, instances: 1 }\n', '');
  expect(settlingAdvice(worldOf(text).definitions, release)).toEqual([
    others[0],
    'Cluster room-1 spec.deploy[2].version: v1 -> v2',
    others[1],
  ]);
});
