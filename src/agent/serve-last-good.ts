/**
 * Serves the sidecars of the node what was kept of their configuration, on the failover socket of their bootstrap, for as
 * long as no pilot answers. Needs neither the store nor a plan nor Docker: after a reboot with everything else away it is
 * what is left.
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rename } from 'node:fs/promises';
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
import { instancesIn, keepLastGood } from './keep-last-good.js';
import { lastGoodView } from './last-good.js';
import { readLastGood } from './last-good-files.js';
import { createStays, type Stays } from './last-good-stays.js';
import { SHARED_FOLDER } from './node-files.js';
import { probe } from './probe.js';
import { throughShortPath } from './short-path.js';

/** How often the pilots are asked whether one of them is back, while a sidecar is served from here. */
const PILOTS_INTERVAL_MS = 1000;
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
  await listen(server, shared);
  const isServed = (instance: string): boolean => stays.has(instance);
  const running = [
    keepLastGood({ folder, clock, signal: closing.signal, isServed, tell }),
    sendBackForever({ server, stays, clock, signal: closing.signal, shared }),
  ];

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

/** Bound beside and renamed into place: an agent that ends later than its successor began removes its own name only. */
async function listen(server: AdsServer, shared: string): Promise<void> {
  await mkdir(shared, { recursive: true });
  const socket = path.join(shared, LAST_GOOD_SOCKET);
  const own = `${socket}.${randomBytes(4).toString('hex')}`;
  await throughShortPath(own, (short) => server.listen(`unix:${short}`));
  await chmod(own, SOCKET_MODE);
  await rename(own, socket);
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
    pilots.map(({ host, port }) => probe({ what, host: bracketed(host), port, timeoutMs: PILOTS_TIMEOUT_MS }, signal)),
  );
  return failures.includes(undefined);
}

/** As a URL has it. */
function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

interface SendingBack {
  readonly server: AdsServer;
  readonly stays: Stays;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly shared: string;
}

/**
 * Envoy stays with the second of its two control planes until that one ends the stream (`GrpcMuxFailover` of Envoy 1.40):
 * then it tries the first again after 500 ms. So it is sent back as soon as a pilot serves.
 */
async function sendBackForever({ server, stays, clock, signal, shared }: SendingBack): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(PILOTS_INTERVAL_MS, signal).catch(() => undefined); // closed
    const leaving = stays.mayEnd(clock.monotonic());
    if (leaving.length === 0 || !(await pilotServes(shared, signal))) continue;
    for (const proxy of leaving) server.sendAway(proxy);
  }
}
