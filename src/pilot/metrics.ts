/** What the pilot tells Prometheus. No label has unbounded values. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { AckStatus } from '../model/leased-values.js';
import { isActive, type Release } from '../model/release.js';
import type { Clock } from '../runtime/clock.js';
import type { XdsMetrics } from '../xds/ads-host.js';
import type { GuardCounts } from './eviction/counts.js';
import { type EvictedBy, evictedBy } from './eviction/steps.js';

const MS = 1000;
/** Revisions that wait to be acknowledged; more than that and the oldest are no longer measured. */
const MAX_PENDING = 200;
const CONVERGENCE_BUCKETS_S = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export interface PilotMetrics {
  readonly xds: XdsMetrics;
  proxies(count: number): void;
  /** A change of the store has come in. */
  changed(storeRevision: bigint): void;
  acknowledged(status: AckStatus): void;
  releases(releases: ReadonlyMap<string, Release>): void;
  /** What is missing and frozen, as the store shows it. */
  guard(counts: GuardCounts): void;
  evicted(by: EvictedBy): void;
  leads(isLeader: boolean): void;
  /** Definitions that are not in effect because Envoy refuses them. */
  refused(definitions: number): void;
  /** Of the mirror: false while it is the last good copy. */
  synced(isSynced: boolean): void;
  text(): Promise<string>;
}

/** The library's own 10 ms wake an idle process a hundred times a second. */
const LAG_SAMPLING_MS = 100;

export function createMetrics(clock: Clock): PilotMetrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_SAMPLING_MS });
  const proxies = new Gauge({ name: 'mesh_xds_connected_proxies', help: 'Proxies connected to this pilot', registers });
  const pushes = new Counter({
    name: 'mesh_xds_pushes_total',
    help: 'Responses by type and by what the proxy said to them',
    labelNames: ['type', 'result'],
    registers,
  });
  const nacks = new Counter({
    name: 'mesh_xds_nacks_total',
    help: 'Responses that a proxy refused',
    labelNames: ['type'],
    registers,
  });
  const refusedGauge = new Gauge({
    name: 'mesh_refused_definitions',
    help: 'Definitions that are not in effect as they stand, because a proxy refused what came of them',
    registers,
  });
  const bytes = new Counter({
    name: 'mesh_xds_pushed_bytes_total',
    help: 'Bytes of responses by type',
    labelNames: ['type'],
    registers,
  });
  const streams = new Counter({
    name: 'mesh_xds_streams_ended_total',
    help: 'Streams that ended, by reason',
    labelNames: ['reason'],
    registers,
  });
  const revision = new Gauge({
    name: 'mesh_store_revision',
    help: 'Revision of the store that is known here',
    registers,
  });
  const syncedGauge = new Gauge({
    name: 'mesh_store_synced',
    help: '1 while the copy of the store follows it',
    registers,
  });
  const convergence = new Histogram({
    name: 'mesh_config_convergence_seconds',
    help: 'From the arrival of a change to its acknowledgement by every proxy of this pilot',
    buckets: CONVERGENCE_BUCKETS_S,
    registers,
  });
  const weights = new Gauge({
    name: 'mesh_gray_weight',
    help: 'Percent of plain traffic for the gray version of an active release',
    labelNames: ['namespace', 'service', 'version'],
    registers,
  });
  const suspects = new Gauge({
    name: 'mesh_suspects',
    help: 'Instances that are missing from the registry and not removed yet',
    registers,
  });
  const frozen = new Gauge({
    name: 'mesh_frozen',
    help: 'Of scope mesh: 1 while nobody is removed; of scope service: how many services are so',
    labelNames: ['scope'],
    registers,
  });
  const evictions = new Counter({
    name: 'mesh_evictions_total',
    help: 'Instances that this pilot has removed, by what decided it',
    labelNames: ['by'],
    registers,
  });
  for (const by of evictedBy) evictions.inc({ by }, 0);
  const leader = new Gauge({ name: 'mesh_leader', help: '1 while this pilot leads the pilots', registers });
  const pending = new Map<bigint, number>();

  return {
    xds: {
      pushed(type, size) {
        pushes.inc({ type, result: 'sent' });
        bytes.inc({ type }, size);
      },
      acknowledged: (type) => pushes.inc({ type, result: 'ack' }),
      rejected(type) {
        pushes.inc({ type, result: 'nack' });
        nacks.inc({ type });
      },
      connected() {},
      disconnected: (_kind, reason) => streams.inc({ reason }),
    },
    proxies: (count) => proxies.set(count),
    changed(storeRevision) {
      revision.set(Number(storeRevision));
      pending.set(storeRevision, clock.monotonic());
      const [oldest] = pending.keys();
      if (pending.size > MAX_PENDING && oldest !== undefined) pending.delete(oldest);
    },
    acknowledged(status) {
      const acked = BigInt(status.storeRevision);
      for (const [storeRevision, since] of pending) {
        if (storeRevision > acked) continue;
        convergence.observe((clock.monotonic() - since) / MS);
        pending.delete(storeRevision);
      }
    },
    releases(releases) {
      weights.reset();
      for (const release of releases.values()) {
        if (!isActive(release)) continue;
        const { namespace, service, gray, weight } = release;
        weights.set({ namespace, service, version: gray }, weight);
      }
    },
    guard(counts) {
      suspects.set(counts.suspects);
      frozen.set({ scope: 'mesh' }, counts.isMeshFrozen ? 1 : 0);
      frozen.set({ scope: 'service' }, counts.frozenServices);
    },
    evicted: (by) => evictions.inc({ by }),
    refused: (definitions) => refusedGauge.set(definitions),
    leads: (isLeader) => leader.set(isLeader ? 1 : 0),
    synced: (isSynced) => syncedGauge.set(isSynced ? 1 : 0),
    text: () => registry.metrics(),
  };
}
