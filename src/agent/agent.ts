/** The agent of one node: makes its compose project be what `plan/<node>` says, registers what serves, reports. */

import { durationMs } from '../model/fields.js';
import type { NodeStatus } from '../model/leased-values.js';
import { defaultMesh, MESH_NAME, type MeshSpec, meshKind, touchMs } from '../model/mesh.js';
import { parseStored } from '../model/parse.js';
import type { StoredDefinition } from '../model/revision.js';
import { valueOf } from '../model/stored-value.js';
import { readTemplates } from '../planner/templates.js';
import type { Clock } from '../runtime/clock.js';
import { withEither } from '../runtime/either-signal.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import { openEventLog } from '../store/event-log.js';
import type { Registrar, RegistrarOptions, Store } from '../store/store.js';
import { isOwn, nodeIsTaken, ownIdentity, untilNodeIsFree } from './claim.js';
import { openCompose } from './compose.js';
import { DEFAULT_DOCKER_HOST, openDocker } from './docker.js';
import { type DockerView, openDockerView } from './docker-view.js';
import { openHealthWatch } from './health.js';
import { newsOf } from './news.js';
import { openNodeFiles } from './node-files.js';
import { openReconciler, type Progress, type Reconciler } from './reconcile.js';
import { openRegistration, type Registration } from './registration.js';
import { openRests } from './rests.js';
import { type LastGood, serveLastGood } from './serve-last-good.js';
import { openStoreView, type StoreView } from './store-view.js';
import { openWitness } from './witness.js';

export { nodesIn } from './node-files.js';
export { type LastGood, type LastGoodOptions, serveLastGood } from './serve-last-good.js';

const RESTATE_RETRY_MS = 500;

