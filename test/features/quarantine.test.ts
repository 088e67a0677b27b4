/** What proxies refuse: one of them meets it, the others never; it is named, undone, remembered, and holds up nothing else. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { AckWaitResponse, DefinitionItem, List, ProxyItem } from '../../src/model/api.js';
import { startPilot } from '../../src/pilot/pilot.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { openPilotHouse, type PilotHouse, runPlans } from '../support/pilot-house.js';
import { connectSidecar, type Sidecar } from '../support/sidecar-client.js';
import { until } from '../support/until.js';
import { readWorld } from '../support/worlds.js';
import type { XdsResponse } from '../support/xds-client.js';

const by = 'test';
const BAD = 'refuse-me';

let house: PilotHouse;
type Running = Awaited<ReturnType<typeof runPlans>>[number];
let running: readonly Running[];
let sidecars: readonly Sidecar[];

beforeEach(async () => {
  house = await openPilotHouse();
  await house.apply(readWorld('example'));
  await house.post('/v1/deploy', { by });
  running = await runPlans(house.store);
  sidecars = running.map((one) => connect(one));
  await until('all listeners', () => sidecars.every((sidecar) => sidecar.has('LDS').size > 0));
  await allInSync();
  for (const sidecar of sidecars) sidecar.news();
});

afterEach(async () => {
  for (const sidecar of sidecars) sidecar.close();
  await house.close();
});

function connect({ plan, instance }: Running, address = house.pilot.xdsAddress): Sidecar {
  const sidecar = connectSidecar(address, plan, instance);
  sidecar.refuse(fault);
  return sidecar;
}

function fault({ resources }: XdsResponse): string | undefined {
  const bad = [...resources].filter(([, { json }]) => JSON.stringify(json).includes(BAD)).map(([name]) => name);
  return bad.length === 0 ? undefined : `${bad.join(', ')}: no such thing`;
}

/** A filter on the listeners of these sidecars, default all; `what` is what they then say. */
function filter(name: string, what: string, app?: string): string {
  const selector = app === undefined ? '' : `workloadSelector: { labels: { app: ${app} } }, `;
  return `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: ${name}, namespace: ${app === undefined ? 'istio-system' : 'default'} }
spec: { ${selector}configPatches: [{ applyTo: LISTENER, match: { context: SIDECAR_INBOUND }, patch: { operation: MERGE, value: { stat_prefix: ${what} } } }] }
`;
}

