/** The assembly of the pilot: what is wired to what, and in which order it begins and ends. */
import { allKinds } from '../dsl/kinds.js';
import type { PilotStatus } from '../model/leased-values.js';
import type { Problem } from '../model/problem.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import { untilAborted } from '../runtime/until-aborted.js';
import { openEventLog } from '../store/event-log.js';
import type { MirrorBatch } from '../store/store.js';
import { createAdsServer } from '../xds/ads-server.js';
import { ackStatus, writeAcks } from './acks.js';
import { createApi } from './api/api.js';
import type { LivePilot } from './api/context.js';
import { listenHttp } from './api/listen.js';
import { openCanaryFirst } from './canary-first.js';
import { followContinuity } from './continuity.js';
import { countsOf } from './eviction/counts.js';
import { openGuardLoop } from './eviction/guard-loop.js';
import { foldWhenLeft } from './fold-when-left.js';
import { freshnessOf } from './freshness.js';
import { readLastGood, withLastGood } from './last-good.js';
import { meshRanges } from './mesh-ranges.js';
import { createMetrics } from './metrics.js';
import { followNamingRoots } from './naming-roots.js';
import type { Pilot, PilotOptions } from './options.js';
import { createProxies } from './proxies.js';
import { createPublisher } from './publish.js';
import { refusalLog } from './quarantine/refusal-log.js';
import { collectReleaseFacts } from './release/release-facts.js';
import { type EntryChanges, emptySnapshot, type SnapshotState, updateSnapshot } from './snapshot.js';
import { followStaging, noStaging } from './staged.js';
import { translate } from './translate/index.js';
import { hostOf, refuseOpenAddress, trustedNetworks } from './trusted-networks.js';

export type { Pilot, PilotOptions } from './options.js';

const LEASE_TTL_S = 10;
const HEAD_RETRY_MS = 200;
/** A proxy that waits here does not ask for its agent's last good configuration. */
const READY_WAIT_MS = 1000;
/** For taking the own entry out of the store, which may be away. */
const LEAVE_LIMIT_MS = 1000;

