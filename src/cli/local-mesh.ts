/** The assembly of `mesh up`: store, pilot and the agents of this machine in one process. */
import { startAgent } from '../agent/agent.js';
import { type Pilot, startPilot } from '../pilot/pilot.js';
import { createLogger, type LogLevel } from '../runtime/logger.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Store } from '../store/store.js';
import { type Api, createApi } from './api-client.js';
import { pilotId } from './host-name.js';
import { httpTransport } from './http-transport.js';
import { followLocalNodes, type LocalAgents } from './local-agents.js';
import { openLastGoods } from './local-last-goods.js';
import { openStorePatiently } from './patient-store.js';
import type { Session } from './session.js';
import type { XdsTransport } from './shared-options.js';
import { packageVersion } from './version.js';

export interface LocalMeshOptions {
  readonly dataDir: string;
  readonly listen: string;
  readonly xds: string;
  readonly xdsTransport: XdsTransport;
  /** Instead of the embedded store. */
  readonly etcd: string | undefined;
  /** Of the embedded store, as in its URL. */
  readonly quota: string | undefined;
  readonly logLevel: LogLevel;
}

export interface LocalMesh {
  readonly store: Store;
  readonly pilot: Pilot;
  readonly api: Api;
  readonly server: string;
  /** Begins to follow the nodes of this machine. */
  runAgents(onChange: (nodes: readonly string[]) => void): Promise<LocalAgents>;
  close(): Promise<void>;
}

export async function startLocalMesh(session: Session, options: LocalMeshOptions): Promise<LocalMesh> {
  const { io, settings } = session;
  const { clock } = io;
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
  };
  try {
    const agentLog = createLogger('agent', options.logLevel);
    // Before the store, which may be away: sidecars that find no pilot have nobody else.
    const lastGoods = await openLastGoods({ dataDir: options.dataDir, clock, log: agentLog });
    closers.push(() => lastGoods.close());
    const embedded = `embedded:${options.dataDir}`;
    const url = options.etcd ?? (options.quota === undefined ? embedded : `${embedded}?quota=${options.quota}`);
    const log = createLogger('store', options.logLevel);
    const store = await openStorePatiently({ url, settings, cwd: io.cwd, clock, log }, lastGoods.all(), io.signal);
    closers.push(() => store.close());
    const pilot = await startPilot({
      store,
      http: options.listen,
      xds: options.xds,
      xdsTransport: options.xdsTransport,
      id: pilotId(options.xds),
      version: packageVersion(),
      clock,
      log: createLogger('pilot', options.logLevel),
    });
    closers.push(() => pilot.close());
    await untilReady(pilot, store, session);
    const server = `http://${pilot.httpAddress}`;
    const api = createApi(httpTransport(server, io.fetch), { timeoutMs: settings.timeoutMs, signal: io.signal });
    return {
      store,
      pilot,
      api,
      server,
      close,
      async runAgents(onChange) {
        const agents = await followLocalNodes({
          store,
          clock,
          log: agentLog,
          onChange,
          start: async (node, signal) =>
            startAgent(
              {
                node,
                store,
                lastGood: await lastGoods.of(node),
                dataDir: options.dataDir,
                dockerHost: io.env['DOCKER_HOST'],
                env: io.env,
                version: packageVersion(),
                clock,
                log: agentLog,
              },
              signal,
            ),
        });
        closers.push(() => agents.close());
        return agents;
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** At most --timeout: a store without a quorum would keep it waiting for ever. */
async function untilReady(pilot: Pilot, store: Store, { io, settings }: Session): Promise<void> {
  const over = new AbortController();
  const limit = io.clock.sleep(settings.timeoutMs, AbortSignal.any([io.signal, over.signal])).then(() => {
    throw new MeshError('MESH2008', `no complete view of ${store.description} within ${settings.timeoutMs} ms`, {
      hint: 'see whether the store has a quorum',
    });
  });
  try {
    await Promise.race([pilot.whenReady, limit]);
  } finally {
    over.abort(new Error('ready'));
    limit.catch(() => undefined); // whoever won the race has been heard already
  }
}
