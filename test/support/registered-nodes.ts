/** Agents without Docker: each keeps its node's records, naming keys and lease in a store, as an agent that sees all well would. */
import type { NodePlan, PlannedInstance } from '../../src/model/node-plan.js';
import { encodeNamingValue } from '../../src/store/naming.js';
import type { Registrar, Store } from '../../src/store/store.js';
import { setInstance, versionKey } from './pilot-house.js';

export interface RegisteredNode {
  readonly node: string;
  readonly plan: NodePlan;
  /** As by kill -9: nothing is said, the lease runs out. */
  kill(): Promise<void>;
  /** A new agent of this node, with a lease of its own. */
  start(): Promise<void>;
  /** As when the plan no longer names it: out of the registry, then forgotten. */
  leave(instance: PlannedInstance): Promise<void>;
  close(): Promise<void>;
}

/** One for each committed plan, all of its instances healthy. */
export async function registerNodes(store: Store, ttlSeconds: number): Promise<readonly RegisteredNode[]> {
  const { entries } = await store.list(store.keys.below('plan'));
  const plans = entries.map((entry) => JSON.parse(entry.value) as NodePlan); // as the planner wrote them
  return Promise.all(plans.map((plan) => registerNode(store, plan, ttlSeconds)));
}

async function registerNode(store: Store, plan: NodePlan, ttlSeconds: number): Promise<RegisteredNode> {
  let registrar: Registrar | undefined;
  const left = new Set<string>();
  const node: RegisteredNode = {
    node: plan.node,
    plan,
    async start() {
      const own = (registrar = store.registrar({ ttlSeconds }));
      own.set(store.keys.node(plan.node), JSON.stringify({ node: plan.node }));
      for (const instance of plan.instances) if (!left.has(instance.instance)) own.set(...registration(plan, instance));
      await own.flush();
    },
    async kill() {
      await registrar?.close({ keepLease: true });
      registrar = undefined;
    },
    async leave(instance) {
      left.add(instance.instance);
      await registrar?.remove(versionKey(plan, instance));
      await store.transact({ compare: [], put: [], delete: [store.keys.instance(plan.node, instance.instance)] });
    },
    close: async () => registrar?.close(),
  };
  for (const instance of plan.instances) await setInstance(store, plan, instance, 'healthy', false);
  await node.start();
  return node;
}

function registration(plan: NodePlan, instance: PlannedInstance): [key: string, value: string] {
  const key = versionKey(plan, instance);
  const { instance: id, version } = instance;
  const address = key.slice(key.lastIndexOf('/') + 1);
  return [key, encodeNamingValue({ address, mesh: { instance: id, version, node: plan.node } })];
}
