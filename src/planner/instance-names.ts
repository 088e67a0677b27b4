import { byText } from '../model/order.js';
import type { Decision } from './decide.js';

export type Named = Decision & { readonly instance: string };

/** Ids say what and since when: `<service>-<version>-<revision>`, from the second one on with `-<k>`. */
export function nameAll(decisions: readonly Decision[], taken: ReadonlySet<string>, revision: number): Named[] {
  const used = new Set(taken);
  return decisions.toSorted(byText(decisionKey)).map((decision) => {
    if (decision.kind !== 'start') return { ...decision, instance: decision.current.planned.instance };
    const base = `${decision.desired.service}-${decision.desired.version}-${revision}`;
    let instance = base;
    for (let k = 2; used.has(instance); k++) instance = `${base}-${k}`;
    used.add(instance);
    return { ...decision, instance };
  });
}

/** Two new ones of one version on one node differ in their ports only. */
function decisionKey(decision: Decision): string {
  const { node, namespace, service, version } =
    decision.kind === 'start' ? { ...decision.desired, node: decision.node } : decision.current;
  const last = decision.kind === 'start' ? String(decision.ports.proxy) : decision.current.planned.instance;
  return [node, namespace, service, version, last].join('\u0000');
}
