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
  isMeasured,
  type ServiceLoad,
  type Tally,
  tallyFor,
  withCut,
} from './load-tally.js';

const WRITE_INTERVAL_MS = 1000;

export interface ReleaseFactsOptions {
  readonly registrar: Pick<Registrar, 'set' | 'remove'>;
  readonly keys: Keys;
  readonly clock: Clock;
  readonly pilot: string;
  /** Statistics name of an Envoy cluster, `<namespace>;<service>;<version>`; undefined for one that we do not know. */
  readonly statNameOf: (envoyCluster: string) => string | undefined;
  /** At which the release was written. */
  readonly storeRevisionOf: (release: Release) => bigint | undefined;
  /** `AdsServer.cutLoadWindow`. */
  readonly cut: (proxy: string, isCut: (envoyCluster: string) => boolean) => void;
}

export interface ReleaseFacts {
  releases(releases: ReadonlyMap<string, Release>): void;
  /** The proxy has what the store said at that revision: each transition of before it is measured there from now on. */
  acked(proxy: string, storeRevision: bigint): void;
  report(proxy: string, report: LoadReport): void;
  left(proxy: string): void;
  close(): Promise<void>;
}

export function collectReleaseFacts(options: ReleaseFactsOptions): ReleaseFacts {
  const { registrar, keys, clock, pilot } = options;
  const tallies = new Map<string, Tally>();
  const written = new Map<string, string>();
  let current: ReadonlyMap<string, Release> = new Map();

  const targetOf = (envoyCluster: string): Target | undefined => {
    const [namespace, service, version = ''] = options.statNameOf(envoyCluster)?.split(';') ?? [];
    if (namespace === undefined || service === undefined) return undefined;
    return { service: fullName(namespace, service), version };
  };

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
      if (isMeasured(release, now)) tallies.set(service, tallyFor(release, tallies.get(service)));
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
    acked(proxy, storeRevision) {
      const nowMs = clock.monotonic();
      const begun = new Set<string>();
      for (const [service, tally] of tallies) {
        const release = current.get(service);
        const at = release && options.storeRevisionOf(release);
        if (at === undefined || at > storeRevision || tally.cuts.has(proxy)) continue;
        tallies.set(service, withCut(tally, proxy, nowMs));
        begun.add(service);
      }
      // Other services keep their windows: their releases lose nothing.
      if (begun.size > 0) options.cut(proxy, (envoyCluster) => begun.has(targetOf(envoyCluster)?.service ?? ''));
    },
    report(proxy, report) {
      const nowMs = clock.monotonic();
      const loads = loadsByService(report, targetOf);
      refresh();
      for (const [service, tally] of tallies) {
        const release = current.get(service);
        const found = loads.get(service);
        if (release === undefined || found === undefined) continue;
        const window = { proxy, at: clock.now(), beganMs: nowMs - found.intervalMs, load: found.load };
        tallies.set(service, addWindow(tally, release, window));
      }
    },
    left(proxy) {
      for (const [service, tally] of tallies) tallies.set(service, forgetProxy(tally, proxy));
    },
    close: () => writer.close(),
  };
}

interface Target {
  /** Full name. */
  readonly service: string;
  /** As in statistics names; empty for plain traffic. */
  readonly version: string;
}

interface ReportedService {
  /** Of the cluster that is counted longest. */
  readonly intervalMs: number;
  readonly load: ServiceLoad;
}

function loadsByService(
  report: LoadReport,
  targetOf: (envoyCluster: string) => Target | undefined,
): ReadonlyMap<string, ReportedService> {
  const services = new Map<string, ReportedService>();
  for (const cluster of report) {
    const target = targetOf(cluster.cluster);
    if (target === undefined) continue;
    const { intervalMs, load } = services.get(target.service) ?? { intervalMs: 0, load: new Map() };
    const before = load.get(target.version) ?? { requests: 0, errors: 0 };
    const counts = { requests: before.requests + requestsOf(cluster), errors: before.errors + cluster.errors };
    services.set(target.service, {
      intervalMs: Math.max(intervalMs, cluster.intervalMs),
      load: new Map([...load, [target.version, counts]]),
    });
  }
  return services;
}

/** Those that were answered or failed, not those begun: a refused connection is no request that Envoy counts as begun. */
function requestsOf(load: ClusterLoad): number {
  return load.successes + load.errors;
}
