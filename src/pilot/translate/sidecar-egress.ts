/** What the listeners lead to that a Sidecar opens for calls of the app. */
import { isRequestPort, type SidecarEgress } from '../../dsl/sidecar-shape.js';
import type { ListenerJson, VirtualHostJson } from '../../xds/envoy-json.js';
import type { Callee } from './envoy-clusters.js';
import type { HostPort } from './mesh-index.js';
import type { Named } from './outbound.js';
import type { TranslationProblem } from './resources.js';
import { atItsPort } from './routes.js';
import { type Caller, rulesFor } from './rules.js';
import { egressName, egressTcp, isProxy, ownEgress, portsAt } from './sidecar-listeners.js';
import { lets, type Sidecar } from './sidecar-scope.js';
import { connectDestinations, passedOn, streamsOfHost } from './streams.js';

export interface EgressScene {
  readonly sidecar: Sidecar | undefined;
  readonly named: ReadonlyMap<string, Named>;
  readonly reachable: ReadonlyMap<string, Callee>;
}

/** The virtual hosts of each listener for requests, by its name. */
export function egressOfRequests(
  caller: Caller,
  { sidecar, named }: EgressScene,
  hostOf: (host: Named, port: HostPort) => VirtualHostJson,
): readonly { readonly name: string; readonly hosts: readonly VirtualHostJson[] }[] {
  const listeners = sidecar === undefined ? [] : ownEgress(sidecar);
  return listeners
    .filter(({ port }) => isRequestPort(port?.protocol))
    .map((egress) => {
      const isAtPort = egress.port?.number !== 0 && !isProxy(egress.port?.protocol);
      const hosts = [...named.values()]
        .filter(({ entry }) => lets(egress, entry, caller))
        .flatMap((host) => portsAt(egress, host.entry).map((port) => ({ port, json: hostOf(host, port) })));
      return {
        name: egressName(egress),
        hosts: hosts.map(({ port, json }) => (isAtPort ? atItsPort(json, port.port) : json)),
      };
    });
}

/** A listener for bytes has one host, or several that TLS tells apart; more than that nobody could tell apart. */
export function egressOfBytes(
  caller: Caller,
  { sidecar, named, reachable }: EgressScene,
): { readonly listeners: readonly ListenerJson[]; readonly problems: readonly TranslationProblem[] } {
  const listeners: ListenerJson[] = [];
  const problems: TranslationProblem[] = [];
  if (sidecar === undefined) return { listeners, problems };
  for (const egress of ownEgress(sidecar)) {
    if (isRequestPort(egress.port?.protocol)) continue;
    const isTold = /^(TLS|HTTPS)$/i.test(egress.port?.protocol ?? '');
    const hosts = [...named.values()]
      .filter(({ entry }) => lets(egress, entry, caller))
      .flatMap(({ entry, rules }) =>
        portsAt(egress, entry)
          .slice(0, 1)
          .map(({ port }) => ({ entry, rules: rulesFor(rules, caller, port), place: { targets: reachable, port } })),
      );
    const [first] = hosts;
    const streams =
      hosts.length > 1 && isTold
        ? hosts.map(({ entry, rules, place }) => {
            const destinations = connectDestinations(entry, rules);
            return passedOn({ serverNames: [entry.host], subnets: [], destinations }, place);
          })
        : first && streamsOfHost(first.entry, first.rules).map((stream) => passedOn(stream, first.place));
    if (streams !== undefined) listeners.push(egressTcp(egress, streams));
    const message = egressProblem(
      egress,
      hosts.map(({ entry }) => entry.host),
      isTold,
    );
    if (message !== undefined) {
      const { kind, namespace = '', name } = sidecar;
      problems.push({ kind, namespace, name, message });
    }
  }
  return { listeners, problems };
}

function egressProblem(egress: SidecarEgress, hosts: readonly string[], isTold: boolean): string | undefined {
  const [first, ...others] = hosts;
  const where = egressName(egress).split('|').slice(1).join(':');
  if (first === undefined)
    return `none of ${egress.hosts.join(', ')} has the port of the listener at ${where}, which stays closed`;
  if (others.length === 0 || isTold) return undefined;
  return `at ${where} nothing tells ${hosts.length} hosts apart: all connections go to ${first}; write one host, or protocol TLS`;
}
