/** Where instances are, as seen by one caller: which come first, and what share a place gets (reference: 1.2, localityLbSetting). */
import type { TrafficPolicy } from '../../dsl/destination-rule-shape.js';
import type { Labels } from '../../model/labels.js';
import { isPlace, type Locality, type LocalityLb, placeLabels } from '../../model/locality-lb.js';
import type { ExternalEndpoint } from './external-endpoints.js';
import { remember } from './remember.js';

/** The endpoints of one place. */
export interface Place {
  readonly locality: Locality;
  readonly endpoints: readonly ExternalEndpoint[];
  /** Lower is earlier; without holes. */
  readonly priority: number;
  /** Share of the place among those of its priority, where shares are asked for. */
  readonly weight: number | undefined;
}

/** How one caller wants the places of a destination. */
export interface Preference {
  readonly setting: LocalityLb;
  readonly locality: Locality;
  /** Of the caller, where they are asked for. */
  readonly labels: Labels | undefined;
}

const nearest: LocalityLb = { enabled: true };

/**
 * Undefined when every place is alike. Whoever writes an outlier detection gets nearer places first, as in Istio. A setting needs
 * none: we always have one, so that a place that fails is left.
 */
export function preferenceOf(
  policy: TrafficPolicy | undefined,
  locality: Locality,
  labels: Labels,
): Preference | undefined {
  const written = policy?.loadBalancer?.localityLbSetting;
  const setting = written ?? (policy?.outlierDetection === undefined ? undefined : nearest);
  if (setting === undefined || !setting.enabled) return undefined;
  return preference(setting, locality, setting.failoverPriority === undefined ? undefined : labels);
}

/** The same for all callers of a place that have the same labels, as far as those are asked for. */
const preference = remember(
  (setting: LocalityLb, locality: Locality, labels: Labels | undefined): Preference => ({ setting, locality, labels }),
);

export function areSharesByPlace(policy: TrafficPolicy | undefined): boolean {
  const setting = policy?.loadBalancer?.localityLbSetting;
  return setting?.enabled === true && setting.distribute !== undefined;
}

/** `labelsAt`: what an endpoint is labelled with. */
export function asPreferred(
  places: readonly Place[],
  { setting, locality, labels }: Preference,
  labelsAt: (endpoint: ExternalEndpoint) => Labels,
): readonly Place[] {
  if (setting.distribute !== undefined) return distributed(places, setting.distribute, locality);
  const { failover = [], failoverPriority } = setting;
  if (failoverPriority === undefined) return compacted(places.map((place) => atDistance(place, locality, failover)));
  const own = { ...placeLabels(locality), ...labels };
  const split = places.flatMap((place) => byLabels(place, own, failoverPriority, labelsAt));
  return compacted(failover.length === 0 ? split : split.map((place) => atDistance(place, locality, failover)));
}

/** What no share names gets nothing. A caller of whose place nothing is said spreads as if nothing were said at all. */
function distributed(
  places: readonly Place[],
  all: NonNullable<LocalityLb['distribute']>,
  locality: Locality,
): readonly Place[] {
  const own = all.find(({ from }) => isPlace(from, locality));
  if (own === undefined) return places.map((place) => ({ ...place, weight: sizeOf(place) }));
  return Object.entries(own.to).flatMap(([pattern, share]) => {
    const taken = places.filter((place) => isPlace(pattern, place.locality));
    const total = taken.reduce((sum, place) => sum + sizeOf(place), 0);
    return taken.map((place) => ({ ...place, weight: Math.ceil((sizeOf(place) * share) / total) }));
  });
}

function sizeOf({ endpoints }: Place): number {
  return endpoints.reduce((sum, { weight }) => sum + Math.max(1, weight ?? 1), 0);
}

const DISTANCES = 5;

/** Same sub zone, zone, region; then other regions, after the one that `failover` names. */
function atDistance(place: Place, own: Locality, failover: NonNullable<LocalityLb['failover']>): Place {
  return { ...place, priority: place.priority * DISTANCES + distance(place.locality, own, failover) };
}

function distance(there: Locality, own: Locality, failover: NonNullable<LocalityLb['failover']>): number {
  if (there.region === own.region) {
    if (there.zone !== own.zone) return 2;
    return there.subZone === own.subZone ? 0 : 1;
  }
  const next = failover.find(({ from }) => from === own.region);
  return next === undefined || next.to === there.region ? 3 : 4;
}

/** Those that agree in all labels first; the more important the label that differs, the later. */
function byLabels(
  place: Place,
  own: Labels,
  labels: readonly string[],
  labelsAt: (endpoint: ExternalEndpoint) => Labels,
): readonly Place[] {
  const wanted = labels.map((text): readonly [string, string | undefined] => {
    const [label = '', value] = text.split('=');
    return [label, value ?? own[label]];
  });
  const groups = new Map<number, ExternalEndpoint[]>();
  for (const endpoint of place.endpoints) {
    const has: Labels = { ...placeLabels(place.locality), ...labelsAt(endpoint) };
    const priority = disagreement(wanted, has);
    groups.set(priority, [...(groups.get(priority) ?? []), endpoint]);
  }
  return [...groups].toSorted(([a], [b]) => a - b).map(([priority, endpoints]) => ({ ...place, endpoints, priority }));
}

const NETWORK = 'topology.istio.io/network';

/** A label counts only while those before it agree. A network that differs lets the others go on counting, as in Istio. */
function disagreement(wanted: readonly (readonly [string, string | undefined])[], has: Labels): number {
  let rank = 0;
  for (const [i, [label, value]] of wanted.entries()) {
    if (has[label] === value) continue;
    rank += 2 ** (wanted.length - 1 - i);
    if (label !== NETWORK) break;
  }
  return rank;
}

/** Envoy wants priorities without holes. */
function compacted(places: readonly Place[]): readonly Place[] {
  const order = [...new Set(places.map(({ priority }) => priority))].toSorted((a, b) => a - b);
  return places.map((place) => ({ ...place, priority: order.indexOf(place.priority) }));
}
