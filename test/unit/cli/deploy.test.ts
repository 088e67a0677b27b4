import { describe, expect, it } from 'vitest';
import { deployProgress } from '../../../src/cli/deploy-state.js';
import { styleFor } from '../../../src/cli/output/color.js';
import { formatSteps, planSummary } from '../../../src/cli/output/plan-steps.js';
import { parsePlan } from '../../../src/cli/plan-file.js';
import type { InstanceItem, NodeItem, PlanStep } from '../../../src/model/api.js';
import type { InstanceState } from '../../../src/model/instance.js';

const step = (action: PlanStep['action'], instance: string, more: Partial<PlanStep> = {}): PlanStep => ({
  action,
  node: 'node-a',
  namespace: 'default',
  service: 'reviews',
  version: 'v1',
  instance,
  reasons: [],
  ...more,
});
const steps = [
  step('add', 'reviews-v2-7', { reasons: ['image demo:1'] }),
  step('change', 'reviews-v1-7', { replaces: 'reviews-v1-3', reasons: ['image demo:1 -> demo:2'] }),
  step('remove', 'old-v1-2', { node: 'node-b', reasons: ['no longer declared'] }),
];
const style = styleFor({ env: {}, isTTY: { stdin: false, stdout: false, stderr: false } }, 'stdout', false);

// Only what the progress looks at; the other columns of `mesh ps` do not matter to it.
const instance = (name: string, state: InstanceState, reason = ''): InstanceItem =>
  ({ instance: name, state, reason }) as InstanceItem;
const node = (name: string, reachedRevision = 7, problems: readonly string[] = []): NodeItem =>
  ({ name, agent: 'ready', reachedRevision, problems }) as NodeItem;

describe('a plan', () => {
  it('reads like the plans that people know', () => {
    expect(formatSteps(steps, style) + planSummary(steps)).toBe(
      [
        'Node node-a',
        '  + reviews-v2-7  image demo:1',
        '  ~ reviews-v1-7  replaces reviews-v1-3: image demo:1 → demo:2',
        'Node node-b',
        '  - old-v1-2  no longer declared',
        'Plan: 1 to add, 1 to change, 1 to remove.',
      ].join('\n'),
    );
  });

  it.each(['', 'not json', '{"kind":"Plan"}', '[]'])('is refused when the file holds %j', (text) => {
    expect(() => parsePlan(text, 'monday.plan')).toThrow(
      expect.objectContaining({ problems: [expect.objectContaining({ hint: expect.stringContaining('--out') })] }),
    );
  });
});

describe('the progress of a deploy', () => {
  it('awaits what is new to be healthy and what is old to be gone', () => {
    const running = [
      instance('reviews-v2-7', 'starting', 'sidecar not ready'),
      instance('reviews-v1-7', 'healthy'),
      instance('reviews-v1-3', 'draining'),
      instance('old-v1-2', 'stopped'),
    ];
    expect(deployProgress(steps, running, [node('node-a', 3, ['older', 'image is missing'])], 7)).toEqual([
      {
        node: 'node-a',
        agent: 'ready',
        wanted: 3,
        done: 1,
        pending: ['reviews-v2-7 starting (sidecar not ready)', 'reviews-v1-3 draining'],
        problem: 'image is missing',
      },
      { node: 'node-b', agent: 'never', wanted: 1, done: 1, pending: [], problem: undefined },
    ]);
  });

  it('is over when the agent says so too', () => {
    const running = [instance('reviews-v2-7', 'healthy')];
    expect(deployProgress(steps.slice(0, 1), running, [node('node-a', 6)], 7)).toMatchObject([
      { done: 1, pending: ['tidying up'] },
    ]);
    expect(deployProgress(steps.slice(0, 1), running, [node('node-a', 7)], 7)).toMatchObject([{ pending: [] }]);
  });

  it('does not take an instance that nobody has seen for a healthy one', () => {
    const [state] = deployProgress(steps.slice(0, 1), [], [node('node-a')], 7);
    expect(state).toMatchObject({ done: 0, pending: ['reviews-v2-7 not started'] });
  });
});
