/**
 * Random histories of a store, really translated, as one proxy lives through them: what people write, instances that come and
 * go, messages that are late, streams that break off, resources that it refuses. Laws about what it has, at every moment and in the end.
 */
import fc from 'fast-check';
import { expect } from 'vitest';
import { allKinds } from '../../src/dsl/kinds.js';
import { type Definition, indexDefinitions, viewOf } from '../../src/model/definition.js';
import type { Endpoint } from '../../src/model/instance.js';
import { defaultMesh } from '../../src/model/mesh.js';
import type { MeshSnapshot } from '../../src/model/mesh-snapshot.js';
import { fullName } from '../../src/model/names.js';
import { parseDefinitions } from '../../src/model/parse.js';
import { encodeResources } from '../../src/pilot/encode-resources.js';
import { translate } from '../../src/pilot/translate/index.js';
import type { EncodedResource, View } from '../../src/xds/resource-cache.js';
import { type ResourceShort, resourceType } from '../../src/xds/resource-types.js';
import type { StreamKind } from '../../src/xds/subscription.js';
import { endpoint, proxy, serviceYaml } from './mesh-world.js';
import type { ModelProxy, ModelProxyOptions } from './model-proxy.js';
import { clustersNamed } from './simulate.js';
import { StreamPair } from './stream-pair.js';

/** What the store holds, as indexes into the choices below. */
type StoreState = readonly number[];

const istio = (kind: string, name: string, spec: object): string =>
  JSON.stringify({ apiVersion: 'networking.istio.io/v1', kind, metadata: { name }, spec });
const subset = (name: string, version: string): object => ({ name, labels: { version } });
const [a, b, c] = [subset('a', 'v1'), subset('b', 'v2'), subset('c', 'v1')];

const rule = (subsets: readonly object[], connectTimeout = '1s'): string =>
  istio('DestinationRule', 'reviews', {
    host: 'reviews',
    subsets,
    trafficPolicy: { connectionPool: { tcp: { connectTimeout } } },
  });
const routeTo = (...names: readonly string[]): string =>
  istio('VirtualService', 'reviews', {
    hosts: ['reviews'],
    http: [
      {
        route: names.map((name, i) => ({
          destination: name === 'ratings' ? { host: name } : { host: 'reviews', subset: name },
          ...(names.length > 1 ? { weight: i === 0 ? 100 - 10 * (names.length - 1) : 10 } : {}),
        })),
      },
    ],
  });
const listenerOnly = istio('Sidecar', 'productpage', {
  workloadSelector: { labels: { app: 'productpage' } },
  egress: [
    {
      port: { number: 9999, protocol: 'HTTP', name: 'own' },
      bind: '127.0.0.1',
      hosts: ['./reviews.default.svc.cluster.local'],
    },
    { hosts: ['./*'] },
  ],
});
const outside = istio('ServiceEntry', 'outside', {
  hosts: ['outside.example.com'],
  ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
  resolution: 'STATIC',
  endpoints: [{ address: '127.0.0.9' }],
});

/** Each list is one thing that changes by itself; what refers to another is also there without it. */
const choices = [
  [rule([]), '', rule([a]), rule([a, b]), rule([b, c]), rule([a, b], '2s'), rule([a, b, c])],
  ['', routeTo('a'), routeTo('a', 'b'), routeTo('b'), routeTo('c', 'b'), routeTo('c', 'ratings'), routeTo('ratings')],
  [serviceYaml('ratings', ['v1']), ''],
  [serviceYaml('reviews', ['v1', 'v2']), ''],
  ['', listenerOnly],
  ['', outside],
] as const;
const instances = [
  [endpoint('reviews/v1@127.0.0.1:1'), endpoint('reviews/v1@127.0.0.1:2')],
  [endpoint('reviews/v2@127.0.0.1:3')],
  [endpoint('ratings/v1@127.0.0.1:4')],
];
const sizes = [...choices.map(({ length }) => length), ...instances.map(() => 2)];

const always = parsed(serviceYaml('productpage', ['v1']));
const definitionsOf = choices.map((texts) => texts.map(parsed));
const scope = proxy([{ service: 'reviews' }, { service: 'ratings', listener: 9998 }], {
  labels: { app: 'productpage' },
});

