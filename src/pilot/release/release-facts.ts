/** Envoy's load reports become facts in the store, `fact/<ns>/<service>/<pilot>`, while a release is measured. */

import { fullName } from '../../model/names.js';
import type { Release } from '../../model/release.js';
import type { Clock } from '../../runtime/clock.js';
import { Latest } from '../../runtime/latest.js';
import type { Keys } from '../../store/keys.js';
import type { Registrar } from '../../store/store.js';
import type { ClusterLoad, LoadReport } from '../../xds/ads-host.js';
import {
  addWindow,
  factOf,
  forgetProxy,
  isFlowing,
  isMeasured,
  type ServiceLoad,
  type Tally,
  tallyFor,
} from './load-tally.js';

const WRITE_INTERVAL_MS = 1000;

export interface ReleaseFactsOptions {
  readonly registrar: Pick<Registrar, 'set' | 'remove'>;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly pilot: string;
  /** Statistics name of an Envoy cluster, `<namespace>;<service>;<version>`; undefined for one that we do not know. */
  readonly statNameOf: (envoyCluster: string) => string | undefined;
}

export interface ReleaseFacts {
  releases(releases: ReadonlyMap<string, Release>): void;
  /** `isAcked` tells whether the proxy has acknowledged the transition of this release. */
  report(proxy: string, report: LoadReport, isAcked: (release: Release) => boolean): void;
  left(proxy: string): void;
  close(): Promise<void>;
}

export function collectReleaseFacts(options: ReleaseFactsOptions): ReleaseFacts {
  const { registrar, keys, clock, pilot } = options;
  const tallies = new Map<string, Tally>();
  const written = new Map<string, string>();
  /** Proxies by the services that they sent something to in their last window, of all services: releases begin unannounced. */
  const flows = new Map<string, ReadonlySet<string>>();
  let current: ReadonlyMap<string, Release> = new Map();

  const flowingTo = (service: string): ReadonlySet<string> =>
    new Set([...flows].flatMap(([proxy, services]) => (services.has(service) ? [proxy] : [])));

  const writer = new Latest(clock, WRITE_INTERVAL_MS, () => {
    for (const [service, tally] of tallies) {
      const release = current.get(service);
      if (release === undefined) continue;
      const key = keys.fact(release.namespace, release.service, pilot);
      const value = JSON.stringify(factOf(tally, release));
      if (written.get(service) === value) continue;
      written.set(service, value);
      registrar.set(key, value);
    }
    for (const service of [...written.keys()].filter((one) => !tallies.has(one))) {
      written.delete(service);
      const [namespace = '', name = ''] = service.split('/');
      // Tried until it is done or the registrar closes; nobody waits for a fact to go.
      void registrar.remove(keys.fact(namespace, name, pilot));
    }
  });

  const refresh = (): void => {
    const now = clock.now();
    for (const [service, release] of current) {
      if (isMeasured(release, now)) tallies.set(service, tallyFor(release, tallies.get(service), flowingTo(service)));
      else tallies.delete(service);
    }
    for (const service of [...tallies.keys()].filter((one) => !current.has(one))) tallies.delete(service);
    if (tallies.size + written.size > 0) writer.note();
  };

  return {
    releases(releases) {
      if (releases === current) return;
      current = releases;
      refresh();
    },
    report(proxy, report, isAcked) {
      const loads = loadsByService(report, options.statNameOf);
      refresh();
      for (const [service, tally] of tallies) {
        const release = current.get(service);
        if (release === undefined) continue;
        const load: ServiceLoad = loads.get(service) ?? new Map();
        const window = { proxy, at: clock.now(), isAcked: isAcked(release), load };
        tallies.set(service, addWindow(tally, release, window));
      }
      flows.set(proxy, new Set([...loads].flatMap(([service, load]) => (isFlowing(load) ? [service] : []))));
    },
    left(proxy) {
      flows.delete(proxy);
      for (const [service, tally] of tallies) tallies.set(service, forgetProxy(tally, proxy));
    },
    close: () => writer.close(),
  };
}

/** Requests that were answered or failed, not those begun: a refused connection is no request that Envoy counts as begun. */
function loadsByService(
  report: LoadReport,
  statNameOf: (envoyCluster: string) => string | undefined,
): ReadonlyMap<string, ServiceLoad> {
  const services = new Map<string, Map<string, { requests: number; errors: number }>>();
  for (const load of report) {
    const [namespace, service, version = ''] = statNameOf(load.cluster)?.split(';') ?? [];
    if (namespace === undefined || service === undefined) continue;
    const key = fullName(namespace, service);
    const versions = services.get(key) ?? new Map<string, { requests: number; errors: number }>();
    services.set(key, versions);
    const before = versions.get(version) ?? { requests: 0, errors: 0 };
    versions.set(version, { requests: before.requests + requestsOf(load), errors: before.errors + load.errors });
  }
  return services;
}

function requestsOf(load: ClusterLoad): number {
  return load.successes + load.errors;
}
