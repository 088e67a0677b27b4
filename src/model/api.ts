/** Shapes of the pilot's HTTP API, shared by the server (pilot/api) and the client (cli). JSON, additive only. */
import type { Document } from './definition.js';
import type { InstanceState } from './instance.js';
import type { PilotStatus } from './leased-values.js';
import type { MeshEvent } from './mesh-event.js';
import type { NodePlan } from './node-plan.js';
import type { Problem } from './problem.js';
import type { ReleaseMatch, ReleasePhase, ReleaseTransition } from './release.js';
import type { Change, ChangeAction, Deployment, Revision } from './revision.js';
import type { SourceFile } from './source-documents.js';

export interface List<Item> {
  readonly apiVersion: 'mesh/v1';
  /** `<Kind>List`. */
  readonly kind: string;
  readonly revision: number;
  readonly items: readonly Item[];
}

/** Every error answer: 400 usage, 404, 409 conflict, 422 problems, 503 not ready or store away, 504 timed out. */
export interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
    readonly problems?: readonly Problem[];
  };
}

/** Who asks and why; goes into the revision. */
interface Authored {
  readonly by: string;
  readonly why?: string;
}

/** POST /v1/apply */
export interface ApplyRequest extends Authored {
  readonly files: readonly SourceFile[];
  /** For documents that name none. */
  readonly namespace?: string;
  readonly dryRun?: boolean;
  /** Delete definitions with these labels that are not in the files. */
  readonly prune?: Readonly<Record<string, string>>;
  /** Refuse (409) unless the mesh is at this revision. */
  readonly expectRevision?: number;
}

export interface ChangeSummary extends Change {
  readonly action: ChangeAction;
}

/** Answer of apply, delete, diff (nothing is written), rollback. `revision` is the new one, or the present one if nothing changed. */
export interface ApplyResponse {
  readonly revision: number;
  readonly changes: readonly ChangeSummary[];
  readonly warnings: readonly Problem[];
  /** etcd's revision of the commit as decimal text, for waiting on acknowledgements; absent when nothing was written. */
  readonly storeRevision?: string;
}

/** POST /v1/delete */
export interface DeleteRequest extends Authored {
  readonly objects?: readonly { readonly kind: string; readonly namespace?: string; readonly name: string }[];
  readonly files?: readonly SourceFile[];
  readonly namespace?: string;
  readonly dryRun?: boolean;
}

/** POST /v1/rollback: the whole mesh to a revision, or one object to what it was then. Definitions only. */
export interface RollbackRequest extends Authored {
  readonly toRevision: number;
  readonly object?: { readonly kind: string; readonly namespace?: string; readonly name: string };
  readonly dryRun?: boolean;
}

/** GET /v1/definitions/{kind}?namespace=&name=&selector= ; `all` as namespace means every one. */
export interface DefinitionItem {
  readonly document: Document;
  readonly namespace?: string;
  readonly name: string;
  /** The revision that wrote it. */
  readonly revision: number;
  readonly at: number;
  /** Problems that the running mesh has with it, such as a NACK of a proxy. */
  readonly problems: readonly Problem[];
  /** Service only: the stable version while a succeeded release stands in for the definition. */
  readonly effective?: string;
}

/** GET /v1/history?kind=&namespace=&name=&limit= (newest first) and GET /v1/history/{revision} */
export type HistoryItem = Revision;

/** GET /v1/events?namespace=&kind=&name=&service=&sinceMs=&limit= : oldest first. */
export interface EventItem extends MeshEvent {
  /** The same while the event is only counted up. */
  readonly id: string;
}

/** One line of a plan. */
export interface PlanStep {
  readonly action: 'add' | 'change' | 'remove' | 'keep';
  readonly node: string;
  readonly namespace: string;
  readonly service: string;
  readonly version: string;
  /** Of the new instance; of the old one for remove and keep. */
  readonly instance: string;
  /** For `change`: the instance that it replaces. */
  readonly replaces?: string;
  /** Which things differ, such as `image a:1 -> a:2`. */
  readonly reasons: readonly string[];
}

