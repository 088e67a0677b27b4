/** Istio's order and shares of places as data, 40 cases: what a caller is told of a destination's endpoints. */
import { describe, expect, it } from 'vitest';
import type { TrafficPolicy } from '../../../src/dsl/destination-rule-shape.js';
import { localityLbSchema } from '../../../src/model/locality-lb.js';
import { byKey } from '../../../src/model/order.js';
import { loadAssignment } from '../../../src/pilot/translate/endpoints.js';
import type { ExternalEndpoint } from '../../../src/pilot/translate/external-endpoints.js';
import { localityAt } from '../../../src/pilot/translate/index.js';
import { preferenceOf } from '../../../src/pilot/translate/locality.js';
import type { HostFacts } from '../../../src/pilot/translate/service-facts.js';
import type { ClusterLoadAssignmentJson } from '../../../src/xds/envoy-json.js';
import { goldenCases, type Json, unseenMutants } from '../../support/golden.js';

interface GoldenPlace {
  readonly locality?: { readonly region?: string; readonly zone?: string; readonly subZone?: string };
  readonly lbEndpoints?: readonly {
    readonly endpoint?: { readonly address?: { readonly socketAddress?: { address: string; portValue: number } } };
    readonly loadBalancingWeight?: number;
    readonly healthStatus?: string;
  }[];
  readonly loadBalancingWeight?: number;
  readonly priority?: number;
}

interface GoldenCase {
  readonly before: { readonly clusterName?: string; readonly endpoints?: readonly GoldenPlace[] };
  readonly after: { readonly clusterName?: string; readonly endpoints?: readonly GoldenPlace[] };
  readonly endpointLabels: readonly (readonly {
    addresses: readonly string[];
    labels: Record<string, string> | null;
  }[])[];
  readonly outlierDetection: boolean;
  readonly proxyLabels: Readonly<Record<string, string>> | null;
  readonly proxyLocality: GoldenPlace['locality'] | null;
  readonly setting: object | null;
}

const cases = goldenCases<GoldenCase>('locality-lb.jsonl');

const isByLabels = ({ setting }: GoldenCase): boolean => setting !== null && 'failoverPriority' in setting;

/** Where these cases say labels they say no places before, and where they say places they may say no endpoints: one stands in. */
function endpointsOf(one: GoldenCase): readonly ExternalEndpoint[] {
  if (isByLabels(one)) {
    return one.endpointLabels.flat().map(({ addresses: [address = ''], labels }) => {
      const place = (one.after.endpoints ?? []).find((candidate) => addressesOf(candidate).includes(address));
      return endpointAt(place?.locality, address, portsOf(place)[0] ?? 0, labels ?? {}, 1);
    });
  }
  return (one.before.endpoints ?? []).flatMap((place, i) =>
    place.lbEndpoints === undefined
      ? [endpointAt(place.locality, standIn(i), 1, {}, 1)]
      : place.lbEndpoints.map(({ endpoint, loadBalancingWeight = 1 }) => {
          const { address = '', portValue = 0 } = endpoint?.address?.socketAddress ?? {};
          return endpointAt(place.locality, address, portValue, {}, loadBalancingWeight);
        }),
  );
}

const standIn = (i: number): string => `10.0.0.${i + 1}`;

function addressesOf({ lbEndpoints = [] }: GoldenPlace): readonly string[] {
  return lbEndpoints.map(({ endpoint }) => endpoint?.address?.socketAddress?.address ?? '');
}

function portsOf(place: GoldenPlace | undefined): readonly number[] {
  return (place?.lbEndpoints ?? []).map(({ endpoint }) => endpoint?.address?.socketAddress?.portValue ?? 0);
}

function endpointAt(
  { region = '', zone = '', subZone = '' }: NonNullable<GoldenPlace['locality']> = {},
  address: string,
  port: number,
  labels: Record<string, string>,
  weight: number,
): ExternalEndpoint {
  return {
    namespace: '',
    service: '',
    version: '',
    portName: '',
    health: 'HEALTHY',
    instance: '',
    node: '',
    address,
    port,
    labels,
    weight,
    region,
    zone,
    subZone,
  };
}

