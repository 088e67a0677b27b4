import { expect, test } from 'vitest';
import { isOwn, judgeHolder } from '../../../src/agent/claim.js';
import type { AgentIdentity } from '../../../src/model/leased-values.js';

const own: AgentIdentity = {
  host: 'a',
  machine: 'm1',
  boot: 'b2',
  pidNamespace: 'pid:[1]',
  pid: 200,
  startTime: '5000',
};
const before = { ...own, pid: 100, startTime: '4000' };

test('a process of this machine that runs is alive', () => {
  expect(judgeHolder(before, own, '4000')).toBe('alive');
  expect(judgeHolder(own, own, own.startTime)).toBe('alive');
});

test('a process of this machine that is gone, or whose number another one has, is dead', () => {
  expect(judgeHolder(before, own, undefined)).toBe('dead');
  expect(judgeHolder(before, own, '4999')).toBe('dead');
});

test('whatever ran before the machine was started again is dead', () => {
  expect(judgeHolder({ ...before, boot: 'b1', pidNamespace: 'pid:[9]' }, own, '4000')).toBe('dead');
});

test('of another machine, of another container and of an older version nothing is known but the lease', () => {
  expect(judgeHolder({ ...before, machine: 'm2' }, own, undefined)).toBe('unknown');
  expect(judgeHolder({ ...before, pidNamespace: 'pid:[9]' }, own, undefined)).toBe('unknown');
  expect(judgeHolder(undefined, own, undefined)).toBe('unknown');
});

test('what this very process has put is its own, whatever else stands there', () => {
  expect(isOwn(JSON.stringify({ node: 'a', problems: [], agent: own }), own)).toBe(true);
  expect(isOwn(JSON.stringify({ node: 'a', agent: before }), own)).toBe(false);
  expect(isOwn(JSON.stringify({ node: 'a' }), own)).toBe(false);
  expect(isOwn('damaged', own)).toBe(false);
});
