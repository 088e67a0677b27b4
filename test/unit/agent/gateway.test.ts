import { expect, test } from 'vitest';
import { hasContainers, isUp, isWhole } from '../../../src/agent/actual.js';
import { actualInstances, probeTargets } from '../../../src/agent/observe.js';
import { observedState } from '../../../src/agent/record.js';
import { LABELS } from '../../../src/model/container-labels.js';
import { composeServices } from '../../../src/planner/compose.js';
import { nodePlan, plannedInstance } from '../../support/node-plans.js';
import { place } from '../../support/simulated-node.js';

const edge = plannedInstance({ instance: 'edge-v1-1', container: undefined, replace: 'stop-first' });
const plan = nodePlan(1, [edge]);

function seen(state: 'running' | 'stopped') {
  const labels = { [LABELS.instance]: 'edge-v1-1', [LABELS.role]: 'sidecar', [LABELS.node]: 'n1' };
  const container = { id: 'c1', name: 'edge', state, startedAt: 7, pid: 1, labels, isPaused: false };
  const instances = actualInstances({
    plan,
    containers: [container],
    folder: '/data/n1',
    planned: new Map(),
    records: new Map(),
    keysOf: () => new Map(),
    healthOf: () => ({ verdict: 'healthy', reason: '' }),
    isDrained: () => false,
    startsAlone: () => false,
    isResting: () => false,
    failureOf: () => '',
  });
  const instance = instances.get('edge-v1-1');
  if (instance === undefined) throw new Error('it was not seen');
  return { instances, instance };
}

test('of a gateway, whose Envoy is all there is, compose brings up that alone', () => {
  expect(composeServices(edge)).toEqual(['edge-v1-1-sidecar']);
});

test('it is up and whole with one container, and is probed', () => {
  const { instances, instance } = seen('running');
  expect([isUp(instance), isWhole(instance), hasContainers(instance), instance.health]).toEqual([
    true,
    true,
    true,
    'healthy',
  ]);
  expect([...probeTargets(place, instances).keys()]).toEqual(['edge-v1-1']);
});

test('a record says of a dead one that the gateway does not run, not that an app is missing', () => {
  const { instance } = seen('stopped');
  expect(isUp(instance)).toBe(false);
  expect(observedState({ ...instance, health: 'starting' })).toEqual({
    state: 'stopped',
    reason: 'the gateway does not run',
  });
});
