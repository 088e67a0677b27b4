/** Registries of others: what stands below `Mesh.naming.roots` is an instance like any other, for as long as the root is named. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { StatusResponse } from '../../src/model/api.js';
import { openPilotHouse, type PilotHouse, runPlans, serviceOf } from '../support/pilot-house.js';
import { connectSidecar, type Sidecar } from '../support/sidecar-client.js';
import { until } from '../support/until.js';
import { readWorld } from '../support/worlds.js';

const details = 'outbound|9080||details.default.svc.cluster.local';

let house: PilotHouse;
let caller: Sidecar;

const roots = (...names: string[]): Promise<unknown> =>
  house.apply(
    `apiVersion: mesh/v1\nkind: Mesh\nmetadata: { name: mesh }\nspec: { naming: { roots: [${names.join()}] } }`,
  );
const put = (key: string, address: string): Promise<unknown> =>
  house.store.transact({ compare: [], put: [{ key, value: `{"Op":0,"Addr":"${address}"}` }], delete: [] });
const remove = (key: string): Promise<unknown> => house.store.transact({ compare: [], put: [], delete: [key] });

interface LbEndpoint {
  readonly healthStatus?: string;
  readonly endpoint: { readonly address: { readonly socketAddress: { readonly address: string } } };
}

/** Of those that have registered themselves and are well, as a proxy has them. */
function addresses(): readonly string[] {
  const json = caller.has('EDS').get(details)?.json as { endpoints?: { lbEndpoints: LbEndpoint[] }[] } | undefined;
  return (json?.endpoints ?? [])
    .flatMap(({ lbEndpoints }) => lbEndpoints)
    .filter(({ healthStatus }) => healthStatus !== 'UNHEALTHY')
    .map(({ endpoint }) => endpoint.address.socketAddress.address)
    .filter((address) => address.startsWith('10.9.'));
}

async function told(version = ''): Promise<number> {
  const { services } = await house.get<StatusResponse>('/v1/status');
  return services.find(({ name }) => name === 'details')?.versions.find((one) => one.version === version)?.healthy ?? 0;
}

const becomes = (...wanted: string[]): Promise<unknown> =>
  until(wanted.join(' and ') || 'none', async () => {
    return addresses().join() === wanted.join() && (await told()) === wanted.length;
  });

beforeAll(async () => {
  house = await openPilotHouse();
  await house.apply(readWorld('example'));
  await house.post('/v1/deploy', { by: 'test' });
  const running = (await runPlans(house.store)).find((one) => serviceOf(one) === 'default/productpage');
  if (running === undefined) throw new Error('no productpage');
  caller = connectSidecar(house.pilot.xdsAddress, running.plan, running.instance);
  await caller.until('its endpoints', () => caller.has('EDS').has(details));
});

afterAll(async () => {
  caller.close();
  await house.close();
});

test('what stands below a root is nothing before the root is named', async () => {
  await put('/grpc/details/10.9.0.1:80', '10.9.0.1:80');
  await put('prod/rpc/details/a', '10.9.0.2:80');
  await becomes();
});

test('a named root is read, and followed, with and without a slash before it', async () => {
  await roots('{ path: /grpc }', '{ path: prod/rpc }');
  await becomes('10.9.0.1', '10.9.0.2');
  await put('prod/rpc/details/b/deep', '10.9.0.3:80');
  await put('prod/rpc/details', '10.9.0.4:80');
  await put('prod/rpcs/details/c', '10.9.0.5:80');
  await becomes('10.9.0.1', '10.9.0.2', '10.9.0.3');
  await remove('prod/rpc/details/a');
  await becomes('10.9.0.1', '10.9.0.3');
});

test('a mistake there is told of by the key that has it', async () => {
  await put('prod/rpc/details/d', 'nowhere');
  const { findings } = await house.get<StatusResponse>('/v1/status');
  expect(findings).toMatchObject([{ key: 'services/details/prod/rpc/details/d' }]);
  await remove('prod/rpc/details/d');
});

test('a pilot that starts serves nothing before it has read the roots', async () => {
  await house.restartPilot();
  const seen: string[] = [];
  caller.onNews(() => seen.push(addresses().join()));
  caller.reconnect(house.pilot.xdsAddress);
  await becomes('10.9.0.1', '10.9.0.3');
  expect(seen.filter((list) => list !== '10.9.0.1,10.9.0.3')).toEqual([]);
});

test('a root may belong to another namespace, and one that is named no more is forgotten', async () => {
  await roots('{ path: /grpc, namespace: shop }', '{ path: prod/rpc }');
  await becomes('10.9.0.3');
  await roots();
  await becomes();
});

test.each(['services', 'versions/web', 'services.shop', 'grpc/', '', '//grpc'])('"%s" is no root', async (path) => {
  const text = `apiVersion: mesh/v1\nkind: Mesh\nmetadata: { name: mesh }\nspec: { naming: { roots: [{ path: "${path}" }] } }`;
  const { status } = await house.send('POST', '/v1/apply', { by: 'test', files: [{ name: 'm.yaml', text }] });
  expect(status).toBe(422);
});
