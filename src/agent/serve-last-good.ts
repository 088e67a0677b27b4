/**
 * Serves the sidecars of the node what was kept of their configuration, on the failover socket of their bootstrap, for as
 * long as no pilot answers. Needs neither the store nor a plan nor Docker: after a reboot with everything else away it is
 * what is left.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { proxyParts } from '../model/names.js';
import { LAST_GOOD_SOCKET, PILOTS_FILE } from '../planner/bootstrap.js';
import { pilotsIn } from '../planner/pilots-file.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { AdsServer, ProxyHandle, ProxyNode } from '../xds/ads-host.js';
import { createAdsServer } from '../xds/ads-server.js';
import { readText } from './files.js';
import { instancesIn, openKeeper } from './keep-last-good.js';
import { lastGoodView } from './last-good.js';
import { readLastGood } from './last-good-files.js';
import { createStays } from './last-good-stays.js';
import { SHARED_FOLDER } from './node-files.js';
import { probe } from './probe.js';
import { throughShortPath } from './short-path.js';

/** How often sidecars are asked whether they have taken over anything, and pilots whether they can have their sidecars back. */
const ROUND_INTERVAL_MS = 1000;
const PILOTS_TIMEOUT_MS = 300;
const CLOSE_LIMIT_MS = 200;
const SOCKET_MODE = 0o600;

export interface LastGoodOptions {
  readonly dataDir: string;
  readonly node: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface LastGood {
  /** Instances that could be served now, sorted. */
  kept(): Promise<readonly string[]>;
  /** What could not be kept or read, a line each. */
  problems(): readonly string[];
  close(): Promise<void>;
}

/** Resolves when sidecars can connect. */
export async function serveLastGood({ dataDir, node, clock, log }: LastGoodOptions): Promise<LastGood> {
  const folder = path.join(path.resolve(dataDir), node);
  const shared = path.join(folder, SHARED_FOLDER);
  const closing = new AbortController();
  const problems = new Map<string, string>();
  const stays = createStays();
  const tell = (instance: string, problem: string | undefined): void => {
    if (problem === undefined) return void problems.delete(instance);
    if (problems.get(instance) !== problem) log.warn({ node, instance, problem }, 'last good configuration');
    problems.set(instance, problem);
  };

  const connect = async (proxy: ProxyNode): Promise<ProxyHandle> => {
    const instance = instanceOf(proxy, node);
    const { resources, damage } = await readLastGood(path.join(folder, instance));
    if (damage.length > 0)
      tell(instance, `the last good configuration of ${instance} is damaged: ${damage.join('; ')}`);
    if (resources === undefined) throw notNow(`nothing is kept for ${proxy.id}`);
    const doesPilotServe = await pilotServes(shared, closing.signal);
    if (!stays.mayBegin(instance, doesPilotServe, clock.monotonic())) throw notNow('a pilot answers: ask it');
    const view = lastGoodView(resources);
    stays.begin(instance, proxy.id, clock.monotonic());
    log.warn({ node, instance, doesPilotServe }, 'a sidecar gets its last good configuration');
    return {
      view: () => view,
      closed() {
        stays.end(instance);
        log.info({ node, instance }, 'a sidecar no longer needs its last good configuration');
      },
    };
  };

  const server = createAdsServer({ host: { connect }, clock, logger: log });
  let socket = await listen(server, shared);

  /** A second agent that was started by mistake takes the name and leaves: then it is ours again. */
  const keepName = async (): Promise<void> => {
    const there = await stat(path.join(shared, LAST_GOOD_SOCKET)).catch(() => undefined); // it has gone
    if (there?.ino !== socket) socket = await listen(server, shared);
  };
  /**
   * Envoy stays with the second of its two control planes until that one ends the stream (`GrpcMuxFailover` of Envoy 1.40):
   * then it tries the first again after 500 ms. So it is sent back as soon as a pilot serves.
   */
  const sendBack = async (): Promise<void> => {
    const leaving = stays.mayEnd(clock.monotonic());
    if (leaving.length === 0 || !(await pilotServes(shared, closing.signal))) return;
    for (const proxy of leaving) server.sendAway(proxy);
  };
  const keeper = openKeeper({ folder, clock, signal: closing.signal, isServed: (name) => stays.has(name), tell });
  const forever = async (act: () => Promise<void>): Promise<void> => {
    while (!closing.signal.aborted) {
      // The one catch of these loops: what fails now is tried again.
      await act().catch((error: unknown) => log.error({ node, error }, 'last good configuration: a round failed'));
      await clock.sleep(ROUND_INTERVAL_MS, closing.signal).catch(() => undefined); // closed
    }
  };
  const running = [keepName, sendBack, () => keeper.round()].map(forever);

  return {
    async kept() {
      const names = await instancesIn(folder);
      const found = await Promise.all(names.map((name) => readLastGood(path.join(folder, name))));
      return names.filter((_, i) => found[i]?.resources !== undefined).toSorted();
    },
    problems: () => [...problems.values()],
    async close() {
      closing.abort(new Error('closed'));
      await Promise.all(running);
      await server.close({ drainMs: CLOSE_LIMIT_MS });
    },
  };
}

function notNow(why: string): MeshError {
  return new MeshError('MESH2008', why, { retryable: true, hint: 'the sidecar asks the pilots next' });
}

/**
 * Bound beside and renamed into place: an agent that ends later than its successor began removes its own name only. Resolves
 * with what the socket is known by.
 */
async function listen(server: AdsServer, shared: string): Promise<number> {
  await mkdir(shared, { recursive: true });
  const own = `${path.join(shared, LAST_GOOD_SOCKET)}.${randomBytes(4).toString('hex')}`;
  await throughShortPath(own, (short) => server.listen(`unix:${short}`));
  await chmod(own, SOCKET_MODE);
  const { ino } = await stat(own);
  await rename(own, path.join(shared, LAST_GOOD_SOCKET));
  return ino;
}

function instanceOf({ id }: ProxyNode, node: string): string {
  const parts = proxyParts(id);
  if (parts?.node === node) return parts.instance;
  throw new MeshError('MESH2007', `${id} is no sidecar of node ${node}`, { hint: 'render its bootstrap again' });
}

/** Does any of the pilots that the sidecars know say that it serves? */
async function pilotServes(shared: string, signal: AbortSignal): Promise<boolean> {
  const pilots = pilotsIn((await readText(path.join(shared, PILOTS_FILE))) ?? '');
  const what = { kind: 'grpc', service: '' } as const;
  const failures = await Promise.all(
    pilots.map(({ host, port }) => probe({ what, host, port, timeoutMs: PILOTS_TIMEOUT_MS }, signal)),
  );
  return failures.includes(undefined);
}
