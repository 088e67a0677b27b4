import type { ProxyConfig, ProxyItem } from '../../model/api.js';
import type { AnyKind } from '../../model/kind.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import type { Problem } from '../../model/problem.js';
import type { Refusal } from '../../model/refusal.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import type { Mirror, Store } from '../../store/store.js';

/** What the API stands on. `live` is absent where it runs in-process over a store (`mesh --store`, break-glass). */
export interface ApiContext {
  readonly store: Store;
  readonly kinds: readonly AnyKind[];
  readonly clock: Clock;
  readonly log: Logger;
  /** Of lightmesh. */
  readonly version: string;
  readonly live?: LivePilot;
}

/** What only a pilot that serves proxies can tell. */
export interface LivePilot {
  readonly id: string;
  readonly mirror: Mirror;
  readonly trustedNetworks: readonly string[];
  /** Undefined until the first complete view. */
  snapshot(): MeshSnapshot | undefined;
  /** Why it is not ready; undefined when it is. */
  notReady(): string | undefined;
  /** Why the store is not the one whose mesh is served, with the way out; empty when it is. */
  frozen(): string;
  /** By key of the store: what is wrong with a stored object or with what came of it. */
  findings(): ReadonlyMap<string, readonly Problem[]>;
  /** In effect. */
  refusals(): readonly Refusal[];
  proxies(): readonly ProxyItem[];
  /** What this pilot serves to a proxy that is connected to it. */
  proxyConfig(proxy: string): ProxyConfig | undefined;
  /** Prometheus text. */
  metrics(): Promise<string>;
  /** Called after each change of the mirror with the keys that changed; answers how to stop it. */
  onChange(listener: (keys: readonly string[]) => void): () => void;
}
