/** What the server wants from whoever uses it, and what it tells them. */
import type { View } from './resource-cache.js';
import type { ResourceShort } from './resource-types.js';

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** Envoy's `node`, as a stream introduces itself in its first message. */
export interface ProxyNode {
  readonly id: string;
  readonly cluster: string;
  /** JSON, as the bootstrap has it in `node.metadata`. */
  readonly metadata: unknown;
  readonly locality: Locality;
  /** For example `1.40.0/RELEASE`; empty when the proxy does not say. */
  readonly buildVersion: string;
  /** Remote address, `ip:port`. */
  readonly peer: string;
}

/** Requests of one interval, per Envoy cluster. All counts are deltas of the interval. */
export interface ClusterLoad {
  readonly cluster: string;
  /** EDS service name, empty when it is the cluster's own name. */
  readonly service: string;
  readonly intervalMs: number;
  readonly successes: number;
  /** Attempts that failed: 5xx, resets, connect failures. Retried ones count each time. */
  readonly errors: number;
  /** Requests begun in the interval; a refused connection does not count here, so judge by successes + errors. */
  readonly issued: number;
  readonly inProgress: number;
  readonly dropped: number;
}

export type LoadReport = readonly ClusterLoad[];

/** A response that the proxy refused. In delta each NACK is narrowed down, so `resources` is normally one. */
export interface Rejection {
  readonly type: ResourceShort;
  readonly error: string;
  readonly resources: readonly { readonly name: string; readonly digest: string }[];
}

export interface ProxyHandle {
  /** Cheap: called after each `changed()` for this proxy, and when the proxy asks for something. Keep unchanged maps identical. */
  view(): View;
  /** The proxy has everything of this view. Not called again for the same one, nor for a proxy with a stream per type. */
  settled?(view: View): void;
  closed(): void;
}

export interface AdsHost {
  /**
   * Called once per stream with its first node. May wait until the host has something to serve; the signal aborts when the
   * stream ends first. A MeshError that is not retryable ends the stream with PERMISSION_DENIED, anything else with UNAVAILABLE.
   * `hasEarlier` tells whether the proxy has anything from an earlier stream. Ask late: its types speak one after the other.
   */
  connect(node: ProxyNode, signal: AbortSignal, hasEarlier: () => boolean): Promise<ProxyHandle>;
  /** The proxy refused what it was sent; called before anything else is sent to it. */
  rejected?(node: ProxyNode, rejection: Rejection): void;
  /** The proxy has everything that views up to this store revision have for it; called before those of `onAcked`. */
  acked?(node: ProxyNode, storeRevision: bigint): void;
  /** About every `loadReportIntervalMs` per proxy that reports. Without it the LRS service is not offered. */
  loadReport?(node: ProxyNode, report: LoadReport): void;
}

/** SYNCED: everything subscribed was acknowledged. STALE: something is on its way or waits. NACK: the proxy refused what the view has. */
export type TypeState = 'SYNCED' | 'STALE' | 'NACK' | 'NOT_SENT';

export interface TypeStatus {
  readonly state: TypeState;
  /** Digest over the resources of this type that were last acknowledged; empty before the first. */
  readonly version: string;
  readonly error?: string;
  /** Wall time, ms. */
  readonly ackedAt?: number;
}

export interface ProxyStatus {
  readonly id: string;
  readonly node: ProxyNode;
  /** Wall time, ms. */
  readonly connectedSince: number;
  readonly streamKind: 'delta' | 'sotw';
  readonly types: Readonly<Partial<Record<ResourceShort, TypeStatus>>>;
  /** The highest `View.storeRevision` of which everything that this proxy subscribes to was acknowledged; -1n before the first. */
  readonly ackedRevision: bigint;
  /** Of the view that the server took last for this proxy; -1n before the first. */
  readonly viewRevision: bigint;
}

export interface AdsServer {
  /** Starts to listen, `host:port` with port 0 for a free one, or `unix:/path`; answers the bound address. */
  listen(address: string): Promise<string>;
  /** The views of these proxies (default: of all) may have changed. Takes them at once, those of thousands of proxies with pauses for others: pacing is the host's business. */
  changed(proxyIds?: Iterable<string>): void;
  /** One per connected proxy, sorted by id. When a proxy has reconnected before its old stream ended, the newer stream counts. */
  proxies(): ProxyStatus[];
  /** What each connected proxy has acknowledged: much cheaper than all about them, and asked for after each push. */
  acknowledged(): readonly Pick<ProxyStatus, 'id' | 'ackedRevision'>[];
  /** Called after a proxy's `ackedRevision` rose and after one left; answers how to stop it. */
  onAcked(callback: () => void): () => void;
  /**
   * Makes a proxy begin a new window of load reports now, for those of its Envoy clusters: what they counted since the last
   * report is never reported. Does nothing for a proxy that does not report.
   */
  cutLoadWindow(proxyId: string, isCut: (cluster: string) => boolean): void;
  /** Ends the streams of this proxy with UNAVAILABLE: it looks for another control plane, or comes back. */
  sendAway(proxyId: string): void;
  /**
   * Stops listening, then ends the streams with UNAVAILABLE one after the other within 6 s at most, so that proxies go to
   * another replica. Then waits at most `drainMs`, default 2000, for their connections to close.
   */
  close(options?: { readonly drainMs?: number }): Promise<void>;
}

/** Counters of the server; the host brings them to whatever it measures with. */
export interface XdsMetrics {
  pushed(type: ResourceShort, bytes: number): void;
  acknowledged(type: ResourceShort): void;
  rejected(type: ResourceShort): void;
  connected(streamKind: 'delta' | 'sotw'): void;
  /** `reason` is from a small set: `EndReason` of stream.ts. */
  disconnected(streamKind: 'delta' | 'sotw', reason: string): void;
}

export const noMetrics: XdsMetrics = {
  pushed() {},
  acknowledged() {},
  rejected() {},
  connected() {},
  disconnected() {},
};
