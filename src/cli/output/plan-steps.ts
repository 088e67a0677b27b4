/** A plan as people know it from elsewhere: `+` add, `~` change, `-` remove, `=` keep. */
import type { PlanStep } from '../../model/api.js';
import type { NodePlan } from '../../model/node-plan.js';
import type { Style, Tone } from './color.js';
import { formatTable } from './table.js';

const marks: Readonly<Record<PlanStep['action'], readonly [mark: string, tone: Tone]>> = {
  add: ['+', 'good'],
  change: ['~', 'warn'],
  remove: ['-', 'bad'],
  keep: ['=', 'dim'],
};

/** `plans`, where they are known, tell the image of what is new. */
export function formatSteps(steps: readonly PlanStep[], style: Style, plans: readonly NodePlan[] = []): string {
  const nodes = [...new Set(steps.map(({ node }) => node))];
  const images = new Map(
    plans.flatMap(({ instances }) => instances.map((one) => [one.instance, one.container?.image ?? one.sidecar.image])),
  );
  return nodes.map((node) => nodeBlock(node, steps, images, style)).join('');
}

function nodeBlock(
  node: string,
  steps: readonly PlanStep[],
  images: ReadonlyMap<string, string>,
  style: Style,
): string {
  const rows = steps
    .filter((step) => step.node === node)
    .map((step) => {
      const [mark, tone] = marks[step.action];
      return [`  ${style.tone(tone, mark)} ${step.instance}`, details(step, images.get(step.instance), style)];
    });
  return formatTable([style.tone('bold', `Node ${node}`), ''], rows);
}

function details({ action, reasons, replaces }: PlanStep, image: string | undefined, style: Style): string {
  if (action === 'add' && reasons.length === 0) return image === undefined ? '' : `image ${image}`;
  const why = reasons.map((reason) => reason.replaceAll('->', style.symbol.to)).join(', ');
  return replaces === undefined ? why : `replaces ${replaces}${why === '' ? '' : `: ${why}`}`;
}

/** `Plan: 3 to add, 1 to change, 1 to remove.` */
export function planSummary(steps: readonly PlanStep[]): string {
  const count = (action: PlanStep['action']): number => steps.filter((step) => step.action === action).length;
  return `Plan: ${count('add')} to add, ${count('change')} to change, ${count('remove')} to remove.`;
}

export function hasWork(steps: readonly PlanStep[]): boolean {
  return steps.some(({ action }) => action !== 'keep');
}
