/**
 * Goal: whatever the order of views, answers and reconnects, a proxy ends with exactly the newest view, and on the way it
 * never sends a request to a cluster that does not serve. Method: the pure engine and a strict model proxy with a queue
 * of messages in each direction; fast-check draws the views and the interleaving.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EncodedResource, View } from '../../../src/xds/resource-cache.js';
import { typeOfUrl } from '../../../src/xds/resource-types.js';
import type { StreamKind } from '../../../src/xds/subscription.js';
import { StreamPair } from '../../support/stream-pair.js';
import { cluster, endpoints, listener, routes, viewOf } from '../../support/xds-resources.js';

const CLUSTERS = ['a', 'b', 'c', 'd'];
const LISTENERS = ['l', 'm'];
const targets = new Map<string, readonly string[]>();

interface World {
  /** Per cluster: absent, or the variants of its definition and of its endpoints. */
  readonly clusters: readonly (readonly [definition: number, endpoints: number] | undefined)[];
  /** Per listener: absent, or its own variant, that of its routes, and to which of the present clusters they go. */
  readonly listeners: readonly (readonly [own: number, routes: number, targets: number] | undefined)[];
}

/** Everything is made once: the encoder is not what this test is about. */
const made = new Map<string, EncodedResource>();
function once(key: string, make: () => EncodedResource): EncodedResource {
  let resource = made.get(key);
  if (!resource) made.set(key, (resource = make()));
  return resource;
}

function worldView(world: World, revision: number): View {
  const resources: EncodedResource[] = [];
  const present: string[] = [];
  for (const [index, variants] of world.clusters.entries()) {
    const name = CLUSTERS[index] ?? '';
    if (!variants && (index > 0 || world.clusters.some(Boolean))) continue; // at least one cluster
    const [definition, endpointVariant] = variants ?? [0, 0];
    present.push(name);
    resources.push(once(`c ${name} ${definition}`, () => cluster(name, definition)));
    resources.push(once(`e ${name} ${endpointVariant}`, () => endpoints(name, endpointVariant)));
  }
  for (const [index, variants] of world.listeners.entries()) {
    if (!variants && (index > 0 || world.listeners.some(Boolean))) continue; // at least one listener
    const [own, routeVariant, bits] = variants ?? [0, 0, 0];
    const name = LISTENERS[index] ?? '';
    const goesTo = present.filter((_, at) => (bits >> at) & 1 || at === bits % present.length);
    const key = `r ${name} ${routeVariant} ${goesTo.join()}`;
    resources.push(once(`l ${name} ${own}`, () => listener(name, `to-${name}`, own)));
    const routesOf = once(key, () => routes(`to-${name}`, goesTo, routeVariant));
    targets.set(routesOf.digest, goesTo);
    resources.push(routesOf);
  }
  return viewOf(revision, resources);
}

const variant = fc.integer({ min: 0, max: 2 });
const world: fc.Arbitrary<World> = fc.record({
  clusters: fc.array(fc.option(fc.tuple(variant, variant), { nil: undefined }), { minLength: 4, maxLength: 4 }),
  listeners: fc.array(fc.option(fc.tuple(variant, variant, fc.integer({ min: 0, max: 15 })), { nil: undefined }), {
    minLength: 2,
    maxLength: 2,
  }),
});
type Command =
  | { readonly do: 'view'; readonly world: World }
  | { readonly do: 'down' }
  | { readonly do: 'up' }
  | { readonly do: 'reconnect' };
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 3, arbitrary: world.map((drawn) => ({ do: 'view' as const, world: drawn })) },
  { weight: 6, arbitrary: fc.constant({ do: 'down' as const }) },
  { weight: 6, arbitrary: fc.constant({ do: 'up' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'reconnect' as const }) },
);

function play(
  kind: StreamKind,
  first: World,
  commands: readonly Command[],
  isBad?: (r: EncodedResource) => boolean,
): StreamPair {
  // Endpoints that are refused leave their cluster cold, so then traffic may be lost.
  const clustersOf = isBad ? undefined : (sent: EncodedResource) => targets.get(sent.digest) ?? [];
  const options = { kind, acknowledgesWarm: commands.length % 4 < 2, isBad: isBad ?? (() => false), clustersOf };
  const pair = new StreamPair(options, worldView(first, 0));
  if (commands.length % 2 === 0) pair.settle(); // half of the proxies are still connecting when the first change comes
  for (const [index, next] of commands.entries()) {
    if (next.do === 'view') pair.view(worldView(next.world, index + 1));
    else pair[next.do]();
  }
  pair.settle();
  return pair;
}

function digests(resources: Iterable<EncodedResource>): Record<string, string> {
  return Object.fromEntries([...resources].map((resource) => [resource.name, resource.digest]));
}

describe.each(['delta', 'sotw'] as const)('over %s', (kind) => {
  // Without knowing what a reconnecting proxy has, state-of-the-world cannot keep what it should still have for a while.
  const commands = fc.array(
    command.filter((drawn) => kind === 'delta' || drawn.do !== 'reconnect'),
    { maxLength: 60 },
  );

  test('a proxy ends with exactly the view, warm, acknowledged, and lost nothing on the way', () => {
    fc.assert(
      fc.property(world, commands, (first, drawn) => {
        const { proxy, stream } = play(kind, first, drawn);
        for (const [typeUrl, resources] of stream.view.byType) {
          const short = typeOfUrl(typeUrl)?.short ?? 'CDS';
          expect(digests(proxy.resources(short).values()), short).toEqual(digests(resources.values()));
        }
        // Only where nothing can be said about endpoints that are gone, or where a stream broke off, a cluster waits in vain.
        const isCut = kind === 'sotw' || drawn.some((command) => command.do === 'reconnect');
        if (!isCut) expect(proxy.timeouts).toBe(0);
        expect(stream.ackedRevision).toBe(stream.view.storeRevision);
      }),
      { numRuns: 300 },
    );
  });

  test('a bad endpoint list keeps nobody else from the newest view', () => {
    fc.assert(
      fc.property(world, commands, fc.constantFrom(...CLUSTERS), (first, drawn, badName) => {
        const isBad = (resource: EncodedResource): boolean =>
          resource === made.get(`e ${badName} 1`) || resource === made.get(`e ${badName} 2`);
        const { proxy, stream } = play(kind, first, drawn, isBad);
        const eds = stream.view.byType.get(endpoints('a').typeUrl) ?? new Map<string, EncodedResource>();
        for (const resource of eds.values()) {
          if (!isBad(resource)) expect(proxy.resources('EDS').get(resource.name)?.digest).toBe(resource.digest);
        }
        expect(stream.ackedRevision === stream.view.storeRevision).toBe(![...eds.values()].some(isBad));
      }),
      { numRuns: 300 },
    );
  });
});
