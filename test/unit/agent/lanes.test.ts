import { expect, test } from 'vitest';
import type { Outcome } from '../../../src/agent/execute.js';
import { openLanes } from '../../../src/agent/lanes.js';
import type { Step } from '../../../src/agent/steps.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { silentLogger } from '../../../src/runtime/logger.js';
import { until } from '../../support/until.js';

const stop = (instance: string): Step => ({ action: 'stop-and-remove', instance });
const forget = (instance: string): Step => ({ action: 'remove-record', instance });
const bringUp = (...instances: string[]): Step => ({ action: 'bring-up', instances });

/** Steps end when the test says so; `ended` tells how. */
function setUp(mayGoOn: (step: Step) => boolean = () => false) {
  const started: Step[] = [];
  const ended: string[] = [];
  const finish = new Map<Step, (outcome: Outcome | Error) => void>();
  const lanes = openLanes({
    clock: systemClock,
    log: silentLogger,
    mayGoOn,
    onFailure: (reason) => ended.push(reason),
    onProgress: () => ended.push('progress'),
    run: (step, signal) =>
      new Promise((resolve, reject) => {
        started.push(step);
        finish.set(step, (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome)));
        signal.addEventListener('abort', () => {
          ended.push(`${step.action} called off`);
          reject(signal.reason as Error);
        });
      }),
  });
  const end = (step: Step, outcome: Outcome | Error = 'done'): void => finish.get(step)?.(outcome);
  return { lanes, started, ended, end };
}

test('does one step of a lane at a time, and lanes beside each other', async () => {
  const { lanes, started, ended, end } = setUp();
  const [a, b] = [stop('a'), stop('b')];
  lanes.follow([a, b]);
  lanes.follow([a, b]);
  expect(started).toEqual([a, b]);
  end(a);
  await until('it is told', () => ended.includes('progress'));
  lanes.follow([forget('a'), b]);
  expect(started).toEqual([a, b, forget('a')]);
  await lanes.close();
});

test('calls a step off when the decision has become another', async () => {
  const { lanes, started, ended } = setUp();
  lanes.follow([stop('a')]);
  lanes.follow([forget('a')]);
  expect(ended).toEqual(['stop-and-remove called off']);
  expect(started).toHaveLength(1);
  await until('the lane is free', () => ended.includes('progress'));
  lanes.follow([forget('a')]);
  expect(started.at(-1)).toEqual(forget('a'));
  expect(lanes.problems()).toEqual([]);
  await lanes.close();
});

test('lets a bring-up go on while all of it is still wanted', async () => {
  let planned = ['a', 'b'];
  const { lanes, ended } = setUp(
    (step) => step.action === 'bring-up' && step.instances.every((one) => planned.includes(one)),
  );
  lanes.follow([bringUp('a', 'b')]);
  lanes.follow([bringUp('b')]);
  expect(ended).toEqual([]);
  planned = ['b'];
  lanes.follow([bringUp('b')]);
  expect(ended).toEqual(['bring-up called off']);
  await lanes.close();
});

test('rests after a failure, tells of it, and does another step of the lane at once', async () => {
  const { lanes, started, ended, end } = setUp();
  const first = stop('a');
  lanes.follow([first]);
  end(first, new Error('Docker says no'));
  await until('it is told', () => ended.includes('progress'));
  lanes.follow([stop('a')]);
  expect(started).toHaveLength(1);
  expect(lanes.problems()).toEqual(['could not stop and remove a: Docker says no']);
  lanes.follow([forget('a')]);
  expect(started).toHaveLength(2);
  await lanes.close();
});
