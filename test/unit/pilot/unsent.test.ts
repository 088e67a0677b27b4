/** What cannot be encoded: the proxy keeps the last good one, and nobody calls it in sync. */
import { expect, it } from 'vitest';
import { allKinds } from '../../../src/dsl/kinds.js';
import { createProxies } from '../../../src/pilot/proxies.js';
import { createPublisher } from '../../../src/pilot/publish.js';
import { type TranslatedResources, translate } from '../../../src/pilot/translate/index.js';
import { trustedNetworks } from '../../../src/pilot/trusted-networks.js';
import { systemClock } from '../../../src/runtime/clock.js';
import { silentLogger } from '../../../src/runtime/logger.js';
import type { ProxyStatus } from '../../../src/xds/ads-host.js';
import { resourceType } from '../../../src/xds/resource-types.js';
import { proxy, serviceYaml, world, yamls } from '../../support/mesh-world.js';
import { bootstrapOf } from '../../support/one-sidecar.js';

const snapshot = world({ yaml: yamls(serviceYaml('productpage', ['v1']), serviceYaml('reviews', ['v1'])) });
const broken = { name: 'outbound', noSuchField: true };

it('a listener that cannot be encoded stays as it was, and its proxy is told to lag, with the reason', async () => {
  let isBroken = false;
  const publisher = createPublisher({
    translate(of, scope): TranslatedResources {
      const made = translate(of, scope);
      return isBroken ? { ...made, listeners: new Map([...made.listeners, ['outbound', broken]]) } : made;
    },
    kinds: allKinds,
    clock: systemClock,
    log: silentLogger,
    onPublished: () => undefined,
    onChanged: () => undefined,
    refused: async () => undefined,
    refusalEnded: () => undefined,
  });
  const proxies = createProxies({
    pilot: 'p1',
    publisher,
    networks: trustedNetworks([]),
    log: silentLogger,
    fresh: async () => true,
    acked: () => undefined,
    report: () => undefined,
    left: () => undefined,
    rejected: () => undefined,
  });
  const { node } = bootstrapOf(proxy([{ service: 'reviews' }]), '127.0.0.1:1') as { node: ProxyStatus['node'] };
  const peer = { ...node, peer: '127.0.0.1:1', buildVersion: '1.40.0/RELEASE' };
  const type = { state: 'SYNCED', version: '' } as const;
  const status = {
    id: node.id,
    node: peer,
    connectedSince: 0,
    streamKind: 'delta',
    types: { CDS: type, EDS: type, LDS: type, RDS: type },
    ackedRevision: 1n,
    viewRevision: 1n,
  } satisfies ProxyStatus;

  publisher.update(snapshot, true);
  publisher.publishNow();
  const handle = await proxies.host.connect(peer, new AbortController().signal, () => false);
  const outbound = () => handle.view().byType.get(resourceType('LDS').typeUrl)?.get('outbound');
  const before = outbound();
  expect(before).toBeDefined();
  isBroken = true;
  publisher.update({ ...snapshot, storeRevision: 2n }, true);
  publisher.publishNow();
  expect(outbound()).toBe(before);
  const [item] = proxies.items([status]);
  expect(item?.types).toMatchObject({
    CDS: { state: 'SYNCED' },
    LDS: { state: 'STALE', error: expect.stringContaining('noSuchField') },
  });
  await publisher.close();
});
