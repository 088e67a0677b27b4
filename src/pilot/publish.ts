/**
 * Snapshots to the views that proxies are served: the first change at once, then at most one push per PUSH_INTERVAL_MS while
 * changes go on. What could not be translated or encoded leaves the proxy with its last good view.
 */
import type { AnyKind } from '../model/kind.js';
import type { MeshSnapshot } from '../model/mesh-snapshot.js';
import type { Problem } from '../model/problem.js';
import type { Refusal } from '../model/refusal.js';
import type { Clock } from '../runtime/clock.js';
import { Latest } from '../runtime/latest.js';
import { layersOf } from '../runtime/layered-map.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import type { Rejection } from '../xds/ads-host.js';
import type { ClusterJson } from '../xds/envoy-json.js';
import { resourcesOf, type View } from '../xds/resource-cache.js';
import { resourceType } from '../xds/resource-types.js';
import { type EncodedSet, type EncodingFailure, encodeResources } from './encode-resources.js';
import { openQuarantine, type Quarantine, type QuarantineOptions, type Subject } from './quarantine/quarantine.js';
import { refusedDefinition } from './quarantine/refused-definition.js';
import type { ProxyScope, TranslatedResources, TranslationProblem } from './translate/index.js';

export const PUSH_INTERVAL_MS = 150;
/** Statistics names of Envoy clusters are kept for reports that come after the cluster has gone. */
const MAX_STAT_NAMES = 50_000;

export type Translate = (snapshot: MeshSnapshot, scope: ProxyScope) => TranslatedResources;

export interface PublishOptions {
  readonly translate: Translate;
  readonly clock: Clock;
  readonly log: Logger;
  readonly kinds: readonly AnyKind[];
  /** After the published snapshot was replaced. */
  readonly onPublished: (snapshot: MeshSnapshot) => void;
  /** These proxies (default: all) may be served something else now, without a new snapshot. */
  readonly onChanged: (proxies?: readonly string[]) => void;
  readonly refused: QuarantineOptions['refused'];
  readonly refusalEnded: QuarantineOptions['ended'];
}

export interface Publisher {
  /** `isUrgent` for what must not wait for the interval. */
  update(snapshot: MeshSnapshot, isUrgent: boolean): void;
  /** Before it returns: for a proxy that comes and must not be served what lags. */
  publishNow(): void;
  /** What proxies are served from; undefined before the first. */
  published(): MeshSnapshot | undefined;
  /** Throws a retryable MESH2008 when there is no good view for this proxy yet. */
  open(scope: ProxyScope): PublishedProxy;
  readonly quarantine: Quarantine;
  /** Of all proxies that are open. */
  problems(): readonly PublishProblem[];
  statNameOf(envoyCluster: string): string | undefined;
  close(): Promise<void>;
}

export interface PublishedProxy {
  readonly scope: ProxyScope;
  /** The same view while the published snapshot is the same. */
  view(): View;
  /** What the view was made from. */
  resources(): TranslatedResources;
  problems(): readonly PublishProblem[];
  /** What it should have been sent, and was not. */
  unsent(): readonly EncodingFailure[];
  /** It has everything of this view. */
  settled(view: View): void;
  rejected(rejection: Rejection): void;
  close(): void;
}

/** On a definition, or (without `definition`) on what came of all of them for a proxy. */
export interface PublishProblem {
  readonly definition: Pick<TranslationProblem, 'kind' | 'namespace' | 'name'> | undefined;
  readonly problem: Problem;
}

interface Served {
  readonly snapshot: MeshSnapshot;
  readonly resources: TranslatedResources;
  readonly encoded: EncodedSet;
  readonly view: View;
}

