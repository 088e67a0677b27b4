/** Which servers of which Gateways an edge instance has, and the VirtualServices that they serve. Definitions only: no release. */
import { isExportedTo } from '../../dsl/fields.js';
import { holdsAt } from '../../dsl/gateway-name.js';
import {
  type GatewayServer,
  type GatewaySpec,
  natureOf,
  type ServerNature,
  serverHost,
} from '../../dsl/gateway-shape.js';
import { isWildcard, isWithinHost, serviceOfHost } from '../../dsl/host.js';
import type { Definition } from '../../model/definition.js';
import { selects } from '../../model/labels.js';
import { fullName, serviceHost } from '../../model/names.js';
import type { RoutedBy } from './mesh-index.js';
import type { Rules } from './policy.js';
import type { TranslationProblem } from './resources.js';
import type { Caller } from './rules.js';

/** A VirtualService as far as a server serves it: one host, in lower case. */
export interface ServedHost {
  readonly host: string;
  readonly routed: RoutedBy;
}

export interface EdgeServer {
  /** `<ns>/<name>` of its Gateway. */
  readonly gateway: string;
  readonly server: GatewayServer;
  readonly nature: ServerNature;
  /** In lower case, without namespaces. */
  readonly hosts: readonly string[];
  readonly served: readonly ServedHost[];
}

/** One listener: servers that share an address and a port, and can. */
export interface EdgePort {
  readonly port: number;
  readonly bind: string | undefined;
  readonly family: Family;
  readonly servers: readonly EdgeServer[];
}

/** What a listener can tell apart: requests by host, TLS by server name, and nothing else. */
export type Family = 'http' | 'tls' | 'tcp';

export interface EdgePorts {
  readonly ports: readonly EdgePort[];
  readonly problems: readonly TranslationProblem[];
}

/** A host of a server with its rules as they are now: with releases in them, and without what is not for this gateway. */
export interface SettledHost {
  readonly host: string;
  readonly rules: Rules;
}

export interface SettledServer extends EdgeServer {
  readonly settled: readonly SettledHost[];
}

export interface SettledPort {
  readonly port: EdgePort;
  readonly servers: readonly SettledServer[];
  readonly rules: Rules;
}

export function edgePorts(
  caller: Omit<Caller, 'gateway'>,
  ownPorts: readonly number[],
  gateways: readonly Definition<GatewaySpec>[],
  virtualServices: readonly RoutedBy[],
  domain: string,
): EdgePorts {
  const ports = new Map<string, { port: number; bind: string | undefined; family: Family; servers: EdgeServer[] }>();
  const problems: TranslationProblem[] = [];
  for (const gateway of gateways.filter(({ spec }) => selects(spec.selector, caller.labels))) {
    for (const server of gateway.spec.servers) {
      const { number } = server.port;
      if (!ownPorts.includes(number)) continue; // told where it was applied
      const nature = natureOf(server);
      const key = `${server.bind ?? ''} ${number}`;
      const port = ports.get(key) ?? { port: number, bind: server.bind, family: familyOf(nature), servers: [] };
      ports.set(key, port);
      if (port.family === familyOf(nature)) {
        port.servers.push(edgeServer(gateway, server, nature, virtualServices, caller.namespace, domain));
        continue;
      }
      const first = port.servers[0];
      const message = `server "${server.port.name}" is left out: port ${number} speaks ${first?.server.port.protocol} already, by Gateway ${first?.gateway}`;
      problems.push({ kind: 'Gateway', namespace: gateway.namespace as string, name: gateway.name, message });
    }
  }
  return { ports: [...ports.values()], problems };
}

function familyOf(nature: ServerNature): Family {
  return nature === 'http' || nature === 'tcp' ? nature : 'tls';
}

function edgeServer(
  gateway: Definition<GatewaySpec>,
  server: GatewayServer,
  nature: ServerNature,
  virtualServices: readonly RoutedBy[],
  callerNamespace: string,
  domain: string,
): EdgeServer {
  const key = fullName(gateway.namespace as string, gateway.name);
  const hosts = server.hosts.map((text) => serverHost(text.toLowerCase(), gateway.namespace as string));
  const served = virtualServices
    .filter(
      ({ definition: { spec, namespace = '' } }) =>
        holdsAt(spec.gateways, namespace, key) && isExportedTo(spec.exportTo, namespace, callerNamespace),
    )
    .flatMap((routed) => {
      const { spec, namespace = '' } = routed.definition;
      const own = hosts.filter((host) => host.namespace === undefined || host.namespace === namespace);
      const common = spec.hosts.flatMap((host) =>
        own.flatMap(({ host: at }) => overlap(fullHost(host, namespace, domain), at)),
      );
      return [...new Set(common)].map((host) => ({ host, routed }));
    });
  return { gateway: key, server, nature, hosts: [...new Set(hosts.map(({ host }) => host))], served };
}

/** The names that both stand for, as one name; none when they have nothing in common. */
export function overlap(a: string, b: string): readonly string[] {
  if (isWithinHost(a, b)) return [a];
  return isWithinHost(b, a) ? [b] : [];
}

/** A short name is a service of the mesh; everything else is what clients of the edge type. */
function fullHost(host: string, namespace: string, domain: string): string {
  const lower = host.toLowerCase();
  if (isWildcard(lower) || lower.includes('.')) return lower;
  const named = serviceOfHost(lower, namespace, domain);
  return named === undefined ? lower : serviceHost(named.namespace, named.service, domain);
}
