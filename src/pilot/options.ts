import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import type { Store } from '../store/store.js';
import type { TransportName } from '../xds/ads-server.js';

export interface PilotOptions {
  /** Stays the caller's: the pilot does not close it. */
  readonly store: Store;
  /** `host:port` of the HTTP API, port 0 for a free one. */
  readonly http: string;
  /** `host:port` of xDS. */
  readonly xds: string;
  /** What speaks gRPC on it. Default http2. */
  readonly xdsTransport?: TransportName | undefined;
  /** Host that others reach this pilot at. Default: the hosts of `http` and `xds`; needed where those are wildcards. */
  readonly advertise?: string;
  /** CIDRs from which plain text is accepted; needed to listen off loopback. */
  readonly trustedNetworks?: readonly string[];
  /** Unique among the live pilots. */
  readonly id: string;
  /** Of lightmesh. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Pilot {
  readonly id: string;
  /** Bound addresses, `host:port`. */
  readonly httpAddress: string;
  readonly xdsAddress: string;
  /** Resolves when `/readyz` says so; proxies are served from then on. */
  readonly whenReady: Promise<void>;
  /** Leaves the store, ends the streams with UNAVAILABLE so that proxies go to another replica, stops listening. */
  close(): Promise<void>;
}