export interface AgentOptions {
  readonly node: string;
  /** Stays the caller's: the agent does not close it. */
  readonly store: Store;
  /** The node's files are below `<dataDir>/<node>/`. */
  readonly dataDir: string;
  /** Stays the caller's, who has opened it before the store. Default: its own. */
  readonly lastGood?: LastGood | undefined;
  /** `unix:///path` or `tcp://host:port`. Default: the local socket. */
  readonly dockerHost?: string | undefined;
  /** Such as `['docker', 'compose']`. Default: what this node was set up with, else what is found first. */
  readonly composeCommand?: readonly string[] | undefined;
  /** Environment for compose: PATH, HOME, proxies for pulling. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of lightmesh. */
  readonly version: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Agent {
  readonly node: string;
  /** Aborts when another agent has taken the node: while this one was cut off its lease ran out. Nothing it writes counts any more. */
  readonly taken: AbortSignal;
  progress(): Progress;
  /** Resolves when the node has reached a plan of at least this revision (default: the plan as it is then). */
  whenReached(revision: number | undefined, signal: AbortSignal): Promise<Progress>;
  /**
   * Ends the agent and nothing else: containers go on serving, and what is registered stays until the lease runs out, so
   * that an agent that is started again in time takes over without a gap.
   */
  close(): Promise<void>;
}

/** Resolves when the agent has seen Docker and the store, and has begun. The signal ends only the start. */
export async function startAgent(options: AgentOptions, signal: AbortSignal): Promise<Agent> {
  const { node, store, clock, log } = options;
  const closing = new AbortController();
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    closing.abort(new MeshError('MESH2008', 'the agent is closed'));
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
  };
  let reconciler: Reconciler | undefined;
  const note = (): void => reconciler?.note();
  const listeners = new Set<() => void>();
  try {
    const lastGood = options.lastGood ?? (await serveLastGood(options));
    if (options.lastGood === undefined) closers.push(() => lastGood.close());
    const leased = await registrarOptions(store, signal);
    const identity = await ownIdentity();
    await untilNodeIsFree(store, node, identity, leased.ttlSeconds * 1000, clock, signal);
    const docker = openDocker(options.dockerHost ?? DEFAULT_DOCKER_HOST);
    const dockerVersion = await docker.version();
    const files = await openNodeFiles({
      dataDir: options.dataDir,
      node,
      templates: readTemplates(),
      storeEndpoints: store.addresses,
    });
    const compose = await openCompose(
      { dockerHost: docker.host, memoryFile: files.composeMemory, env: options.env, command: options.composeCommand },
      signal,
    );
    let onOtherStore = (): void => {}; // nothing of ours is in it yet
    const storeView: StoreView = await openStoreView(
      { store, node, log, onChange: note, onOtherStore: () => onOtherStore() },
      signal,
    );
    closers.push(() => storeView.close());
    const taken = new AbortController();
    const onHeld = (value: string): void => {
      if (!isOwn(value, identity)) taken.abort(nodeIsTaken(node, value));
    };
    const registrar: Registrar = store.registrar({ ...leased, claim: { key: store.keys.node(node), onHeld } });
    closers.push(() => registrar.close({ keepLease: true }));
    const startedAt = clock.now();
    const report = ({ reachedRevision, problems }: Progress): void => {
      const lost = storeView.lost();
      const status: NodeStatus = {
        node,
        agent: identity,
        agentVersion: options.version,
        docker: dockerVersion,
        compose: compose.description,
        startedAt,
        reachedRevision,
        problems,
        ...(lost === undefined ? {} : { lost }),
      };
      registrar.set(store.keys.node(node), JSON.stringify(status));
      for (const listener of listeners) listener();
    };
    report({ reachedRevision: 0, planRevision: 0, problems: [] });
    // From here on no agent before us can write records: what is read now stays so.
    await withEither([signal, taken.signal], (either) => registrar.flush(either));
    const registration = await openRegistration(store, registrar, node, signal);
    const events = openEventLog({ store, clock, log, by: `agent ${node}` });
    closers.push(() => events.close());
    const news = newsOf(node, events, (instance) => {
      const planned = storeView.plan()?.instances.find((one) => one.instance === instance);
      return planned ?? registration.records().get(instance)?.record;
    });
    const rests = openRests(clock, Math.random, note, closing.signal);
    const dockerView: DockerView = await openDockerView({
      docker,
      node,
      clock,
      log,
      onChange: note,
      onDeath: ({ instance, role }) => {
        log.info({ node, instance, role }, 'a container has died');
        rests.died(instance);
        reconciler?.noteDeath();
      },
    });
    closers.push(() => dockerView.close());
    const witness = openWitness({ store, node, registrar, clock, log, random: Math.random });
    closers.push(() => witness.close());
    const health = openHealthWatch(docker, clock, note);
    closers.push(() => health.close());
    const running = openReconciler({
      storeView,
      dockerView,
      health,
      hands: { node, store, docker, compose, files, registration, rests, clock, log, news },
      lastGood,
      hasPilotsFile: await files.hasPilots(),
      onProgress: report,
    });
    reconciler = running;
    onOtherStore = () => {
      report(running.progress());
      void restateRecords(registration, options, closing.signal);
    };
    closers.push(() => running.close());
    log.info({ node, docker: dockerVersion, compose: compose.description }, 'agent started');
    news.node('node-back', `its agent ${options.version} has started, Docker ${dockerVersion}, ${compose.description}`);
    return {
      node,
      taken: taken.signal,
      progress: () => running.progress(),
      whenReached: (revision, waitSignal) => whenReached(running, listeners, revision, waitSignal),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Until it is done: what runs here is the truth, whatever the store was restored from. */
async function restateRecords(
  registration: Registration,
  { node, clock, log }: AgentOptions,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await registration.restate(signal);
      log.info({ node, records: registration.records().size }, 'said again what runs here');
      return;
    } catch (error) {
      if (!signal.aborted) log.warn({ node, reason: messageOf(error) }, 'could not say again what runs here');
      await clock.sleep(RESTATE_RETRY_MS, signal).catch(() => {}); // closed
    }
  }
}

function whenReached(
  reconciler: Reconciler,
  listeners: Set<() => void>,
  revision: number | undefined,
  signal: AbortSignal,
): Promise<Progress> {
  return new Promise((resolve, reject) => {
    const end = (finish: () => void): void => {
      listeners.delete(check);
      signal.removeEventListener('abort', aborted);
      finish();
    };
    const aborted = (): void => end(() => reject(signal.reason as Error));
    const check = (): void => {
      const progress = reconciler.progress();
      const wanted = revision ?? progress.planRevision;
      if (wanted > 0 && progress.reachedRevision >= wanted) end(() => resolve(progress));
    };
    if (signal.aborted) return aborted();
    signal.addEventListener('abort', aborted, { once: true });
    listeners.add(check);
    check();
  });
}

/** Read once: a lease keeps the time to live that it was granted with. Another value holds from the next start on. */
async function registrarOptions(store: Store, signal: AbortSignal): Promise<RegistrarOptions> {
  const entry = await store.get(store.keys.def('Mesh', undefined, MESH_NAME), signal);
  const stored = entry && valueOf<StoredDefinition>(entry.value, ['document']);
  const definition = stored && parseStored(stored.document, [meshKind]);
  // parseStored has found the shape of the one kind it was given.
  const mesh = (definition?.spec as MeshSpec | undefined) ?? defaultMesh;
  return { ttlSeconds: Math.ceil(durationMs(mesh.leaseTtl) / 1000), touchMs: touchMs(mesh) };
}
