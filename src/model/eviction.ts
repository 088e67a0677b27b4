/**
 * What the leader writes down about instances that are missing from the registry, so that every pilot sees the same, also one
 * that has just been started, and the next leader goes on where this one stood.
 */
import type { Health } from './service-shape.js';

/**
 * Value of `evict/<ns>/<service>/<id>`; the id is that of the instance, or the `ip:port` of what had registered itself.
 * A suspect is UNHEALTHY in EDS, an evicted one is not there any more. Both end when the instance is back, or left in order.
 */
export interface Eviction {
  readonly state: 'suspect' | 'evicted';
  /** When the leader saw that it was missing, milliseconds since the epoch on its clock: for people. */
  readonly since: number;
  readonly why: string;
  /** `ip:port`, for whoever wants to see with own eyes. */
  readonly address: string;
  /** Its service's health check; absent where a connection is the check. */
  readonly health?: Health;
  /** Empty where unknown. */
  readonly node: string;
  readonly version: string;
}

/** Value of `seen/<ns>/<service>/<ip:port>`: what registers itself has no record, so this is what is left when its key goes. */
export interface SeenAddress {
  readonly version: string;
  readonly mesh: Readonly<Record<string, unknown>>;
  /** Decimal id of the lease that its key hangs on; '0' for none. */
  readonly lease: string;
}

/** Value of `freeze/<ns>/<service>`, or `freeze/-/-` for the whole mesh: too many vanished together, so nobody is removed. */
export interface Freeze {
  /** Milliseconds since the epoch on the leader's clock: for people. */
  readonly since: number;
  readonly why: string;
  /** By service (`<ns>/<name>`): how many there were. A second witness may not take a service below half of this. */
  readonly sizes: Readonly<Record<string, number>>;
  /** An operator has said that those who are missing are really gone. The leader removes them, then this key. */
  readonly thaw?: { readonly at: number; readonly by: string; readonly why: string };
}

/** Value of `witness/<node>`, leased by that node's agent while anything is frozen. By `<ns>/<service>/<id>`. */
export type WitnessReport = Readonly<
  Record<string, { readonly alive: boolean; readonly at: number; readonly why: string }>
>;

/** As messages and the API name what is frozen: a service (`<ns>/<name>`), or this. */
export const MESH_SCOPE = 'mesh';

/** What to do about a freeze. */
export function freezeAdvice(scope: string): string {
  const [namespace = '', service = ''] = scope.split('/');
  const command = scope === MESH_SCOPE ? 'mesh thaw' : `mesh thaw ${service} -n ${namespace}`;
  return `Look at the store, the network and the agents; if they are really gone: ${command}`;
}
