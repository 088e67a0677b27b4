/** How far a deploy is, from the steps that it took and what the mesh shows now. */
import type { InstanceItem, NodeItem, PlanStep } from '../model/api.js';

export interface NodeProgress {
  readonly node: string;
  readonly agent: NodeItem['agent'];
  /** Instances to be healthy, and to be gone. */
  readonly wanted: number;
  readonly done: number;
  /** What is awaited: `reviews-v2-7 starting`. */
  readonly pending: readonly string[];
  /** What the agent says stands in its way, newest. */
  readonly problem: string | undefined;
}

export function deployProgress(
  steps: readonly PlanStep[],
  instances: readonly InstanceItem[],
  nodes: readonly NodeItem[],
  revision: number,
): NodeProgress[] {
  const byId = new Map(instances.map((item) => [item.instance, item]));
  const names = [...new Set(steps.filter(({ action }) => action !== 'keep').map(({ node }) => node))];
  return names.map((node) => {
    const goals = steps.filter((step) => step.node === node).flatMap(goalsOf);
    const pending = goals.flatMap((goal) => awaited(goal, byId.get(goal.instance)));
    const item = nodes.find(({ name }) => name === node);
    const done = goals.length - pending.length;
    // The agent may have more to do than its instances show, such as removing the containers of old ones.
    if (pending.length === 0 && item !== undefined && item.reachedRevision < revision) pending.push('tidying up');
    return { node, agent: item?.agent ?? 'never', wanted: goals.length, done, pending, problem: item?.problems.at(-1) };
  });
}

interface Goal {
  readonly instance: string;
  readonly goal: 'healthy' | 'gone';
}

function goalsOf(step: PlanStep): Goal[] {
  switch (step.action) {
    case 'add':
      return [{ instance: step.instance, goal: 'healthy' }];
    case 'change':
      return [
        { instance: step.instance, goal: 'healthy' },
        ...(step.replaces === undefined ? [] : [{ instance: step.replaces, goal: 'gone' } as const]),
      ];
    case 'remove':
      return [{ instance: step.instance, goal: 'gone' }];
    case 'keep':
      return [];
  }
}

function awaited({ instance, goal }: Goal, item: InstanceItem | undefined): string[] {
  const state = item?.state;
  if (goal === 'gone') return state === undefined || state === 'stopped' ? [] : [`${instance} ${state}`];
  if (state === 'healthy') return [];
  const reason = item === undefined || item.reason === '' ? '' : ` (${item.reason})`;
  return [`${instance} ${state ?? 'not started'}${reason}`];
}
