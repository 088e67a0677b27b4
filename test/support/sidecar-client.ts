/**
 * A sidecar as the pilot sees one: says who it is as the planner's bootstrap does, asks for what its clusters and listeners
 * need, acknowledges everything (or what it is told to), and keeps what it was sent.
 */
import { proxyId } from '../../src/model/names.js';
import type { NodePlan, PlannedInstance } from '../../src/model/node-plan.js';
import { proxyMetadata } from '../../src/planner/bootstrap.js';
import type { ResourceShort } from '../../src/xds/resource-types.js';
import { until } from './until.js';
import { createXdsClient, type XdsClient, type XdsResponse, type XdsStream } from './xds-client.js';

type Json = Record<string, unknown>;

export interface Sidecar {
  readonly id: string;
  readonly client: XdsClient;
  readonly node: object;
  /** By name, of what was sent and not removed. */
  has(type: ResourceShort): ReadonlyMap<string, { readonly version: string; readonly json: Json }>;
  /** `CDS+2-0`, refused `LDS!1`: each response since the last call, in order. */
  news(): readonly string[];
  /** From now on it refuses each response in which this finds a fault, and keeps what it has of all that is in it. */
  refuse(fault: (response: XdsResponse) => string | undefined): void;
  /** Called after each response, when the copy has it. */
  onNews(listener: () => void): void;
  /** Waits until its copy is so. */
  until(what: string, fact: () => boolean): Promise<void>;
  /** Ends the stream, and opens one that says what it has. */
  reconnect(address: string): void;
  close(): void;
}

const types = ['CDS', 'EDS', 'LDS', 'RDS'] as const;

export function connectSidecar(address: string, plan: NodePlan, instance: PlannedInstance): Sidecar {
  const id = proxyId(instance.namespace, instance.service, instance.instance, plan.node);
  const metadata = { mesh: JSON.parse(JSON.stringify(proxyMetadata(plan, instance))) as object };
  const node = { id, cluster: instance.service, metadata, userAgentName: 'envoy' };
  const copy = new Map(types.map((type) => [type, new Map<string, { version: string; json: Json }>()]));
  const asked = new Map<ResourceShort, Set<string>>();
  const news: string[] = [];
  const listeners: (() => void)[] = [];
  let fault: (response: XdsResponse) => string | undefined = () => undefined;
  let client = createXdsClient(address);
  let stream = open(client);

  function open(over: XdsClient): XdsStream {
    const opened = over.delta(node);
    asked.clear();
    for (const type of ['CDS', 'LDS'] as const) opened.send(type, { initialResourceVersions: versions(type) });
    for (const [type, names] of [
      ['EDS', clusterNames()],
      ['RDS', routeNames()],
    ] as const)
      subscribe(opened, type, names);
    opened.onResponse((response) => {
      if (opened === stream) take(opened, response);
    });
    return opened;
  }

  function take(from: XdsStream, response: XdsResponse): void {
    const { type, resources, removed } = response;
    const wrong = fault(response);
    if (wrong !== undefined) {
      news.push(`${type}!${resources.size}`);
      for (const listener of listeners) listener();
      return from.nack(response, wrong);
    }
    news.push(`${type}+${resources.size}-${removed.length}`);
    const own = copy.get(type as (typeof types)[number]);
    for (const [name, resource] of resources) own?.set(name, resource);
    for (const name of removed) own?.delete(name);
    for (const listener of listeners) listener();
    from.ack(response);
    if (type === 'CDS') subscribe(from, 'EDS', clusterNames());
    if (type === 'LDS') subscribe(from, 'RDS', routeNames());
  }

  function subscribe(to: XdsStream, type: ResourceShort, names: readonly string[]): void {
    const known = asked.get(type) ?? new Set();
    const fresh = names.filter((name) => !known.has(name));
    if (fresh.length === 0) return;
    asked.set(type, new Set([...known, ...fresh]));
    const isFirst = known.size === 0;
    to.send(type, {
      resourceNamesSubscribe: fresh,
      ...(isFirst ? { initialResourceVersions: versions(type as (typeof types)[number]) } : {}),
    });
  }

  function versions(type: (typeof types)[number]): Record<string, string> {
    return Object.fromEntries([...(copy.get(type) ?? [])].map(([name, { version }]) => [name, version]));
  }

  function clusterNames(): readonly string[] {
    return [...(copy.get('CDS') ?? [])].filter(([, { json }]) => json['type'] === 'EDS').map(([name]) => name);
  }

  function routeNames(): readonly string[] {
    const text = JSON.stringify([...(copy.get('LDS')?.values() ?? [])].map(({ json }) => json));
    return [...new Set([...text.matchAll(/"routeConfigName":"([^"]+)"/g)].map((match) => match[1] as string))];
  }

  return {
    id,
    get client() {
      return client;
    },
    node,
    has: (type) => copy.get(type as (typeof types)[number]) ?? new Map(),
    news: () => news.splice(0),
    refuse(next) {
      fault = next;
    },
    onNews: (listener) => void listeners.push(listener),
    until: async (what, fact) => void (await until(`${what} at ${id}`, () => fact())),
    reconnect(to) {
      stream.end();
      client.close();
      client = createXdsClient(to);
      stream = open(client);
    },
    close() {
      stream.end();
      client.close();
    },
  };
}
