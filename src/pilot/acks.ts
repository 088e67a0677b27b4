/** What all proxies of this pilot have acknowledged, as `ack/<pilot>` under its lease. */
import { type AckStatus, MAX_LAGGARDS } from '../model/leased-values.js';
import type { Clock } from '../runtime/clock.js';
import { Latest } from '../runtime/latest.js';
import type { Registrar } from '../store/store.js';
import type { ProxyStatus } from '../xds/ads-host.js';

const WRITE_INTERVAL_MS = 100;

/**
 * Pure. `published` is the store revision of the newest snapshot; a change that alters nothing for a proxy is acknowledged at
 * once, because the server counts an unchanged view as acknowledged. A pilot without proxies has nobody to wait for.
 */
export function ackStatus(published: bigint, proxies: readonly Pick<ProxyStatus, 'id' | 'ackedRevision'>[]): AckStatus {
  const behind = proxies.filter((proxy) => proxy.ackedRevision < published);
  const lowest = behind.reduce((low, proxy) => (proxy.ackedRevision < low ? proxy.ackedRevision : low), published);
  return {
    storeRevision: String(lowest < 0n ? 0n : lowest),
    laggards: behind.slice(0, MAX_LAGGARDS).map((proxy) => proxy.id),
    behind: behind.length,
    proxies: proxies.length,
  };
}

export interface AckWriter {
  /** A proxy has acknowledged, come or left, or a new snapshot is out. */
  note(): void;
  close(): Promise<void>;
}

export function writeAcks(options: {
  readonly registrar: Pick<Registrar, 'set'>;
  readonly key: string;
  readonly clock: Clock;
  readonly read: () => AckStatus;
  readonly changed: (status: AckStatus) => void;
}): AckWriter {
  const { registrar, key, clock, read, changed } = options;
  let last = '';
  return new Latest(clock, WRITE_INTERVAL_MS, () => {
    const status = read();
    const value = JSON.stringify(status);
    if (value === last) return;
    last = value;
    registrar.set(key, value);
    changed(status);
  });
}
