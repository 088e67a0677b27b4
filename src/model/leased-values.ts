/** What agents and pilots say of themselves in the store, under their leases: it vanishes with whoever said it. */

/**
 * Said by a process that knows a mesh which the store has lost (wiped, restored). While one says so, no pilot that starts
 * takes what the store holds instead; `mesh store adopt` ends it.
 */
export interface LostHistory {
  /** Id of the epoch that this process knows. */
  readonly epoch: string;
  readonly reason: string;
}

/** Which process an agent is: tells whether one that has left its key behind can still be alive. */
export interface AgentIdentity {
  /** For people. */
  readonly host: string;
  /** Hash of the machine's own id. */
  readonly machine: string;
  /** Another one after each start of the machine. */
  readonly boot: string;
  readonly pidNamespace: string;
  readonly pid: number;
  readonly startTime: string;
}

/** Value of `node/<node>`, leased by its agent, which alone may have it. */
export interface NodeStatus {
  readonly node: string;
  /** Absent in what older versions wrote. */
  readonly agent?: AgentIdentity;
  readonly agentVersion: string;
  readonly docker: string;
  readonly compose: string;
  readonly startedAt: number;
  /** The revision of the plan that the node has fully reached. */
  readonly reachedRevision: number;
  /** What stands in the way of the plan, newest last; empty when nothing does. */
  readonly problems: readonly string[];
  readonly lost?: LostHistory;
}

/** Value of `pilot/<id>`, leased by that pilot. */
export interface PilotStatus {
  readonly id: string;
  readonly http: string;
  /** Empty while it serves nothing, so that no proxy is sent there. */
  readonly xds: string;
  readonly version: string;
  readonly startedAt: number;
  /** It serves the last good view, or nothing yet. */
  readonly lost?: LostHistory;
}

/** Value of `ack/<pilot>`, leased by that pilot. */
export interface AckStatus {
  /** Decimal text of the highest store revision whose effects all its proxies have acknowledged. */
  readonly storeRevision: string;
  /** Proxies that hold it back, at most MAX_LAGGARDS of them. */
  readonly laggards: readonly string[];
  /** How many hold it back. */
  readonly behind: number;
  /** Connected to this pilot. */
  readonly proxies: number;
}

export const MAX_LAGGARDS = 20;

/** Value of `fact/<ns>/<service>/<pilot>`, leased: sums of Envoy's load reports since the release's last transition. */
export interface LoadFact {
  /** The release revision to which the sums belong. */
  readonly revision: number;
  readonly versions: Readonly<Record<string, { readonly requests: number; readonly errors: number }>>;
  /** Milliseconds since the epoch when the last request to the gray version was reported. */
  readonly lastGrayAt?: number;
}