export function createPublisher(options: PublishOptions): Publisher {
  const { translate, clock, log } = options;
  let next: MeshSnapshot | undefined;
  let published: MeshSnapshot | undefined;
  const proxies = new Set<PublishedProxy>();
  const statNames = new Map<string, string>();
  /** Layers of clusters whose names are known: many proxies share one. */
  let learned = new WeakSet<ReadonlyMap<string, ClusterJson>>();

  /** Only of outbound clusters: what callers see decides about a release, never what the called side says of itself. */
  const learnStatNames = (clusters: ReadonlyMap<string, ClusterJson>): void => {
    if (statNames.size + clusters.size > MAX_STAT_NAMES) {
      statNames.clear();
      learned = new WeakSet();
    }
    for (const [name, { altStatName }] of clusters) {
      if (name.startsWith('outbound|') && altStatName !== undefined) statNames.set(name, altStatName);
    }
    learned.add(clusters);
  };

  const push = (): void => {
    if (next === undefined || next === published) return;
    // A store that was emptied and adopted holds no mesh yet: proxies keep theirs until somebody has applied one.
    if (next.revision === 0 && (published?.revision ?? 0) > 0) return;
    published = next;
    try {
      quarantine.update(published);
      options.onPublished(published);
    } catch (error) {
      log.error({ storeRevision: String(published.storeRevision), error: messageOf(error) }, 'a push failed');
    }
  };
  const pushes = new Latest(clock, PUSH_INTERVAL_MS, push);

  const quarantine = openQuarantine({
    ...options,
    translate(snapshot, scope) {
      try {
        return translate(snapshot, scope);
      } catch {
        return undefined; // told where it is served
      }
    },
    changed: (subjects) => options.onChanged(subjects?.map(({ scope }) => scope.id)),
    ended: options.refusalEnded,
  });

  /** The last good one, when this snapshot cannot be served. */
  const serve = (
    scope: ProxyScope,
    snapshot: MeshSnapshot,
    before: Served | undefined,
    acknowledged: bigint | undefined,
  ): Served | string => {
    try {
      const resources = translate(snapshot, scope);
      for (const layer of layersOf(resources.clusters)) if (!learned.has(layer)) learnStatNames(layer);
      const encoded = encodeResources(resources, before?.encoded);
      const news = encoded.failures.filter(
        (one) => !before?.encoded.failures.some((old) => old.message === one.message),
      );
      if (news.length > 0)
        log.error({ proxy: scope.id, resources: news }, 'resources cannot be encoded, and are not sent');
      const { storeRevision } = snapshot;
      const revision = acknowledged !== undefined && acknowledged > storeRevision ? acknowledged : storeRevision;
      return { snapshot, resources, encoded, view: viewOf(revision, encoded, before?.view) };
    } catch (error) {
      log.error({ proxy: scope.id, revision: snapshot.revision, error: messageOf(error) }, 'translation failed');
      return messageOf(error);
    }
  };

  const openProxy = (scope: ProxyScope): PublishedProxy => {
    let served: Served | undefined;
    let acknowledged: MeshSnapshot | undefined;
    let tried: MeshSnapshot | undefined;
    let failure: string | undefined;
    const refresh = (): Served => {
      const snapshot = quarantine.holds(subject);
      if (snapshot !== undefined && snapshot !== tried) {
        tried = snapshot;
        const result = serve(scope, snapshot, served, acknowledged?.storeRevision);
        failure = typeof result === 'string' ? result : undefined;
        if (typeof result !== 'string') served = result;
      }
      if (served !== undefined) return served;
      throw nothingToServe(scope, failure ?? 'nothing is published');
    };
    const subject: Subject = {
      scope,
      get acknowledged() {
        return acknowledged;
      },
      get isSettled() {
        return acknowledged !== undefined && acknowledged === served?.snapshot;
      },
      isServed: (type, name, digest) =>
        served !== undefined && resourcesOf(refresh().view, resourceType(type).typeUrl).get(name)?.digest === digest,
    };
    const proxy: PublishedProxy = {
      scope,
      view: () => refresh().view,
      resources: () => refresh().resources,
      unsent: () => served?.encoded.failures ?? [],
      problems: () => (served === undefined ? [] : problemsOf(scope, served, failure)),
      settled(view) {
        if (view !== served?.view) return;
        acknowledged = served.snapshot;
        if (acknowledged === quarantine.holds(subject)) quarantine.settled(subject);
      },
      // What gRPC cannot read is no reason to keep it from Envoys: it is told of in the status of this client alone.
      rejected: (rejection) => {
        if (!scope.isProxyless) quarantine.rejected(subject, rejection);
      },
      close() {
        proxies.delete(proxy);
        quarantine.left(subject);
      },
    };
    if (!scope.isProxyless) quarantine.joined(subject);
    proxies.add(proxy);
    try {
      refresh();
    } catch (error) {
      proxy.close();
      throw error;
    }
    return proxy;
  };

  return {
    update(snapshot, isUrgent) {
      next = snapshot;
      if (isUrgent) pushes.noteUrgent();
      else pushes.note();
    },
    published: () => published,
    publishNow: push,
    open(scope) {
      // Of a mesh without any revision no proxy was ever rendered: the store has lost it, and the proxy keeps what it has.
      if (published === undefined || published.revision === 0) throw nothingToServe(scope, 'the store holds no mesh');
      return openProxy(scope);
    },
    quarantine,
    problems: () => [
      ...quarantine.refusals().map(refusalProblem),
      ...[...proxies].flatMap((proxy) => proxy.problems()),
    ],
    statNameOf: (envoyCluster) => statNames.get(envoyCluster),
    close() {
      quarantine.close();
      return pushes.close();
    },
  };
}

/** With unchanged resources only the revision moves on, and the maps stay the same objects. */
function viewOf(storeRevision: bigint, encoded: EncodedSet, before: View | undefined): View {
  const isSame =
    before !== undefined && [...encoded.byType].every(([typeUrl, map]) => before.byType.get(typeUrl) === map);
  return { storeRevision, byType: isSame ? before.byType : encoded.byType };
}

function nothingToServe({ id }: ProxyScope, why: string): MeshError {
  return new MeshError('MESH2008', `nothing to serve to ${id} yet: ${why}`, { retryable: true });
}

function refusalProblem(refusal: Refusal): PublishProblem {
  const { kind, namespace = '', name, message, hint } = refusedDefinition(refusal);
  const problem: Problem = { code: 'MESH1020', severity: 'error', path: `${kind} ${namespace}/${name}`, message, hint };
  return { definition: { kind, namespace, name }, problem };
}

/** `failure` is why the newest snapshot is not what is served. */
function problemsOf(scope: ProxyScope, served: Served, failure: string | undefined): PublishProblem[] {
  const unsent = served.encoded.failures.map(({ type, message }) => `${type} ${message}`);
  const general = [...(failure === undefined ? [] : [failure]), ...unsent];
  return [
    ...served.resources.problems.map(({ kind, namespace, name, message }): PublishProblem => {
      const problem: Problem = { code: 'MESH1017', severity: 'warning', path: `${kind} ${namespace}/${name}`, message };
      return { definition: { kind, namespace, name }, problem };
    }),
    ...general.map((message): PublishProblem => {
      const path = `proxy ${scope.id}`;
      const hint = 'the proxy keeps the last good one';
      return { definition: undefined, problem: { code: 'MESH1017', severity: 'error', path, message, hint } };
    }),
  ];
}
