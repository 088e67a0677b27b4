/** A pilot in this process on an embedded store, its API over real HTTP, and a hand that does what agents would do. */

import type { InstanceRecord, InstanceState } from '../../src/model/instance.js';
import { fullName } from '../../src/model/names.js';
import type { NodePlan, PlannedInstance } from '../../src/model/node-plan.js';
import { type Pilot, startPilot } from '../../src/pilot/pilot.js';
import { systemClock } from '../../src/runtime/clock.js';
import { type Logger, silentLogger } from '../../src/runtime/logger.js';
import { encodeNamingValue, namingKey } from '../../src/store/naming.js';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { temporaryFolder } from './mesh-process.js';

export interface PilotHouse {
  readonly store: Store;
  readonly pilot: Pilot;
  get<Answer>(path: string): Promise<Answer>;
  post<Answer>(path: string, body: object): Promise<Answer>;
  /** With its status, for refusals. */
  send(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: unknown }>;
  apply(text: string, rest?: object): Promise<{ revision: number; changes: { name: string; action: string }[] }>;
  restartPilot(): Promise<void>;
  close(): Promise<void>;
}

/** On the embedded store, or on the one that `storeUrl` names. `log` hears what the pilot says. */
export async function openPilotHouse(storeUrl?: string, log: Logger = silentLogger): Promise<PilotHouse> {
  const folder = await temporaryFolder('pilot');
  const common = { clock: systemClock, log };
  const store = await openStore(storeUrl ?? `embedded:${folder.path}/data`, { ...common, timeoutMs: 5000 });
  let xds = '127.0.0.1:0';
  const start = async (): Promise<Pilot> => {
    const pilot = await startPilot({ ...common, store, http: '127.0.0.1:0', xds, id: 'p1', version: 'test' });
    await pilot.whenReady;
    xds = pilot.xdsAddress;
    return pilot;
  };
  let pilot = await start();
  const send: PilotHouse['send'] = async (method, path, body) => {
    const response = await fetch(`http://${pilot.httpAddress}${path}`, {
      method,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') ?? false;
    return { status: response.status, body: isJson ? JSON.parse(text) : text };
  };
  const good = async <Answer>(method: string, path: string, body?: object): Promise<Answer> => {
    const answer = await send(method, path, body);
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body as Answer; // the test names the shape that it asks for
  };
  return {
    store,
    get pilot() {
      return pilot;
    },
    send,
    get: (path) => good('GET', path),
    post: (path, body) => good('POST', path, body),
    apply: (text, rest = {}) => good('POST', '/v1/apply', { by: 'test', files: [{ name: 'a.yaml', text }], ...rest }),
    async restartPilot() {
      await pilot.close();
      pilot = await start();
    },
    async close() {
      await pilot.close();
      await store.close();
      await folder.remove();
    },
  };
}

/** All committed plans as their agents would report them: a record and naming keys per instance. */
export async function runPlans(store: Store): Promise<readonly { plan: NodePlan; instance: PlannedInstance }[]> {
  const { entries } = await store.list(store.keys.below('plan'));
  const plans = entries.map((entry) => JSON.parse(entry.value) as NodePlan); // as the planner wrote them
  const all = plans.flatMap((plan) => plan.instances.map((instance) => ({ plan, instance })));
  for (const { plan, instance } of all) await setInstance(store, plan, instance, 'healthy');
  return all;
}

export async function setInstance(
  store: Store,
  plan: NodePlan,
  instance: PlannedInstance,
  state: InstanceState,
  isRegistered = state === 'healthy',
): Promise<void> {
  const record: InstanceRecord = {
    instance: instance.instance,
    namespace: instance.namespace,
    service: instance.service,
    version: instance.version,
    node: plan.node,
    cluster: plan.cluster,
    region: plan.region,
    zone: plan.zone,
    address: plan.address,
    ports: instance.ports,
    labels: instance.labels,
    state,
    reason: '',
    container: instance.instance,
    sidecar: `${instance.instance}-sidecar`,
    startedAt: 1,
    planRevision: instance.revision,
  };
  const key = versionKey(plan, instance);
  const address = addressOf(plan, instance);
  await store.transact({
    compare: [],
    put: [
      { key: store.keys.instance(plan.node, instance.instance), value: JSON.stringify(record) },
      ...(isRegistered
        ? [
            {
              key,
              value: encodeNamingValue({ address, mesh: { instance: instance.instance, version: instance.version } }),
            },
          ]
        : []),
    ],
    delete: isRegistered ? [] : [key],
  });
}

export function versionKey(plan: NodePlan, instance: PlannedInstance): string {
  return namingKey(instance, addressOf(plan, instance));
}

function addressOf(plan: NodePlan, instance: PlannedInstance): string {
  const [port] = Object.values(instance.ports.inbound);
  return `${plan.address}:${port}`;
}

export function serviceOf({ instance }: { readonly instance: PlannedInstance }): string {
  return fullName(instance.namespace, instance.service);
}
