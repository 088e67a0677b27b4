/** What `gray status` shows: the release, and what all pilots have measured and acknowledged. Pure. */
import type { GrayStatus, VersionCounts } from '../../model/api.js';
import type { AckStatus, LoadFact } from '../../model/leased-values.js';
import type { Release } from '../../model/release.js';

export interface GrayEvidence {
  /** Of all pilots, for this service. */
  readonly facts: readonly LoadFact[];
  /** Of all live pilots. */
  readonly acks: readonly AckStatus[];
  /** At which the release was written last. */
  readonly storeRevision: bigint;
}

export function grayStatus(release: Release, evidence: GrayEvidence): GrayStatus {
  // A fact of an earlier revision tells of another weight: its pilot has not seen the transition yet.
  const facts = evidence.facts.filter((fact) => fact.revision === release.revision);
  const stableCounts = sumOf(facts, release.stable);
  const grayCounts = sumOf(facts, release.gray);
  const requests = stableCounts.requests + grayCounts.requests;
  const last = evidence.facts.flatMap((fact) => fact.lastGrayAt ?? []).filter((at) => at >= release.startedAt);
  return {
    service: release.service,
    namespace: release.namespace,
    stable: release.stable,
    gray: release.gray,
    phase: release.phase,
    step: release.steps.filter((step) => step <= release.weight).length,
    steps: release.steps,
    weight: release.weight,
    share: requests === 0 ? null : (grayCounts.requests / requests) * 100,
    matches: release.matches,
    reason: release.reason,
    startedAt: release.startedAt,
    since: release.since,
    revision: release.revision,
    stableCounts,
    grayCounts,
    lastGrayAt: last.length === 0 ? null : Math.max(...last),
    proxies: acknowledged(evidence),
    history: release.history,
  };
}

function acknowledged({ acks, storeRevision }: GrayEvidence): GrayStatus['proxies'] {
  let acked = 0;
  let total = 0;
  for (const ack of acks) {
    total += ack.proxies;
    acked += BigInt(ack.storeRevision) >= storeRevision ? ack.proxies : ack.proxies - ack.behind;
  }
  return { acked, total };
}

function sumOf(facts: readonly LoadFact[], version: string): VersionCounts {
  let requests = 0;
  let errors = 0;
  for (const fact of facts) {
    requests += fact.versions[version]?.requests ?? 0;
    errors += fact.versions[version]?.errors ?? 0;
  }
  return { requests, errors };
}