function parsed(text: string): readonly Definition[] {
  if (text === '') return [];
  const { definitions, problems } = parseDefinitions([{ name: 'world.yaml', text }], allKinds);
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('\n'));
  return definitions;
}

function snapshotOf(state: StoreState): MeshSnapshot {
  const definitions = definitionsOf.flatMap((texts, i) => texts[state[i] ?? 0] ?? []);
  const isThere = (i: number): boolean => state[choices.length + i] === 0;
  const of = (service: string): Endpoint[] =>
    instances.filter((_, i) => isThere(i)).flatMap((list) => list.filter((one) => one.service === service));
  return {
    revision: 1,
    storeRevision: 1n,
    mesh: defaultMesh,
    definitions: viewOf(indexDefinitions([...always, ...definitions])),
    endpoints: new Map(['reviews', 'ratings'].map((service) => [fullName('default', service), of(service)])),
    instances: new Map(),
    plans: new Map(),
    releases: new Map(),
  };
}

const byState = new Map<string, View['byType']>();
const clustersByDigest = new Map<string, readonly string[]>();

/** Translated once per state: histories meet the same states again and again. */
function resourcesIn(state: StoreState): View['byType'] {
  const key = state.join();
  let known = byState.get(key);
  if (known === undefined) byState.set(key, (known = translated(state)));
  return known;
}

function translated(state: StoreState): View['byType'] {
  const resources = translate(snapshotOf(state), scope);
  const { byType, failures } = encodeResources(resources, undefined);
  if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join('\n'));
  for (const { name, digest } of byType.get(resourceType('RDS').typeUrl)?.values() ?? [])
    clustersByDigest.set(digest, [...new Set(clustersNamed(resources.routes.get(name)))]);
  return byType;
}

function clustersIn({ digest }: EncodedResource): readonly string[] {
  return clustersByDigest.get(digest) ?? [];
}

type Command =
  | { readonly do: 'change'; readonly at: number; readonly to: number }
  /** Several things in one revision, as `apply` of a file with several objects. */
  | { readonly do: 'changes'; readonly state: StoreState }
  /** A pilot that has lost its mesh: nobody may be told that. The publisher never serves it; over delta the engine itself keeps it away. */
  | { readonly do: 'blank' }
  | { readonly do: 'down' | 'up' }
  /** To a pilot that follows the store or is so many changes behind. */
  | { readonly do: 'reconnect'; readonly behind: number };

export interface History {
  readonly first: StoreState;
  /** What the proxy has when it comes for the first time: of another state, or nothing. */
  readonly earlier: StoreState | undefined;
  readonly commands: readonly Command[];
  readonly acknowledgesWarm: boolean;
}

/** What a proxy refuses, and what it takes of a response with such a thing. */
interface Refusing {
  readonly what: (typeof refusable)[number];
  readonly takesOfRefused: NonNullable<ModelProxyOptions['takesOfRefused']>;
}

const refusable = [
  ['CDS', /\|b\|reviews/],
  ['CDS', /ratings/],
  ['EDS', /\|a\|reviews/],
  ['RDS', /./],
  ['LDS', /9999|ratings/],
] as const;

const stateOf: fc.Arbitrary<StoreState> = fc.tuple(...sizes.map((size) => fc.nat({ max: size - 1 })));
const change: fc.Arbitrary<Command> = fc
  .nat({ max: sizes.length - 1 })
  .chain((at) => fc.nat({ max: (sizes[at] ?? 1) - 1 }).map((to): Command => ({ do: 'change', at, to })));

/** Over state-of-the-world a proxy cannot tell what it has, so there nothing breaks off. */
function historyOver(kind: StreamKind): fc.Arbitrary<History> {
  const isDelta = kind === 'delta';
  const step: fc.Arbitrary<Command> = fc.oneof(
    { weight: 3, arbitrary: change },
    { weight: 1, arbitrary: stateOf.map((state): Command => ({ do: 'changes', state })) },
    { weight: 6, arbitrary: fc.constant<Command>({ do: 'down' }) },
    { weight: 6, arbitrary: fc.constant<Command>({ do: 'up' }) },
    ...(isDelta
      ? [
          { weight: 1, arbitrary: fc.constant<Command>({ do: 'blank' }) },
          { weight: 1, arbitrary: fc.nat({ max: 2 }).map((behind): Command => ({ do: 'reconnect', behind })) },
        ]
      : []),
  );
  return fc.record({
    first: stateOf,
    earlier: isDelta ? fc.option(stateOf, { nil: undefined }) : fc.constant(undefined),
    commands: fc.array(step, { maxLength: 60 }),
    acknowledgesWarm: fc.boolean(),
  });
}

