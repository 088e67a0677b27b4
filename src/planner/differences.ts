/** Why an instance must be replaced, for people: `image a:1 -> a:2`, `environment LOG_LEVEL info -> debug`. */
import type { NodePlace, PlannedUpstream } from '../model/node-plan.js';
import type { Desired, DesiredUpstream } from './desired.js';

type Content = Omit<Desired, 'digest' | 'replace' | 'upstreams'> & {
  readonly upstreams: readonly (DesiredUpstream | PlannedUpstream)[];
};

export interface Side {
  readonly place: NodePlace;
  readonly content: Content;
}

const MAX_SHOWN = 60;
/** Values that must not end up in a terminal's scroll-back or a ticket. */
const CONFIDENTIAL = /pass|secret|token|key|credential/i;

export function differences(before: Side, after: Side): string[] {
  const [old, now] = [facts(before), facts(after)];
  const names = [...new Set([...old.keys(), ...now.keys()])];
  const found = names.filter((name) => old.get(name) !== now.get(name));
  if (found.length === 0) return ['a proxyPort, or how this version of lightmesh renders'];
  return found.map((name) => difference(name, old.get(name), now.get(name)));
}

function difference(name: string, old: string | undefined, now: string | undefined): string {
  if (old === undefined) return `${name} added`;
  if (now === undefined) return `${name} removed`;
  const change = `${name} ${old} -> ${now}`;
  return CONFIDENTIAL.test(name) || change.length > 2 * MAX_SHOWN ? `${name} changed` : change;
}

/** Everything that the digest covers, one line per thing that a user could have changed. */
function facts({ place, content }: Side): Map<string, string> {
  const { image, environment = {}, labels = {}, ...container } = content.container ?? {};
  const { environment: sidecarEnvironment = {}, ...sidecar } = content.sidecar;
  return new Map([
    ['version', content.version],
    ...(image === undefined ? [] : ([['image', image]] as const)),
    ...entries('environment ', environment),
    ...entries('', container),
    ...entries('container label ', labels),
    ...content.servicePorts.map((p) => [`port ${p.name}`, `${p.port}/${p.protocol}`] as const),
    ...entries('health ', content.health),
    ...content.upstreams.map((upstream) => [`upstream ${upstream.name}`, upstreamText(upstream)] as const),
    ...entries('', { certificates: content.certificates }),
    ['httpProxy', String(content.httpProxy)],
    // `version` is a line of its own, `app` cannot change.
    ...entries('label ', content.labels).filter(([name]) => name !== 'label version'),
    ...entries('sidecar ', sidecar),
    ...entries('sidecar environment ', sidecarEnvironment),
    ...entries('node ', { address: place.address, cluster: place.cluster, region: place.region, zone: place.zone }),
  ]);
}

function entries(prefix: string, values: object): [string, string][] {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => [`${prefix}${key}`, typeof value === 'object' ? JSON.stringify(value) : String(value)]);
}

function upstreamText(upstream: DesiredUpstream | PlannedUpstream): string {
  switch (upstream.mode) {
    case 'proxy': {
      const where = upstream.listener === undefined ? 'the proxy port' : 'a port of its own';
      return `${upstream.service}.${upstream.namespace}:${upstream.port}/${upstream.protocol} through ${where}`;
    }
    case 'direct':
      return `${upstream.addresses.join(',')}/${upstream.protocol} direct`;
    case 'naming':
      return `etcd:///${upstream.target}/${upstream.protocol}`;
  }
}