/** POST /v1/plan */
export interface PlanRequest {
  readonly nodes?: readonly string[];
  readonly services?: readonly string[];
  readonly namespace?: string;
}

export interface PlanResponse {
  /** The plan holds for this revision only. */
  readonly basis: number;
  readonly steps: readonly PlanStep[];
  readonly plans: readonly NodePlan[];
  readonly warnings: readonly Problem[];
}

/** POST /v1/deploy: plans again and commits. With `basis`, refuses (409) when the mesh has moved since. */
export interface DeployRequest extends PlanRequest, Authored {
  readonly basis?: number;
}

export interface DeployResponse {
  readonly revision: number;
  /** Undefined when there was nothing to change. */
  readonly id?: number;
  readonly steps: readonly PlanStep[];
  readonly storeRevision?: string;
}

/** GET /v1/deployments, newest first. */
export type DeploymentItem = Deployment;

/** GET /v1/instances?service=&namespace=&node= : `mesh ps`. */
export interface InstanceItem {
  readonly service: string;
  readonly namespace: string;
  readonly version: string;
  readonly instance: string;
  readonly node: string;
  readonly state: InstanceState;
  readonly reason: string;
  /** IP:inboundPort. */
  readonly address: string;
  readonly appPort: number;
  readonly inboundPort: number;
  readonly proxyPort: number;
  readonly metricsPort: number;
  readonly container: string;
  readonly sidecar: string;
  readonly startedAt: number;
  readonly planRevision: number;
  /** While it is missing from the registry without anybody having said why, or was removed for that. */
  readonly eviction?: Pick<EvictionItem, 'state' | 'since' | 'until' | 'isFrozen'>;
}

/** GET /v1/evictions */
export interface EvictionStatus {
  /** Id of the pilot that decides; null while none does. */
  readonly leader: string | null;
  readonly frozen: readonly FreezeItem[];
  readonly missing: readonly EvictionItem[];
}

export interface FreezeItem {
  /** `<ns>/<service>`, or `mesh` for all of it. */
  readonly scope: string;
  readonly since: number;
  readonly why: string;
  /** An operator has ended it; the leader removes those that were missing then. */
  readonly thaw?: { readonly at: number; readonly by: string; readonly why: string };
}

export interface EvictionItem {
  readonly namespace: string;
  readonly service: string;
  readonly version: string;
  /** For what registered itself, its address. */
  readonly instance: string;
  readonly node: string;
  /** IP:port. */
  readonly address: string;
  /** A suspect is unhealthy for proxies, an evicted one is not there any more. */
  readonly state: 'suspect' | 'evicted';
  readonly since: number;
  /** When it is removed at the earliest; null when it is frozen, or removed already. */
  readonly until: number | null;
  readonly isFrozen: boolean;
  readonly why: string;
}

/** POST /v1/thaw. Without a service: the mesh and all of its services. */
export interface ThawRequest extends Authored {
  readonly namespace?: string;
  readonly service?: string;
}

export interface ThawResponse {
  readonly thawed: readonly Pick<FreezeItem, 'scope' | 'since' | 'why'>[];
  /** `mesh` when all of it is frozen as well, and stays so. */
  readonly stillFrozen: readonly string[];
}

/** GET /v1/nodes */
export interface NodeItem {
  readonly name: string;
  readonly address: string;
  readonly cluster: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Its agent's lease lives. */
  readonly agent: 'ready' | 'lost' | 'never';
  readonly agentVersion: string;
  readonly compose: string;
  readonly docker: string;
  /** Of the plan that it should run. */
  readonly planRevision: number;
  /** Of the plan that its agent has fully reached. */
  readonly reachedRevision: number;
  readonly desired: number;
  readonly healthy: number;
  /** What stands in the way of the plan. */
  readonly problems: readonly string[];
}