/** A full state is not sent again in parts, so with state-of-the-world it is for the proxy to take what is good. */
const refusingOver = (kind: StreamKind): fc.Arbitrary<Refusing> =>
  fc.record({
    what: fc.constantFrom(...refusable),
    takesOfRefused:
      kind === 'delta' ? fc.constantFrom('as Envoy', 'good', 'nothing') : fc.constantFrom('as Envoy', 'good'),
  });

const everything: readonly ResourceShort[] = ['CDS', 'EDS', 'LDS', 'RDS'];

interface Played {
  readonly pair: StreamPair;
  readonly last: View;
}

function optionsOf(
  kind: StreamKind,
  { acknowledgesWarm }: History,
  over: Partial<ModelProxyOptions>,
): ModelProxyOptions {
  return { kind, acknowledgesWarm, isBad: () => false, clustersOf: clustersIn, ...over };
}

/** Plays it, and gives the proxy time at the end. `look` sees what it has after every message. */
function play(
  history: History,
  options: ModelProxyOptions,
  look: (proxy: ModelProxy) => void = () => undefined,
): Played {
  let revision = 0n;
  const seen: View[] = [];
  const viewIn = (state: StoreState): View => {
    const view = { storeRevision: (revision += 1n), byType: resourcesIn(state) };
    seen.push(view);
    return view;
  };
  const had = history.earlier === undefined ? undefined : viewIn(history.earlier);
  let state = history.first;
  const pair = new StreamPair(options, viewIn(state), had && proxyWith(had, options));
  if (history.commands.length % 2 === 0) pair.settle(); // half of the proxies are still connecting when the first change comes
  for (const command of history.commands) {
    if (command.do === 'change') pair.view(viewIn((state = state.with(command.at, command.to))));
    else if (command.do === 'changes') pair.view(viewIn((state = command.state)));
    else if (command.do === 'blank') pair.view({ storeRevision: revision, byType: new Map() });
    else if (command.do === 'reconnect') pair.reconnect(seen.at(-1 - command.behind));
    else pair[command.do]();
    look(pair.proxy);
  }
  const last = viewIn(state);
  pair.view(last);
  pair.settle();
  look(pair.proxy);
  return { pair, last };
}

/** It has lived with this view to the end. */
function proxyWith(view: View, options: ModelProxyOptions): ModelProxy {
  const { proxy: lived } = settled(view, { ...options, isBad: () => false });
  return lived.restarted(options);
}

function settled(view: View, options: ModelProxyOptions): StreamPair {
  const pair = new StreamPair(options, view);
  pair.settle();
  return pair;
}

function digestsOf(resources: Iterable<EncodedResource>): Readonly<Record<string, string>> {
  return Object.fromEntries([...resources].map(({ name, digest }) => [name, digest]));
}

function contentOf(proxy: ModelProxy): object {
  return Object.fromEntries(everything.map((short) => [short, digestsOf(proxy.resources(short).values())]));
}

function contentIn(view: View): object {
  return Object.fromEntries(
    everything.map((short) => [short, digestsOf(view.byType.get(resourceType(short).typeUrl)?.values() ?? [])]),
  );
}

/** Throws when a proxy that had clusters, or listeners, has none any more. */
function neverEmpty(): (proxy: ModelProxy) => void {
  const had = new Set<ResourceShort>();
  return (proxy) => {
    for (const short of ['CDS', 'LDS'] as const) {
      if (proxy.resources(short).size > 0) had.add(short);
      else if (had.has(short)) throw new Error(`all of ${short} is gone`);
    }
  };
}

function endsWithTheView(kind: StreamKind, history: History): ModelProxy {
  const { pair, last } = play(history, optionsOf(kind, history, {}), neverEmpty());
  expect(contentOf(pair.proxy)).toEqual(contentIn(last));
  expect(pair.stream.ackedRevision).toBe(last.storeRevision);
  // Only where nothing can be said about endpoints that are gone, or where a stream broke off, a cluster waits in vain.
  const isCut =
    kind === 'sotw' || history.commands.some((command) => command.do === 'reconnect' || command.do === 'blank');
  if (!isCut && history.earlier === undefined) expect(pair.proxy.timeouts).toBe(0);
  return pair.proxy;
}

