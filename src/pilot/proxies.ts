/** The proxies of this pilot: who may connect, what each is served, what they refuse and report. */
import type { ProxyConfig, ProxyItem } from '../model/api.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { AdsHost, LoadReport, ProxyNode, ProxyStatus } from '../xds/ads-host.js';
import { type ResourceShort, resourceTypes } from '../xds/resource-types.js';
import type { PublishedProxy, Publisher } from './publish.js';
import { refusedDefinition } from './quarantine/refused-definition.js';
import { type ProxyScope, readProxy } from './translate/index.js';
import type { TrustedNetworks } from './trusted-networks.js';

export interface ProxiesOptions {
  readonly pilot: string;
  readonly publisher: Publisher;
  readonly networks: TrustedNetworks;
  readonly log: Logger;
  /**
   * Resolves when there is something to serve, and then with true when the published snapshot has been shown to be as new as
   * the store. Rejects when there is nothing soon.
   */
  readonly fresh: (signal: AbortSignal) => Promise<boolean>;
  readonly acked: (proxy: string, storeRevision: bigint) => void;
  readonly rejected: (proxy: string) => void;
  readonly report: (proxy: string, report: LoadReport) => void;
  /** The last stream of a proxy has ended. */
  readonly left: (proxy: string) => void;
}

export interface Proxies {
  readonly host: AdsHost;
  /** Of a proxy that is connected. */
  config(proxy: string): ProxyConfig | undefined;
  items(statuses: readonly ProxyStatus[]): readonly ProxyItem[];
}

export function createProxies(options: ProxiesOptions): Proxies {
  const { publisher, networks, log } = options;
  /** Newest stream last: a proxy reconnects before its old stream has ended. */
  const open = new Map<string, PublishedProxy[]>();

  const connect: AdsHost['connect'] = async (node, signal, hasEarlier) => {
    refuseStranger(node, networks);
    const scope = scopeOf(node);
    const isFresh = await options.fresh(signal);
    // Another pilot may have given it something newer. One that has nothing gets the last good.
    if (!isFresh && hasEarlier()) throw outOfDate(scope);
    while (true) {
      const quiet = publisher.quarantine.whenQuiet(signal);
      if (quiet === undefined) break; // nothing may come between this and opening it
      await quiet;
    }
    const proxy = publisher.open(scope);
    open.set(scope.id, [...(open.get(scope.id) ?? []), proxy]);
    log.info({ proxy: scope.id, envoy: node.buildVersion }, 'proxy connected');
    return {
      view: () => proxy.view(),
      settled: (view) => proxy.settled(view),
      closed() {
        proxy.close();
        const others = (open.get(scope.id) ?? []).filter((one) => one !== proxy);
        if (others.length > 0) open.set(scope.id, others);
        else if (open.delete(scope.id)) options.left(scope.id);
        log.info({ proxy: scope.id }, 'proxy left');
      },
    };
  };

  return {
    host: {
      connect,
      rejected(node, rejection) {
        options.rejected(node.id);
        open.get(node.id)?.at(-1)?.rejected(rejection);
      },
      acked: (node, storeRevision) => options.acked(node.id, storeRevision),
      loadReport(node, report) {
        // A report opens a stream of its own: it counts only for a proxy that we know.
        if (open.has(node.id) && networks.accepts(node.peer)) options.report(node.id, report);
      },
    },
    config(id) {
      const proxy = open.get(id)?.at(-1);
      return proxy === undefined ? undefined : configOf(proxy);
    },
    items(statuses) {
      const refusals = publisher.quarantine.refusals();
      return statuses.map((status) => {
        const refused = refusals.filter(({ proxy }) => proxy === status.id).map(refusedDefinition);
        const item = itemOf(status, open.get(status.id)?.at(-1), options.pilot);
        return refused.length === 0 ? item : { ...item, refused };
      });
    },
  };
}

function refuseStranger(node: ProxyNode, networks: TrustedNetworks): void {
  if (networks.accepts(node.peer)) return;
  throw new MeshError('MESH2016', `${node.peer} is not in a trusted network`, {
    hint: 'start the pilot with --trusted-network',
  });
}

function outOfDate({ id }: ProxyScope): MeshError {
  return new MeshError(
    'MESH2008',
    `the store does not show whether what is served here is the newest: ${id} keeps what it has`,
    {
      retryable: true,
      hint: 'it asks another pilot next',
    },
  );
}

function scopeOf(node: ProxyNode): ProxyScope {
  const reading = readProxy(node);
  if (reading.kind === 'proxy') return reading.scope;
  throw new MeshError('MESH2007', reading.reason, { hint: 'render its bootstrap again: mesh render' });
}

function itemOf(status: ProxyStatus, proxy: PublishedProxy | undefined, pilot: string): ProxyItem {
  const { scope } = proxy ?? {};
  const unsent = new Map(proxy?.unsent().map(({ type, message }) => [type, message]));
  const types = resourceTypes.map(({ short }) => {
    const type = status.types[short] ?? notSent;
    const wrong = unsent.get(short);
    if (wrong === undefined || type.state === 'NACK') return [short, type] as const;
    const error = `cannot be encoded, so the last good one stays: ${wrong}`;
    return [short, { ...type, state: 'STALE' as const, error }] as const;
  });
  return {
    proxy: status.id,
    service: scope?.service ?? '',
    node: scope?.node ?? '',
    envoy: status.node.buildVersion.split('/')[0] ?? '',
    connectedTo: pilot,
    since: status.connectedSince,
    types: Object.fromEntries(types.filter(([short, type]) => shown.has(short) || type !== notSent)),
  };
}

const notSent = { state: 'NOT_SENT', version: '' } as const;
/** The types that every proxy has; others are shown where they are in use. */
const shown: ReadonlySet<ResourceShort> = new Set<ResourceShort>(['CDS', 'EDS', 'LDS', 'RDS']);

/** `routes`, as `mesh proxy config routes` names them. */
const configTypes = [
  ['clusters', 'CDS'],
  ['endpoints', 'EDS'],
  ['listeners', 'LDS'],
  ['routes', 'RDS'],
  ['runtime', 'RTDS'],
] as const;

function configOf(proxy: PublishedProxy): ProxyConfig {
  const resources = proxy.resources();
  const { byType } = proxy.view();
  const lists = configTypes.map(([name, short]) => {
    const typeUrl = resourceTypes.find((type) => type.short === short)?.typeUrl ?? '';
    const encoded = byType.get(typeUrl);
    const list = [...resources[name]].map(([resource, json]) => {
      return { name: resource, version: encoded?.get(resource)?.digest ?? '', resource: json };
    });
    return [name, list] as const;
  });
  return { proxy: proxy.scope.id, resources: Object.fromEntries(lists) };
}