/** GET /v1/status: one screen. */
export interface StatusResponse {
  readonly version: string;
  readonly revision: number;
  readonly store: { readonly description: string; readonly synced: boolean; readonly storeRevision: string };
  readonly pilots: readonly PilotStatus[];
  readonly nodes: readonly NodeItem[];
  readonly services: readonly ServiceStatus[];
  readonly proxies: { readonly connected: number; readonly synced: number; readonly nacked: number };
  readonly releases: readonly GrayStatus[];
  readonly eviction: EvictionStatus;
  readonly trustedNetworks: readonly string[];
  /** Not in effect as they stand, MAX_FINDINGS of them at most. */
  readonly refused: readonly RefusedDefinition[];
  /** Values of the store that cannot be used, and are not: MAX_FINDINGS of them at most. */
  readonly findings: readonly StoreFinding[];
}

export const MAX_FINDINGS = 20;

export interface StoreFinding {
  readonly key: string;
  readonly message: string;
}

export interface ServiceStatus {
  readonly namespace: string;
  readonly name: string;
  readonly ports: string;
  readonly stable: string;
  readonly versions: readonly { readonly version: string; readonly healthy: number; readonly total: number }[];
}

/** POST /v1/gray/{namespace}/{service}/start */
export interface GrayStartRequest extends Authored {
  readonly to: string;
  readonly from?: string;
  /** Percent; default the first step, or 0 when there are only matches. */
  readonly weight?: number;
  readonly steps?: readonly number[];
  readonly matches?: readonly ReleaseMatch[];
}

/** POST …/shift */
export interface GrayShiftRequest extends Authored {
  /** Percent, absolute. */
  readonly weight?: number;
  /** Percentage points to add, instead of weight. */
  readonly delta?: number;
}

/** POST …/promote (next step, or with `full` at once), …/rollback, …/pause, …/resume, …/undo */
export interface GrayCommandRequest extends Authored {
  readonly full?: boolean;
}

export interface GrayResponse {
  readonly revision: number;
  readonly storeRevision: string;
  readonly status: GrayStatus;
  /** For promote: the lines of the definitions to change, as text. */
  readonly advice: readonly string[];
}

export interface VersionCounts {
  readonly requests: number;
  readonly errors: number;
}

/** GET /v1/gray/{namespace}/{service}; GET /v1/gray is a list of them. */
export interface GrayStatus {
  readonly service: string;
  readonly namespace: string;
  readonly stable: string;
  readonly gray: string;
  readonly phase: ReleasePhase;
  readonly step: number;
  readonly steps: readonly number[];
  /** Asked, percent. */
  readonly weight: number;
  /** Measured from Envoy's load reports, percent of requests to either version, matched ones included; null before the first. */
  readonly share: number | null;
  readonly matches: readonly ReleaseMatch[];
  readonly reason: string;
  readonly startedAt: number;
  readonly since: number;
  readonly revision: number;
  readonly stableCounts: VersionCounts;
  readonly grayCounts: VersionCounts;
  /** When the last request to the gray version was reported, milliseconds since the epoch; null when none was. */
  readonly lastGrayAt: number | null;
  /** Proxies that have acknowledged the last transition, of those that it concerns. */
  readonly proxies: { readonly acked: number; readonly total: number };
  readonly history: readonly ReleaseTransition[];
}

/** GET /v1/gray/{namespace}/{service}/history: past transitions of all its releases, newest first. */
export interface GrayHistoryItem extends ReleaseTransition {
  readonly stable: string;
  readonly gray: string;
}

export type TypeState = 'SYNCED' | 'STALE' | 'NACK' | 'NOT_SENT';