function ourAssignment(one: GoldenCase): ClusterLoadAssignmentJson {
  const [, port = '', subset = '', host = ''] = one.before.clusterName?.split('|') ?? [];
  const identity = { namespace: 'default', name: host, key: `default/${host}.`, host };
  const facts = { entry: { ...identity, identity }, stable: undefined, versions: [] } as unknown as HostFacts;
  const policy: TrafficPolicy = {
    ...(one.outlierDetection ? { outlierDetection: {} } : {}),
    // None in a case is a mesh without any.
    loadBalancer: { localityLbSetting: localityLbSchema.parse(one.setting ?? { enabled: false }) },
  };
  const { region = '', zone = '', subZone = '' } = one.proxyLocality ?? {};
  return loadAssignment(
    facts,
    { name: 'any', port: Number(port), protocol: 'http' },
    { subset, by: { kind: 'plain' }, policy, subsetPolicy: undefined, version: '' },
    endpointsOf(one),
    preferenceOf(policy, localityAt(region, zone, subZone), one.proxyLabels ?? {}),
  );
}

/**
 * Places by name and priority. Without
 * - shares where none are asked for: Envoy reads them only with locality weights, which Istio's other clusters do not have;
 * - what Istio leaves empty: a place without endpoints; and names of clusters that are only made up;
 * - what only one side has: workloads in metadata, second addresses of an endpoint.
 */
function normal(assignment: { clusterName?: string; endpoints?: readonly object[] }, one: GoldenCase): object {
  const isShared = one.setting !== null && 'distribute' in one.setting;
  const places = new Map<string, { weight: number; endpoints: Json[] }>();
  for (const place of (assignment.endpoints ?? []) as readonly GoldenPlace[]) {
    const { region = '', zone = '', subZone = '' } = place.locality ?? {};
    const key = `${region}/${zone}/${subZone}@${place.priority ?? 0}`;
    const found = places.get(key) ?? { weight: 0, endpoints: [] };
    places.set(key, found);
    if (isShared) found.weight += place.loadBalancingWeight ?? Number.NaN;
    for (const { endpoint, loadBalancingWeight, healthStatus } of place.lbEndpoints ?? [])
      found.endpoints.push({ ...endpoint?.address?.socketAddress, loadBalancingWeight, healthStatus });
  }
  const sorted = [...places]
    .filter(([, { endpoints }]) => endpoints.length > 0)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return {
    ...(one.before.clusterName?.startsWith('outbound|') === true ? { clusterName: assignment.clusterName } : {}),
    places: sorted.map(([key, { weight, endpoints }]) => ({
      key,
      weight,
      endpoints: endpoints.map((endpoint) => JSON.stringify(Object.entries(endpoint).toSorted(byKey))).toSorted(),
    })),
  };
}

/** With the endpoints that stand in, but for places that Istio has emptied; and with what Istio leaves to Envoy's defaults. */
function theirs(one: GoldenCase): object {
  const isShared = one.setting !== null && 'distribute' in one.setting;
  const endpoints = (one.after.endpoints ?? []).map((place, i): GoldenPlace => {
    const isEmptied = isShared && place.loadBalancingWeight === undefined;
    const standsIn = { endpoint: { address: { socketAddress: { address: standIn(i), portValue: 1 } } } };
    const members = place.lbEndpoints ?? (isEmptied ? [] : [standsIn]);
    return {
      ...place,
      lbEndpoints: members.map((one) => ({ loadBalancingWeight: 1, healthStatus: 'HEALTHY', ...one })),
    };
  });
  return normal({ ...one.after, endpoints }, one);
}

describe("Istio's order and shares of places", () => {
  it('are there with 40 cases', () => {
    expect(cases).toHaveLength(40);
  });

  it.each(cases.map((one, i) => [i + 1, one] as const))('case %i', (_line, one) => {
    expect(normal(ourAssignment(one), one)).toEqual(theirs(one));
  });

  it('would be seen to differ in nearly every field: each one changed, and taken away', () => {
    const ours = cases.map((one, i) => [String(i), ourAssignment(one)] as const);
    const { mutants, unseen } = unseenMutants(ours, (assignment, i) =>
      normal(assignment, cases[Number(i)] as GoldenCase),
    );
    expect(mutants).toBeGreaterThan(500);
    expect(unseen.length / mutants, unseen.slice(0, 40).join('\n')).toBeLessThan(0.05);
  });
});
