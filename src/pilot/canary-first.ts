/**
 * Changed definitions go to one proxy of each service first, and to the others when these have acknowledged them: what an Envoy
 * refuses is undone (quarantine.ts) before the others have met it. Endpoints, releases, weights, and what was accepted before, such as
 * by a rollback, wait for nobody. Whoever has not been told keeps its whole view of before, so nothing is half applied.
 */
import type { Definition } from '../model/definition.js';
import type { AnyKind } from '../model/kind.js';
import type { MeshSnapshot } from '../model/mesh-snapshot.js';
import { isProxylessId, serviceOfProxy } from '../model/names.js';
import type { Clock } from '../runtime/clock.js';
import { RecentSet } from '../runtime/recent-set.js';
import { documentDigest, MAX_ACCEPTED } from './quarantine/document-digest.js';
import { changedDefinitions, type Replacements } from './quarantine/overlay.js';

/** For canaries that say nothing; a refusal is looked into, and begins it anew. */
const CANARY_WAIT_MS = 500;

export interface CanaryFirstOptions {
  readonly clock: Clock;
  readonly kinds: readonly AnyKind[];
  /** Those that are connected, and up to which revision of the store each has acknowledged everything. */
  readonly proxies: () => readonly Known[];
  /** These (default: all) take the newest view. */
  readonly tell: (proxies?: readonly string[]) => void;
}

interface Known {
  readonly id: string;
  readonly ackedRevision: bigint;
}

export interface CanaryFirst {
  /** What is to be served. */
  published(snapshot: MeshSnapshot): void;
  /** Everybody is to take what there is, now. */
  release(): void;
  acked(proxy: string, storeRevision: bigint): void;
  rejected(proxy: string): void;
  left(proxy: string): void;
  close(): void;
}

interface Waiting {
  readonly snapshot: MeshSnapshot;
  readonly changes: Replacements;
  /** Canaries that have not acknowledged it yet. */
  readonly canaries: Set<string>;
  isRefused: boolean;
  patience: AbortController;
}

export function openCanaryFirst({ clock, kinds, proxies, tell }: CanaryFirstOptions): CanaryFirst {
  /** What all have been told of. */
  let everywhere: MeshSnapshot | undefined;
  let waiting: Waiting | undefined;
  /** Contents, by their digest … */
  const accepted = new RecentSet<string>(MAX_ACCEPTED);
  /** … and what was there before any canary could be asked. */
  const initial = new WeakSet<Definition>();
  /** Canaries that said nothing: the next time another one is asked. */
  const silent = new Set<string>();

  const accept = (definition: Definition): void => accepted.add(documentDigest(definition));
  const toAll = (snapshot: MeshSnapshot, changes: Replacements, isRefused = false): void => {
    waiting?.patience.abort(new Error('all are told'));
    waiting = undefined;
    for (const [one, was] of changes) {
      if (was !== undefined && initial.has(was)) accept(was);
      if (!isRefused) accept(one);
    }
    everywhere = snapshot;
    tell();
  };
  const finish = ({ snapshot, changes, isRefused }: Waiting): void => toAll(snapshot, changes, isRefused);
  const wait = (one: Waiting): void => {
    one.patience.abort(new Error('it begins anew'));
    one.patience = new AbortController();
    clock.sleep(CANARY_WAIT_MS, one.patience.signal).then(
      () => {
        for (const canary of one.canaries) silent.add(canary);
        finish(one);
      },
      () => undefined, // they have answered
    );
  };
  const done = (canary: string): void => {
    const one = waiting;
    if (one?.canaries.delete(canary) !== true || one.canaries.size > 0) return;
    // Later: whoever brings this is in the middle of something.
    queueMicrotask(() => {
      if (waiting === one) finish(one);
    });
  };

  return {
    published(snapshot) {
      const before = everywhere;
      if (before === undefined)
        for (const one of kinds.flatMap((kind) => snapshot.definitions.all(kind))) initial.add(one);
      const changes = before && changedDefinitions(before.definitions, snapshot.definitions, kinds);
      // Something else changes meanwhile, and does not wait.
      if (before === undefined || changes === undefined || waiting !== undefined) {
        return toAll(snapshot, changes ?? new Map(), waiting?.isRefused);
      }
      const isNew = [...changes].some(([one, was]) => !accepted.has(documentDigest(one)) && !isOnlyWeights(one, was));
      const all = isNew ? proxies() : [];
      const canaries = canariesOf(all, before.storeRevision, silent);
      if (canaries.length === 0 || canaries.length === all.length) return toAll(snapshot, changes);
      waiting = {
        snapshot,
        changes,
        canaries: new Set(canaries),
        isRefused: false,
        patience: new AbortController(),
      };
      wait(waiting);
      tell(canaries);
    },
    release() {
      if (waiting === undefined) tell();
      else finish(waiting);
    },
    acked(proxy, storeRevision) {
      silent.delete(proxy);
      if (waiting !== undefined && storeRevision >= waiting.snapshot.storeRevision) done(proxy);
    },
    rejected(proxy) {
      if (waiting?.canaries.has(proxy) !== true) return;
      waiting.isRefused = true;
      wait(waiting);
    },
    left(proxy) {
      silent.delete(proxy);
      done(proxy);
    },
    close() {
      waiting?.patience.abort(new Error('closed'));
      waiting = undefined;
    },
  };
}

/** One of each service: of those that have acknowledged everything, and are not known to be silent, the first. */
export function canariesOf(
  proxies: readonly Known[],
  ackedRevision: bigint,
  silent: ReadonlySet<string>,
): readonly string[] {
  const canaries = new Map<string, string>();
  for (const { id, ackedRevision: own } of proxies) {
    const service = serviceOfProxy(id);
    const isFit = own >= ackedRevision && !silent.has(id) && !isProxylessId(id);
    if (isFit && !canaries.has(service)) canaries.set(service, id);
  }
  return [...canaries.values()];
}

/** A new share of the traffic is nothing that an Envoy could refuse, and must not wait. */
export function isOnlyWeights(one: Definition, was: Definition | undefined): boolean {
  return was !== undefined && withoutWeights(one) === withoutWeights(was);
}

function withoutWeights({ document }: Definition): string {
  return JSON.stringify(document, (key, value: unknown) => (key === 'weight' ? undefined : value));
}