/** GET /v1/proxies (this pilot's) and, over all pilots, with ?all=true. */
export interface ProxyItem {
  /** Envoy's node id. */
  readonly proxy: string;
  readonly service: string;
  readonly node: string;
  readonly envoy: string;
  /** Pilot id. */
  readonly connectedTo: string;
  readonly since: number;
  readonly types: Readonly<
    Record<
      string,
      { readonly state: TypeState; readonly version: string; readonly error?: string; readonly ackedAt?: number }
    >
  >;
  /** What it has refused, traced to the definitions: they are not in effect anywhere. */
  readonly refused?: readonly RefusedDefinition[];
}

/** What `type` of a proxy's configuration may be asked for, besides `all`. */
export const proxyConfigTypes = ['listeners', 'routes', 'clusters', 'endpoints', 'runtime', 'bootstrap'] as const;

/** GET /v1/proxies/{proxy}/config?type=listeners|routes|clusters|endpoints|bootstrap|all : what the pilot serves to it, as Envoy JSON. */
export interface ProxyConfig {
  readonly proxy: string;
  readonly resources: Readonly<
    Record<string, readonly { readonly name: string; readonly version: string; readonly resource: unknown }[]>
  >;
}

/** GET /v1/caller-view?host=&namespace=&from= : what the sidecar of a caller is served, whether it is there or not. */
export interface CallerViewRequest {
  /** The authority that is called. */
  readonly host: string;
  readonly namespace: string;
  /** `SERVICE[.NAMESPACE][@NODE]`; without it a caller that no rule names. */
  readonly from?: string | undefined;
}

export interface ResourceItem {
  readonly name: string;
  readonly resource: unknown;
}

export interface CallerView {
  readonly revision: number;
  /** Its proxy's id; empty for the caller that no rule names. */
  readonly caller: string;
  readonly resources: Readonly<Record<'routes' | 'clusters' | 'endpoints', readonly ResourceItem[]>>;
  /** Rules of that host that this caller never meets. */
  readonly leftOut: readonly { readonly rule: string; readonly why: string }[];
}

/** POST /v1/proxy-changes with an ApplyRequest : what that would change in the Envoys that run. Nothing is written. */
export interface ProxyChangesResponse {
  readonly revision: number;
  /** Instances that were looked at. */
  readonly proxies: number;
  readonly groups: readonly ProxyChangeGroup[];
}

/** Proxies that change alike. */
export interface ProxyChangeGroup {
  readonly proxies: readonly string[];
  readonly changes: readonly ResourceChange[];
}

export interface ResourceChange {
  readonly type: 'listeners' | 'routes' | 'clusters' | 'endpoints';
  readonly name: string;
  readonly action: 'added' | 'removed' | 'changed';
  readonly before?: unknown;
  readonly after?: unknown;
}

/** GET /v1/acks?storeRevision=N&timeoutMs= : answers when every live pilot's proxies have acknowledged that revision, or 504. */
export interface AckWaitResponse {
  readonly acked: boolean;
  readonly laggards: readonly string[];
  /** Definitions that are not in effect as they stand, because a proxy refused what came of them. */
  readonly refused: readonly RefusedDefinition[];
}

export interface RefusedDefinition {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** With Envoy's words. */
  readonly message: string;
  /** What is in effect instead, and what to do. */
  readonly hint: string;
}

/**
 * GET /v1/watch: server-sent events, `id` = the mesh's revision. After a reconnect with `Last-Event-ID` the revisions in between
 * are sent again, at most MAX_REPLAYED. Event `revision` has a WatchRevision, event `change` a WatchChange.
 */
export interface WatchRevision {
  readonly revision: number;
  readonly at: number;
  readonly by: string;
  readonly why: string;
  readonly command: string;
  readonly changes: readonly {
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly action: ChangeAction;
  }[];
}

export type WatchTopic =
  | 'definitions'
  | 'instances'
  | 'plans'
  | 'releases'
  | 'facts'
  | 'nodes'
  | 'pilots'
  | 'acks'
  | 'events';

/** Something that these topics show has changed: read it again. */
export interface WatchChange {
  readonly topics: readonly WatchTopic[];
}

export const MAX_REPLAYED = 100;
