/** A pilot with a proxy on it while changes that no single transaction holds come, go and are left half done. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allKinds } from '../../src/dsl/kinds.js';
import type { ApplyResponse, DefinitionItem, HistoryItem, List } from '../../src/model/api.js';
import { apply } from '../../src/pilot/operations/apply.js';
import { systemClock } from '../../src/runtime/clock.js';
import type { Store } from '../../src/store/store.js';
import { servicesText } from '../support/large-world.js';
import { openPilotHouse, type PilotHouse, runPlans, serviceOf } from '../support/pilot-house.js';
import { connectSidecar, type Sidecar } from '../support/sidecar-client.js';
import { until } from '../support/until.js';
import { readWorld } from '../support/worlds.js';

const OBJECTS = 150;
const by = 'test';

let house: PilotHouse;
let sidecar: Sidecar;
/** How many Envoy clusters of the bulk services the proxy had after each response, whatever their port. */
let counts: Set<number>;

beforeAll(async () => {
  house = await openPilotHouse();
  await house.apply(`${servicesText(OBJECTS, 80)}---\n${readWorld('example')}`);
  await house.apply(productpage(OBJECTS));
  await house.post('/v1/deploy', { by });
  const running = await runPlans(house.store);
  const { plan, instance } = running.find((one) => serviceOf(one) === 'default/productpage') ?? missing();
  sidecar = connectSidecar(house.pilot.xdsAddress, plan, instance);
  await sidecar.until('clusters', () => bulkClusters(80) === OBJECTS);
  counts = new Set();
  sidecar.onNews(() => {
    for (const port of [80, 81, 82]) counts.add(bulkClusters(port));
  });
});

afterAll(async () => {
  sidecar?.close();
  await house?.close();
});

describe('a change of many objects under a proxy', () => {
  it('reaches it as one', async () => {
    const answer = await house.apply(servicesText(OBJECTS, 81));
    expect(answer.changes).toHaveLength(OBJECTS);
    await sidecar.until('all clusters', () => bulkClusters(81) === OBJECTS);
    await sidecar.until('the old ones to be gone', () => bulkClusters(80) === 0);
    expect(counts).toEqual(new Set([0, OBJECTS]));
    const services = await house.get<List<DefinitionItem>>('/v1/definitions/services?namespace=all');
    expect(services.items.filter((item) => item.name.startsWith('bulk-'))).toHaveLength(OBJECTS);
    expect(services.revision).toBe(answer.revision);
  });

  it('whose writer dies after publishing it is there at once, and a pilot folds it for the agents', async () => {
    let published: bigint | undefined;
    const dying: Store = {
      ...house.store,
      async transact(transaction, signal) {
        if (published !== undefined) throw new Error('killed');
        const result = await house.store.transact(transaction, signal);
        if (transaction.put.some(({ key }) => key === house.store.keys.revHead)) published = result.storeRevision;
        return result;
      },
    };
    const files = [{ name: 'bulk.yaml', text: servicesText(OBJECTS, 82) }];
    const answer = await apply({ store: dying, kinds: allKinds, clock: systemClock }, { by, files });
    expect(answer.storeRevision).toBe(String(published));
    await house.get(`/v1/acks?storeRevision=${answer.storeRevision}&timeoutMs=8000`);
    expect(bulkClusters(82)).toBe(OBJECTS);
    expect(await portInStore('bulk-7')).toBe(81);
    const { items } = await house.get<List<DefinitionItem>>('/v1/definitions/services?name=bulk-7');
    expect(items[0]?.document.spec).toMatchObject({ port: 82 });
    const [last] = (await house.get<List<HistoryItem>>('/v1/history?limit=1')).items;
    expect(last).toMatchObject({ revision: answer.revision, command: 'apply' });
    expect(last?.changes).toHaveLength(OBJECTS);

    await until('the pilot folds it', async () => (await portInStore('bulk-7')) === 82);
    await until(
      'no part is left',
      async () => (await house.store.list(house.store.keys.allStaged)).entries.length === 0,
    );
    expect(counts).toEqual(new Set([0, OBJECTS]));
  });

  it('is rolled back as one', async () => {
    const back = await house.post<ApplyResponse>('/v1/rollback', { by, toRevision: 3 });
    expect(back.changes).toHaveLength(OBJECTS);
    await sidecar.until('the clusters of before', () => bulkClusters(80) === OBJECTS);
    await sidecar.until('the others to be gone', () => bulkClusters(82) === 0);
    expect(counts).toEqual(new Set([0, OBJECTS]));
    const revision = await house.get<HistoryItem>(`/v1/history/${back.revision}`);
    expect(revision.changes).toHaveLength(OBJECTS);
  });
});

function bulkClusters(port: number): number {
  return [...sidecar.has('CDS').keys()].filter((name) => name.startsWith(`outbound|${port}||bulk-`)).length;
}

async function portInStore(name: string): Promise<number | undefined> {
  const entry = await house.store.get(house.store.keys.def('Service', 'default', name));
  return (JSON.parse(entry?.value ?? '{}') as { document?: { spec: { port: number } } }).document?.spec.port;
}

/** The service of the proxy, which from now on calls the bulk services too. */
function productpage(count: number): string {
  const upstreams = Array.from({ length: count }, (_, i) => `{ service: bulk-${i} }`).join(', ');
  return `apiVersion: mesh/v1
kind: Service
metadata: { name: productpage }
spec: { port: 9080, protocol: http, stable: v1, upstreams: [{ service: details }, { service: reviews, proxyPort: 29080 }, ${upstreams}] }
`;
}

function missing(): never {
  throw new Error('no productpage runs');
}
