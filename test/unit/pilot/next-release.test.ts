import { describe, expect, test } from 'vitest';
import { MAX_TRANSITIONS, type Release } from '../../../src/model/release.js';
import { DEFAULT_STEPS, type GrayCommand, nextRelease } from '../../../src/pilot/release/next-release.js';

let revision = 0;

function after(current: Release | undefined, command: GrayCommand, why = ''): Release {
  revision++;
  const at = 1000 * revision;
  const outcome = nextRelease(current, command, { namespace: 'default', service: 'web', at, revision, by: 'me', why });
  if (outcome.kind !== 'next') throw new Error(`${outcome.kind}: ${outcome.message}`);
  return outcome.release;
}

function refusal(current: Release | undefined, command: GrayCommand): string {
  const transition = { namespace: 'default', service: 'web', at: 0, revision: 1, by: 'me', why: '' };
  const outcome = nextRelease(current, command, transition);
  return outcome.kind === 'next' ? 'accepted' : `${outcome.kind}: ${outcome.hint}`;
}

const start = { command: 'start', stable: 'v1', gray: 'v2' } as const;
const states = {
  step: () => after(undefined, start),
  paused: () => after(states.step(), { command: 'pause' }),
  succeeded: () => after(states.step(), { command: 'promote', full: true }),
  'rolled-back': () => after(states.step(), { command: 'rollback' }),
  undone: () => after(states.succeeded(), { command: 'undo' }),
};

describe('start', () => {
  test('begins at the first of the usual steps when nothing is said', () => {
    expect(after(undefined, start)).toMatchObject({ phase: 'step', weight: 1, steps: DEFAULT_STEPS });
  });

  test('begins at the given weight, without steps', () => {
    expect(after(undefined, { ...start, weight: 10 })).toMatchObject({ weight: 10, steps: [] });
  });

  test('with matches alone gives no weight to the gray version', () => {
    const matches = [{ header: 'x-user', exact: 'jason' }];
    expect(after(undefined, { ...start, matches })).toMatchObject({ weight: 0, matches });
  });

  test('refuses steps that do not ascend, and the version that is stable already', () => {
    expect(refusal(undefined, { ...start, steps: [5, 5] })).toMatch(/^refused/);
    expect(refusal(undefined, { ...start, gray: 'v1' })).toMatch(/^refused/);
  });

  test('is refused while another runs, and begins a new history after it', () => {
    expect(refusal(states.step(), start)).toMatch(/^conflict/);
    expect(refusal(states.paused(), start)).toMatch(/^conflict/);
    expect(after(states['rolled-back'](), start).history).toHaveLength(1);
  });
});

describe('shift', () => {
  test('takes an absolute weight or points to add, exactly', () => {
    const release = after(states.step(), { command: 'shift', weight: 0.1 });
    expect(after(release, { command: 'shift', delta: 0.2 }).weight).toBe(0.3);
  });

  test('is refused beyond the ends', () => {
    expect(refusal(states.step(), { command: 'shift', delta: -2 })).toMatch(/^refused/);
    expect(refusal(states.step(), { command: 'shift', delta: 100 })).toMatch(/^refused/);
  });
});

test('promote walks the steps and ends with success instead of a last step of everything', () => {
  let release = states.step();
  const weights: number[] = [];
  while (release.phase === 'step') {
    release = after(release, { command: 'promote' });
    weights.push(release.weight);
  }
  expect(weights).toEqual([5, 25, 50, 100]);
  expect(release.phase).toBe('succeeded');
});

test.each([
  ['step', { shift: '', pause: '', resume: 'conflict', promote: '', rollback: '', undo: 'conflict' }],
  ['paused', { shift: '', pause: 'conflict', resume: '', promote: '', rollback: '', undo: 'conflict' }],
  ['succeeded', { shift: 'conflict', pause: 'conflict', promote: 'conflict', rollback: 'conflict', undo: '' }],
  ['rolled-back', { shift: 'conflict', promote: 'conflict', rollback: 'conflict', undo: 'conflict' }],
  ['undone', { shift: 'conflict', promote: 'conflict', rollback: 'conflict', undo: 'conflict' }],
] as const)('in the state %s each command is taken or refused as it should be', (state, expected) => {
  for (const [command, outcome] of Object.entries(expected)) {
    const found = refusal(states[state](), { command, ...(command === 'shift' ? { weight: 7 } : {}) } as GrayCommand);
    expect(`${command} ${found.split(':')[0]}`).toBe(`${command} ${outcome === '' ? 'accepted' : outcome}`);
  }
});

test('a rollback after success points to undo', () => {
  expect(refusal(states.succeeded(), { command: 'rollback' })).toContain('mesh gray undo web');
});

test('nothing but start is possible without a release', () => {
  expect(refusal(undefined, { command: 'rollback' })).toMatch(/^none: mesh gray start web/);
});

test('every transition is remembered with who and why, the oldest are let go', () => {
  let release = states.step();
  for (let i = 0; i < MAX_TRANSITIONS + 5; i++) release = after(release, { command: 'shift', weight: i }, `try ${i}`);
  expect(release.history).toHaveLength(MAX_TRANSITIONS);
  expect(release.history.at(-1)).toMatchObject({ by: 'me', reason: 'try 54', weight: 54, revision: release.revision });
});
