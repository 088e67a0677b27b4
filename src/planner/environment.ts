/** What an app finds in its environment (contract: "What runs on a node"). */
import { environmentName } from '../model/names.js';
import type { NodePlan, PlannedInstance, PlannedUpstream } from '../model/node-plan.js';
import { byKey } from '../model/order.js';

const LOOPBACK = '127.0.0.1';

/** Sorted by name. The user's own win, except over PORT and MESH_*, which say where the app stands. */
export function appEnvironment(
  plan: Pick<NodePlan, 'node'>,
  instance: PlannedInstance,
  storeEndpoints: readonly string[],
): Record<string, string> {
  const all = {
    ...httpProxy(instance, storeEndpoints),
    ...Object.fromEntries(instance.upstreams.flatMap((upstream) => upstreamVariables(instance, upstream))),
    ...ownVariables(instance),
    ...listenVariables(instance),
    ...identity(plan, instance),
    ...store(instance, storeEndpoints),
  };
  return Object.fromEntries(Object.entries(all).toSorted(byKey));
}

function ownVariables({ container }: PlannedInstance): Record<string, string> {
  return Object.fromEntries(Object.entries(container?.environment ?? {}).map(([name, value]) => [name, String(value)]));
}

function identity({ node }: Pick<NodePlan, 'node'>, instance: PlannedInstance): Record<string, string> {
  return {
    MESH_INSTANCE: instance.instance,
    MESH_NAMESPACE: instance.namespace,
    MESH_NODE: node,
    MESH_PROTOCOL: instance.servicePorts[0]?.protocol ?? 'http',
    MESH_PROXY: `http://${proxyAddress(instance)}`,
    MESH_SERVICE: instance.service,
    MESH_VERSION: instance.version,
  };
}

function listenVariables({ servicePorts, ports }: PlannedInstance): Record<string, string> {
  const [first] = servicePorts;
  const named = servicePorts.map(({ name }) => [`PORT_${environmentName(name)}`, String(ports.app[name])] as const);
  return {
    MESH_LISTEN: LOOPBACK,
    ...(first === undefined ? {} : { PORT: String(ports.app[first.name]) }),
    ...(servicePorts.length > 1 ? Object.fromEntries(named) : {}),
  };
}

/**
 * `_ADDR` is what to dial. `_URL` exists where HTTP is spoken: with a listener of its own (or direct) it can be requested
 * as it stands; behind the shared proxy port it names the service, to be requested through MESH_PROXY; in mode 3 it is
 * the naming target, for clients that resolve it.
 */
function upstreamVariables(instance: PlannedInstance, upstream: PlannedUpstream): [string, string][] {
  const name = environmentName(upstream.name);
  const isHttp = upstream.protocol === 'http' || upstream.protocol === 'http2';
  const { address, url } = upstreamAddress(instance, upstream);
  return [[`${name}_ADDR`, address], ...(isHttp ? [[`${name}_URL`, url] satisfies [string, string]] : [])];
}

function upstreamAddress(instance: PlannedInstance, upstream: PlannedUpstream): { address: string; url: string } {
  switch (upstream.mode) {
    case 'proxy': {
      if (upstream.listener !== undefined) return sameUrl(`${LOOPBACK}:${upstream.listener}`);
      return { address: proxyAddress(instance), url: `http://${shortHost(instance, upstream)}:${upstream.port}` };
    }
    case 'direct':
      return { address: upstream.addresses.join(','), url: `http://${upstream.addresses[0]}` };
    case 'naming':
      return { address: `etcd:///${upstream.target}`, url: `etcd:///${upstream.target}` };
  }
}

const sameUrl = (address: string): { address: string; url: string } => ({ address, url: `http://${address}` });

/** As the user wrote it in `upstreams`: with the namespace when it is another one. */
function shortHost(instance: PlannedInstance, { service, namespace }: { service: string; namespace: string }): string {
  return namespace === instance.namespace ? service : `${service}.${namespace}`;
}

function proxyAddress({ ports }: PlannedInstance): string {
  return `${LOOPBACK}:${ports.proxy}`;
}

function store(instance: PlannedInstance, storeEndpoints: readonly string[]): Record<string, string> {
  const asksStore = instance.upstreams.some((upstream) => upstream.mode === 'naming');
  return asksStore ? { MESH_ETCD: storeEndpoints.join(',') } : {};
}

/** Both cases: curl and Python read the lower one only, Java tools and others the upper one. */
function httpProxy(instance: PlannedInstance, storeEndpoints: readonly string[]): Record<string, string> {
  if (!instance.httpProxy) return {};
  const direct = instance.upstreams.flatMap((upstream) => (upstream.mode === 'direct' ? upstream.addresses : []));
  const hosts = [...storeEndpoints, ...direct].map(hostOf);
  const noProxy = ['localhost', LOOPBACK, '::1', ...hosts.toSorted()];
  const proxy = `http://${proxyAddress(instance)}`;
  const both = { http_proxy: proxy, no_proxy: [...new Set(noProxy)].join(',') };
  return { ...both, HTTP_PROXY: both.http_proxy, NO_PROXY: both.no_proxy };
}

/** `10.0.0.1:2379` or `[fd00::1]:2379` without its port: what no_proxy compares with. */
function hostOf(address: string): string {
  return address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}