export async function startPilot(options: PilotOptions): Promise<Pilot> {
  const { store, clock, log, id, version } = options;
  const { keys } = store;
  const networks = trustedNetworks(options.trustedNetworks ?? []);
  refuseOpenAddress('--http', options.http, networks);
  refuseOpenAddress('--xds', options.xds, networks);

  const metrics = createMetrics(clock);
  const listeners = new Set<(changed: readonly string[]) => void>();
  let state: SnapshotState = emptySnapshot;
  let staging = noStaging;
  let isReady = false;
  let own: PilotStatus | undefined;
  const closing = new AbortController();

  const registrar = store.registrar({ ttlSeconds: LEASE_TTL_S });
  const publisher = createPublisher({
    translate,
    clock,
    log,
    onPublished(snapshot) {
      canaryFirst.published(snapshot);
      acks.note();
    },
    kinds: allKinds,
    onChanged(proxies) {
      if (proxies === undefined) canaryFirst.release();
      else server.changed(proxies);
      acks.note();
    },
    refused: (refusal) => refusals.write(refusal),
    refusalEnded: (refusal) => refusals.remove(refusal),
  });
  const acks = writeAcks({
    registrar,
    key: keys.ack(id),
    clock,
    read() {
      const proxies = server.acknowledged();
      metrics.proxies(proxies.length);
      // Revisions of a history that is lost say nothing about those of another.
      return ackStatus(continuity.isLost ? 0n : (publisher.published()?.storeRevision ?? 0n), proxies);
    },
    changed: (status) => metrics.acknowledged(status),
  });
  const facts = collectReleaseFacts({
    registrar,
    keys,
    clock,
    pilot: id,
    statNameOf: (envoyCluster) => publisher.statNameOf(envoyCluster),
    storeRevisionOf: ({ namespace, service }) => {
      const key = keys.release(namespace, service);
      return mirror.entries.get(staging.overlay.has(key) ? keys.revHead : key)?.modRevision;
    },
    cut: (proxy, isCut) => server.cutLoadWindow(proxy, isCut),
  });

  const onChange = (batch: MirrorBatch): void => {
    const followed = followStaging(staging, batch, keys);
    staging = followed.staging;
    folder.note(staging);
    refusals.follow(batch);
    take(followed.changes, continuity.follow(batch));
    guard.changed(batch);
    roots.follow(state.snapshot.mesh.naming.roots);
  };
  /** `isFound`: the store has just become one to go on with, whatever this change is. */
  const take = (changes: EntryChanges, isFound: boolean): void => {
    const { snapshot: before, findings } = state;
    state = updateSnapshot(state, changes, { keys, kinds: allKinds });
    const { snapshot } = state;
    for (const { path, message } of newFindings(findings, state.findings)) {
      log.warn({ key: path, problem: message }, 'a value of the store cannot be used, and is not');
    }
    if ((snapshot !== before || isFound) && !continuity.isLost) {
      metrics.changed(snapshot.storeRevision);
      // A gray release goes out at once, and back at once, whatever else is changing.
      const isUrgent = isFound || snapshot.releases !== before.releases;
      if (isUrgent) metrics.releases(snapshot.releases);
      facts.releases(snapshot.releases);
      if (isReady) publisher.update(snapshot, isUrgent);
    }
    const changed = [...changes.puts, ...changes.deletes].map(({ key }) => key);
    for (const listener of listeners) listener(changed);
  };
  // The position is that of the mesh's own mirror: what a foreign registry shows is not a revision that anybody waits for.
  const roots = followNamingRoots(store, (changes) => {
    take({ ...changes, storeRevision: state.snapshot.storeRevision }, false);
    guard.note();
  });
  const continuity = followContinuity({
    pilot: id,
    keys,
    mirror: () => mirror,
    clock,
    log,
    onChange() {
      announce();
      const reason = continuity.reason();
      const message = reason === '' ? 'the store holds again what is to be served' : reason;
      const tone = reason === '' ? 'normal' : 'warning';
      events.record({ reason: reason === '' ? 'thawed' : 'frozen', tone, kind: 'Pilot', name: id, message });
    },
  });
  const folder = foldWhenLeft({ store, clock, log, head: () => mirror.entries.get(keys.revHead) }, closing.signal);
  // Events are only passed on to those who watch: whoever shows them reads them.
  const ranges = [...meshRanges(keys), keys.below('event')];
  const mirror = store.mirror({ list: ranges, watch: ranges, onChange });
  mirror.onState(({ synced }) => metrics.synced(synced));
  const events = openEventLog({ store, clock, log, by: `pilot ${id}` });
  const refusals = refusalLog({
    store,
    entry: (key) => mirror.entries.get(key),
    quarantine: () => publisher.quarantine,
    events,
    log,
  });
  const guard = openGuardLoop({
    store,
    registrar,
    mirror,
    clock,
    log,
    events,
    id,
    state: () => state,
    isTrusted: () => isReady && !continuity.isLost,
    done: (step) => {
      if (step.action === 'evict') metrics.evicted(step.by);
    },
  });

  const freshness = freshnessOf(store, mirror, clock);
  const whenReady = becomeReady();
  // Closed before it was ready: whoever waits for it is told, and nobody has to.
  whenReady.catch(() => undefined);
  const proxies = createProxies({
    pilot: id,
    publisher,
    networks,
    log,
    async fresh(signal) {
      await readyWithin(READY_WAIT_MS, signal);
      const isAtHead = await freshness.catchUp();
      publisher.publishNow();
      return isAtHead && !continuity.isLost;
    },
    // Before `onAcked`, so the window is cut before a command that waits for this can return.
    acked(proxy, storeRevision) {
      facts.acked(proxy, storeRevision);
      canaryFirst.acked(proxy, storeRevision);
    },
    rejected: (proxy) => canaryFirst.rejected(proxy),
    report: (proxy, report) => facts.report(proxy, report),
    left(proxy) {
      facts.left(proxy);
      canaryFirst.left(proxy);
    },
  });
  const canaryFirst = openCanaryFirst({
    clock,
    kinds: allKinds,
    proxies: () => server.acknowledged(),
    tell: (ids) => server.changed(ids),
  });
  const server = createAdsServer({
    host: proxies.host,
    clock,
    logger: log,
    metrics: metrics.xds,
    transport: options.xdsTransport,
    isServing: () => isReady && !closing.signal.aborted,
  });
  server.onAcked(() => acks.note());

  const live: LivePilot = {
    id,
    mirror,
    trustedNetworks: networks.cidrs,
    snapshot: () => (isReady ? state.snapshot : undefined),
    frozen: () => continuity.reason(),
    notReady() {
      if (closing.signal.aborted) return 'the pilot is stopping';
      return continuity.reason() || (isReady ? undefined : 'there is no complete view of the store yet');
    },
    findings: () => findingsOf(state, publisher.problems(), (kind, ns, name) => keys.def(kind, ns, name)),
    refusals: () => publisher.quarantine.refusals(),
    proxies: () => proxies.items(server.proxies()),
    proxyConfig: (proxy) => proxies.config(proxy),
    metrics: () => {
      metrics.guard(countsOf(state, guard.facts()));
      metrics.leads(guard.isLeader());
      metrics.refused(publisher.quarantine.refusals().length);
      return metrics.text();
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const app = createApi({ store, kinds: allKinds, clock, log, version, live });

  const closeOnce = async (): Promise<void> => {
    closing.abort(new Error('the pilot is closing'));
    // First out of the store, so that nobody is sent here any more; then the streams, which are served to their end.
    await within(LEAVE_LIMIT_MS, registrar.remove(keys.pilot(id)));
    await server.close();
    await Promise.all([acks.close(), facts.close(), publisher.close(), guard.close()]);
    canaryFirst.close();
    await events.close();
    await registrar.close();
    await http?.close();
    await Promise.all([mirror.close(), roots.close()]);
  };
  let closed: Promise<void> | undefined;
  const closeAll = (): Promise<void> => (closed ??= closeOnce());
  let http: Awaited<ReturnType<typeof listenHttp>> | undefined;
  try {
    http = await listenHttp(app, options.http, networks);
    const xdsAddress = await server.listen(options.xds);
    const advertised = { http: advertise(options, http.address), xds: advertise(options, xdsAddress) };
    own = { id, ...advertised, version, startedAt: clock.now() };
    void whenReady.then(announce, () => undefined);
    announce();
    log.info({ pilot: id, http: http.address, xds: xdsAddress, store: store.description }, 'pilot listens');
    return { id, httpAddress: http.address, xdsAddress, whenReady, close: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }

  async function readyWithin(ms: number, signal: AbortSignal): Promise<void> {
    if (await within(ms, untilAborted(whenReady, signal))) return;
    throw new MeshError('MESH2008', 'there is no complete view of the store yet', {
      retryable: true,
      hint: 'ask again',
    });
  }

  /** False when it takes longer. */
  async function within(ms: number, promise: Promise<void>): Promise<boolean> {
    const over = new AbortController();
    const limit = clock.sleep(ms, over.signal).then(
      () => false,
      () => true, // it was quicker
    );
    return Promise.race([promise.then(() => true), limit]).finally(() => over.abort(new Error('done')));
  }

  async function becomeReady(): Promise<void> {
    await mirror.whenListed;
    // The first list may be older than the store: one read of its head, and what that proves is what we serve.
    while (!(await freshness.catchUp())) {
      log.warn({ pilot: id, store: store.description }, 'the store does not show its head; trying again');
      await clock.sleep(HEAD_RETRY_MS, closing.signal);
    }
    await continuity.untilUndisputed(closing.signal);
    while (!(await takeLastGood())) await clock.sleep(HEAD_RETRY_MS, closing.signal);
    await untilAborted(roots.whenListed(), closing.signal);
    isReady = true;
    publisher.update(state.snapshot, true);
    publisher.publishNow();
    guard.note();
    log.info({ pilot: id, revision: state.snapshot.revision }, 'pilot serves');
  }

  /** Of what cannot be read: no proxy may lose it because its pilot was started again. False when the store is away. */
  async function takeLastGood(): Promise<boolean> {
    const shape = { keys, kinds: allKinds };
    try {
      const good = await readLastGood(store, state, shape, closing.signal);
      state = withLastGood(state, good, (key) => mirror.entries.get(key)?.value, shape);
      facts.releases(state.snapshot.releases);
      metrics.releases(state.snapshot.releases);
      if (good.size > 0) log.error({ keys: [...good.keys()] }, 'damaged values: what they were before is served');
      return true;
    } catch (error) {
      log.warn({ pilot: id, reason: messageOf(error) }, 'the store does not show its history; trying again');
      return false;
    }
  }

  /** One that is not ready is only heard of when it has something to object to. */
  function announce(): void {
    acks.note();
    const lost = continuity.lost();
    if (own === undefined || closing.signal.aborted || (!isReady && lost === undefined)) return;
    const status = { ...own, xds: isReady ? own.xds : '', ...(lost === undefined ? {} : { lost }) };
    registrar.set(keys.pilot(id), JSON.stringify(status));
  }
}

function advertise({ advertise: host }: PilotOptions, bound: string): string {
  const port = bound.slice(bound.lastIndexOf(':') + 1);
  if (host !== undefined) return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  if (!['0.0.0.0', '::'].includes(hostOf(bound))) return bound;
  throw new MeshError('MESH2007', `${bound} is no address that others could reach`, {
    hint: 'name the address of this machine: --advertise 10.0.0.5',
  });
}

/** Once each: a writer that repeats its mistake, as one with a lease does, is not news. */
function newFindings(before: SnapshotState['findings'], after: SnapshotState['findings']): readonly Problem[] {
  if (before === after) return [];
  return [...after].filter(([key, { message }]) => before.get(key)?.message !== message).map(([, problem]) => problem);
}

function findingsOf(
  state: SnapshotState,
  problems: ReturnType<ReturnType<typeof createPublisher>['problems']>,
  keyOf: (kind: string, namespace: string | undefined, name: string) => string,
): ReadonlyMap<string, readonly Problem[]> {
  const findings = new Map<string, Problem[]>();
  const add = (key: string, problem: Problem): void => {
    const known = findings.get(key) ?? [];
    // Every proxy that is served a definition reports the same about it.
    if (!known.some((one) => one.message === problem.message)) findings.set(key, [...known, problem]);
  };
  for (const [key, problem] of state.findings) add(key, problem);
  for (const { definition, problem } of problems) {
    if (definition === undefined) add(problem.path, problem);
    else add(keyOf(definition.kind, definition.namespace, definition.name), problem);
  }
  return findings;
}
