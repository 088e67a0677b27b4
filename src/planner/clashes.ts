/** Fixed listener ports that two services of one machine want: 127.0.0.1 is theirs together. */
import type { Definition, DefinitionView } from '../model/definition.js';
import { describeDefinition } from '../model/definition.js';
import type { NodePlan } from '../model/node-plan.js';
import type { Problem } from '../model/problem.js';
import { serviceKind } from '../model/service.js';
import type { ServiceSpec } from '../model/service-shape.js';
import { machineOf } from './ports.js';
import { problemAt } from './problem-at.js';

interface Wanted {
  readonly service: Definition<ServiceSpec>;
  readonly upstream: number;
  readonly node: string;
}

export function fixedPortClashes(definitions: DefinitionView, plans: readonly NodePlan[]): Problem[] {
  const problems = new Map<string, Problem>();
  const first = new Map<string, Wanted>();
  for (const { machine, port, wanted } of plans.flatMap((plan) => fixedPorts(definitions, plan))) {
    const key = `${machine}:${port}`;
    const other = first.get(key) ?? wanted;
    first.set(key, other);
    if (other.service === wanted.service) continue;
    const problem = problemAt(wanted.service, {
      code: 'MESH1012',
      severity: 'error',
      path: ['spec', 'upstreams', wanted.upstream, 'proxyPort'],
      message: `proxyPort ${port} is also wanted by ${describeDefinition(other.service)}, and both run on one machine (${[...new Set([other.node, wanted.node])].join(', ')})`,
      hint: 'choose another port, write auto, or place them on machines of their own',
    });
    problems.set(`${key} ${describeDefinition(wanted.service)}`, problem);
  }
  return [...problems.values()];
}

function fixedPorts(
  definitions: DefinitionView,
  plan: NodePlan,
): { readonly machine: string; readonly port: number; readonly wanted: Wanted }[] {
  return plan.instances.flatMap((instance) => {
    const service = definitions.get(serviceKind, instance.namespace, instance.service);
    return (service?.spec.upstreams ?? []).flatMap(({ proxyPort }, upstream) =>
      service === undefined || typeof proxyPort !== 'number'
        ? []
        : [{ machine: machineOf(plan.address), port: proxyPort, wanted: { service, upstream, node: plan.node } }],
    );
  });
}