function staysWhole(kind: StreamKind, history: History, { what: [short, name], takesOfRefused }: Refusing): void {
  const first = resourcesIn(history.first).get(resourceType(short).typeUrl);
  let isHealed = false;
  // What it met first it takes, so that it has something to keep.
  const isBad = (one: EncodedResource): boolean =>
    !isHealed &&
    one.typeUrl === resourceType(short).typeUrl &&
    name.test(one.name) &&
    first?.get(one.name)?.digest !== one.digest;
  // Nobody can know what a proxy had that comes back over state-of-the-world: a full state takes away by itself what is too much.
  const clustersOf = (routes: EncodedResource): readonly string[] =>
    isHealed && kind === 'sotw' ? [] : clustersIn(routes);
  const options = optionsOf(kind, history, { isBad, takesOfRefused, validatesClusters: true, clustersOf });
  const { pair, last } = play(history, options, neverEmpty());
  const { proxy } = pair;
  for (const type of everything) {
    for (const resource of last.byType.get(resourceType(type).typeUrl)?.values() ?? []) {
      if (proxy.refuses(resource) || !proxy.wants(resource)) continue;
      expect(proxy.resources(type).get(resource.name)?.digest, `${type} ${resource.name}`).toBe(resource.digest);
    }
  }
  // The same proxy after a start with better eyes: what it has now must not stand in its way.
  isHealed = true;
  pair.reconnect(last);
  pair.settle();
  expect(contentOf(proxy)).toEqual(contentIn(last));
}

/** Anything may be in the first messages: names of long ago, versions of others, a part of what it has. */
function convergesFrom(state: StoreState, earlier: StoreState, kept: readonly boolean[]): void {
  const isKept = (i: number): boolean => kept[i % kept.length] ?? true;
  const options: ModelProxyOptions = {
    kind: 'delta',
    acknowledgesWarm: false,
    isBad: () => false,
    clustersOf: undefined,
  };
  const proxy = proxyWith({ storeRevision: 1n, byType: resourcesIn(earlier) }, options);
  let i = 0;
  for (const short of everything) {
    const resources = proxy.resources(short);
    for (const [name, resource] of resources) {
      if (!isKept(i++)) resources.delete(name);
      else if (!isKept(i * 7)) resources.set(name, { ...resource, digest: 'of-somebody-else' });
    }
  }
  proxy.tidy();
  const view = { storeRevision: 2n, byType: resourcesIn(state) };
  const pair = new StreamPair(options, view, proxy);
  pair.settle();
  expect(contentOf(proxy)).toEqual(contentIn(view));
}

/** By what each of them says. */
export const storeHistoryLaws: Readonly<Record<string, (runs: fc.Parameters<unknown>) => void>> = {
  'over delta every route leads to a cluster that serves, whatever breaks off, and in the end all is there': (runs) =>
    fc.assert(
      fc.property(historyOver('delta'), (one) => void endsWithTheView('delta', one)),
      runs,
    ),

  'delta and state-of-the-world end with the same, and lose nothing on the way': (runs) =>
    fc.assert(
      fc.property(historyOver('sotw'), (one) => {
        expect(contentOf(endsWithTheView('sotw', one))).toEqual(contentOf(endsWithTheView('delta', one)));
      }),
      runs,
    ),

  'what is refused keeps nothing else away, over delta': (runs) =>
    fc.assert(
      fc.property(historyOver('delta'), refusingOver('delta'), (one, how) => staysWhole('delta', one, how)),
      runs,
    ),

  'what is refused keeps nothing else away, over state-of-the-world': (runs) =>
    fc.assert(
      fc.property(historyOver('sotw'), refusingOver('sotw'), (one, how) => staysWhole('sotw', one, how)),
      runs,
    ),

  'a proxy that comes with anything ends with what it should have': (runs) =>
    fc.assert(
      fc.property(stateOf, stateOf, fc.array(fc.boolean(), { minLength: 3, maxLength: 40 }), convergesFrom),
      runs,
    ),
};
