import type { NodeItem } from '../model/api.js';
import { suggestion } from '../model/suggestion.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Style, Tone } from './output/color.js';
import { formatTable } from './output/table.js';

const tones: Readonly<Record<NodeItem['agent'], Tone>> = { ready: 'good', lost: 'bad', never: 'dim' };

export function agentText(agent: NodeItem['agent'], style: Style): string {
  return style.tone(tones[agent], agent);
}

export function nodeTable(nodes: readonly NodeItem[], wide: boolean, style: Style): string {
  const header = ['NODE', 'ADDRESS', 'CLUSTER', 'AGENT', 'HEALTHY', 'PLAN'];
  const more = ['LABELS', 'DOCKER', 'COMPOSE', 'AGENT VERSION'];
  const rows = nodes.map((node) => [
    node.name,
    node.address,
    node.cluster,
    agentText(node.agent, style),
    `${node.healthy}/${node.desired}`,
    planText(node),
    ...(wide ? [labelsText(node), node.docker || '-', node.compose || '-', node.agentVersion || '-'] : []),
  ]);
  return formatTable([...header, ...(wide ? more : [])], rows);
}

/** `7`, or `5 of 7` while the node is on its way. */
function planText({ planRevision, reachedRevision }: NodeItem): string {
  if (planRevision === 0) return '-';
  return reachedRevision >= planRevision ? String(planRevision) : `${reachedRevision} of ${planRevision}`;
}

export function labelsText({ labels }: Pick<NodeItem, 'labels'>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.toSorted().join(',') || '-';
}

export function oneNode(nodes: readonly NodeItem[], name: string): NodeItem {
  const found = nodes.find((node) => node.name === name);
  if (found !== undefined) return found;
  throw new MeshError('MESH2005', `there is no Node "${name}"`, {
    hint: suggestion(
      name,
      nodes.map((node) => node.name),
    ),
  });
}