function virtualService(host: string, header: string): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host} }
spec: { hosts: [${host}], http: [{ headers: { response: { set: { x-mine: ${header} } } }, route: [{ destination: { host: ${host} } }] }] }
`;
}

async function apply(text: string): Promise<string> {
  return ((await house.apply(text)) as unknown as { storeRevision: string }).storeRevision;
}

function settled(storeRevision: string): Promise<AckWaitResponse> {
  return house.get<AckWaitResponse>(`/v1/acks?storeRevision=${storeRevision}&timeoutMs=8000`);
}

async function allInSync(): Promise<void> {
  await until('all in sync', async () => {
    const { items } = await house.get<List<ProxyItem>>('/v1/proxies');
    const types = items.map((item) => item.types);
    // A service that calls nobody asks for no endpoints.
    const isInSync = types.every(({ CDS, EDS, LDS, RDS }) => {
      return [CDS, LDS, RDS].every((type) => type?.state === 'SYNCED') && /SYNCED|NOT_SENT/.test(EDS?.state ?? '');
    });
    return items.length === sidecars.length && isInSync;
  });
}

function withListener(what: string): readonly Sidecar[] {
  return sidecars.filter((sidecar) => JSON.stringify([...sidecar.has('LDS').values()]).includes(what));
}

function refusals(): readonly string[] {
  return sidecars.flatMap((sidecar) => sidecar.news()).filter((one) => one.includes('!'));
}

async function problemsOf(kind: string, name: string): Promise<readonly string[]> {
  const list = await house.get<List<DefinitionItem>>(`/v1/definitions/${kind}?namespace=all&name=${name}`);
  return list.items.flatMap(({ problems }) => problems.map(({ message }) => message));
}

test('an EnvoyFilter that is refused meets one proxy, is named, and the one before stays in effect', async () => {
  await settled(await apply(filter('mine', 'good')));
  expect(withListener('good')).toHaveLength(sidecars.length);
  expect(refusals()).toEqual([]);
  const { refused } = await settled(await apply(filter('mine', BAD)));
  expect(refused).toMatchObject([{ kind: 'EnvoyFilter', namespace: 'istio-system', name: 'mine' }]);
  expect(refusals()).toEqual(['LDS!1']);
  expect(withListener('good')).toHaveLength(sidecars.length);
  expect(await problemsOf('EnvoyFilter', 'mine')).toEqual([expect.stringContaining('no such thing')]);
  await settled(await apply(filter('mine', 'better')));
  expect(withListener('better')).toHaveLength(sidecars.length);
  expect(await problemsOf('EnvoyFilter', 'mine')).toEqual([]);
});

test('changes of others go on while one is refused, in the same resource too', async () => {
  await settled(await apply(filter('mine', BAD)));
  await settled(await apply(filter('others', 'good')));
  expect(withListener('good')).toHaveLength(sidecars.length);
  await settled(await apply(virtualService('reviews', 'seen')));
  expect(await problemsOf('EnvoyFilter', 'mine')).toHaveLength(1);
  expect(await problemsOf('EnvoyFilter', 'others')).toEqual([]);
  expect(refusals()).toEqual(['LDS!1']);
});

test('of several that come at once only the refused one stays out', async () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const apps = ['details', 'ratings', 'reviews', 'productpage'];
  await settled(
    await apply(
      [
        ...names.map((name) => filter(name, `good-${name}`)),
        ...apps.map((app, i) => filter(`own-${app}`, i === 2 ? BAD : 'good', app)),
      ].join('---\n'),
    ),
  );
  const told = await Promise.all(
    [...names, ...apps.map((app) => `own-${app}`)].map(
      async (name) => [name, (await problemsOf('EnvoyFilter', name)).length] as const,
    ),
  );
  expect(told.filter(([, count]) => count > 0)).toEqual([['own-reviews', 1]]);
  const refusing = sidecars.filter((sidecar) => sidecar.news().some((one) => one.includes('!')));
  expect(refusing.map(({ id }) => id.split('/')[1])).toEqual(['reviews']);
});

/** How many sidecars have this in their routes. */
function routes(text: string): number {
  return sidecars.filter((sidecar) => JSON.stringify([...sidecar.has('RDS').values()]).includes(text)).length;
}

test('any other definition meets one proxy of each service first', async () => {
  await settled(await apply(virtualService('ratings', 'good')));
  const callers = routes('good');
  expect(callers).toBeGreaterThan(1);
  expect(refusals()).toEqual([]);
  const { refused } = await settled(await apply(virtualService('ratings', BAD)));
  expect(refused).toMatchObject([{ kind: 'VirtualService', name: 'ratings' }]);
  expect(refusals()).toEqual(['RDS!1']);
  expect(routes('good')).toBe(callers);
});

test('any other definition is found out after the fact, and undone', async () => {
  await settled(
    await apply([virtualService('reviews', 'reviews-1'), virtualService('details', 'details-1')].join('---\n')),
  );
  const callers = [routes('reviews-1'), routes('details-1')];
  expect(callers).not.toContain(0);
  await settled(await apply([virtualService('reviews', BAD), virtualService('details', 'details-2')].join('---\n')));
  expect([routes('reviews-1'), routes('details-2')]).toEqual(callers);
  expect(await problemsOf('VirtualService', 'reviews')).toEqual([expect.stringContaining('no such thing')]);
  expect(await problemsOf('VirtualService', 'details')).toEqual([]);
  // What `mesh resolve` decides on is what the proxies have.
  const view = JSON.stringify(await house.get<object>('/v1/caller-view?host=reviews&namespace=default'));
  expect([view.includes('reviews-1'), view.includes(BAD)]).toEqual([true, false]);
});

test('a pilot that starts again knows, and so does a proxy that comes anew', async () => {
  await settled(await apply(filter('mine', 'good')));
  await settled(await apply(filter('mine', BAD)));
  expect(refusals()).toEqual(['LDS!1']);
  await house.restartPilot();
  for (const sidecar of sidecars) sidecar.reconnect(house.pilot.xdsAddress);
  const [first] = running as [Running];
  const fresh = connect(first);
  await fresh.until('its listeners', () => fresh.has('LDS').size > 0 && fresh.has('RDS').size > 0);
  expect(JSON.stringify([...fresh.has('LDS').values()])).toContain('good');
  fresh.close();
  await allInSync();
  expect(refusals()).toEqual([]);
  expect(await problemsOf('EnvoyFilter', 'mine')).toHaveLength(1);
});

test('what one pilot has learnt the others know: a proxy that comes to them never meets it', async () => {
  await settled(await apply(filter('mine', 'good')));
  await settled(await apply(filter('mine', BAD)));
  expect(refusals()).toEqual(['LDS!1']);
  const second = await startPilot({
    store: house.store,
    clock: systemClock,
    log: silentLogger,
    http: '127.0.0.1:0',
    xds: '127.0.0.1:0',
    id: 'p2',
    version: 'test',
  });
  try {
    await second.whenReady;
    for (const sidecar of sidecars) sidecar.reconnect(second.xdsAddress);
    const [first] = running as [Running];
    const fresh = connect(first, second.xdsAddress);
    await fresh.until('its listeners', () => fresh.has('LDS').size > 0);
    expect(JSON.stringify([...fresh.has('LDS').values()])).toContain('good');
    fresh.close();
    // At the first pilot no proxy is left that could tell it.
    await settled(await apply(filter('mine', `${BAD}-too`)));
    expect(refusals()).toEqual(['LDS!1']);
    expect(await problemsOf('EnvoyFilter', 'mine')).toHaveLength(1);
    await settled(await apply(filter('mine', 'better')));
    expect(withListener('better')).toHaveLength(sidecars.length);
  } finally {
    await second.close();
  }
});
