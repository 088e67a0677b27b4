import { beforeEach, expect, test } from 'vitest';
import { allKinds } from '../../../src/dsl/kinds.js';
import type { MeshSnapshot } from '../../../src/model/mesh-snapshot.js';
import { type CanaryFirst, openCanaryFirst } from '../../../src/pilot/canary-first.js';
import { handClock } from '../../support/hand-clock.js';
import { serviceYaml, world, yamls } from '../../support/mesh-world.js';

const ids = ['default/a/a-1@n', 'default/a/a-2@n', 'default/b/b-1@n', 'default/b/b-2@n', 'default/b/b-1@n+grpc'];
const canaries = ['default/a/a-1@n', 'default/b/b-1@n'];

let clock: ReturnType<typeof handClock>;
let told: (readonly string[] | 'all')[];
let ackedRevision: bigint;
let canaryFirst: CanaryFirst;

beforeEach(() => {
  clock = handClock();
  told = [];
  ackedRevision = 1n;
  canaryFirst = openCanaryFirst({
    clock: clock.clock,
    kinds: allKinds,
    proxies: () => ids.map((id) => ({ id, ackedRevision })),
    tell: (proxies) => told.push(proxies ?? 'all'),
  });
  publish(1, 'old', 50);
  expect(news()).toEqual(['all']);
});

function news(): typeof told {
  return told.splice(0);
}

/** What a header says, and a weight. The same definition where both are the same. */
function publish(storeRevision: number, header: string, weight: number, over: Partial<MeshSnapshot> = {}): void {
  const snapshot = { ...meshOf(header, weight), ...over, storeRevision: BigInt(storeRevision) };
  canaryFirst.published(snapshot);
}

const made = new Map<string, MeshSnapshot>();

function meshOf(header: string, weight: number): MeshSnapshot {
  const key = `${header} ${weight}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const part = (subset: string, share: number): string =>
    `{ destination: { host: a, subset: ${subset} }, weight: ${share} }`;
  const route = `[${part('v1', weight)}, ${part('v2', 100 - weight)}]`;
  const virtualService = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a }
spec: { hosts: [a], http: [{ headers: { response: { set: { x-mine: ${header} } } }, route: ${route} }] }`;
  const snapshot = world({ yaml: yamls(serviceYaml('a', ['v1', 'v2']), virtualService) });
  made.set(key, snapshot);
  return snapshot;
}

async function settled(): Promise<void> {
  await Promise.resolve();
}

test('one proxy of each service is told first, and the others when these have acknowledged', async () => {
  publish(2, 'new', 50);
  expect(news()).toEqual([canaries]);
  canaryFirst.acked('default/a/a-1@n', 2n);
  canaryFirst.acked('default/b/b-1@n', 1n);
  await settled();
  expect(news()).toEqual([]);
  canaryFirst.acked('default/b/b-1@n', 2n);
  await settled();
  expect(news()).toEqual(['all']);
});

test('weights, endpoints and what was accepted before go to all at once', async () => {
  publish(2, 'old', 40);
  publish(3, 'old', 40, { endpoints: new Map() });
  expect(news()).toEqual(['all', 'all']);
  ackedRevision = 3n;
  publish(4, 'new', 40);
  for (const canary of canaries) canaryFirst.acked(canary, 4n);
  await settled();
  expect(news()).toEqual([canaries, 'all']);
  publish(5, 'old', 40);
  expect(news()).toEqual(['all']);
});

test('what changes while canaries are asked does not wait for them', () => {
  publish(2, 'new', 50);
  publish(3, 'new', 50, { endpoints: new Map() });
  expect(news()).toEqual([canaries, 'all']);
});

test('canaries that say nothing are waited for half a second, and are none the next time', async () => {
  publish(2, 'new', 50);
  await clock.pass(499);
  expect(news()).toEqual([canaries]);
  await clock.pass(1);
  expect(news()).toEqual(['all']);
  publish(3, 'newer', 50);
  expect(news()).toEqual(['all']); // the others have not acknowledged revision 2
  ackedRevision = 3n;
  publish(4, 'newest', 50);
  expect(news()).toEqual([['default/a/a-2@n', 'default/b/b-2@n']]);
});

test('a canary that refuses is given time, and what it refused is tried again when it comes back', async () => {
  publish(2, 'bad', 50);
  await clock.pass(400);
  canaryFirst.rejected('default/a/a-1@n');
  await clock.pass(400);
  expect(news()).toEqual([canaries]);
  canaryFirst.release(); // by the quarantine, which has found the guilty one
  expect(news()).toEqual(['all']);
  ackedRevision = 4n;
  publish(4, 'old', 50);
  expect(news()).toEqual(['all']);
  publish(5, 'bad', 50);
  expect(news()).toEqual([canaries]);
});

test('a canary that leaves holds nobody up', async () => {
  publish(2, 'new', 50);
  for (const canary of canaries) canaryFirst.left(canary);
  await settled();
  expect(news()).toEqual([canaries, 'all']);
});
