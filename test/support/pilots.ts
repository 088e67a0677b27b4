/** Pilot replicas as they run in production: processes of their own on one store, each on addresses that it keeps. */
import { type Daemon, freePort, startDaemon } from './mesh-process.js';
import { until } from './until.js';

export interface PilotProcess {
  readonly id: string;
  /** `http://host:port` */
  readonly server: string;
  /** `host:port` */
  readonly xds: string;
  /** Resolves when it serves; with `isReady: false` when it listens. On another store than its own only this time. */
  start(options?: { readonly isReady?: boolean; readonly storeUrl?: string }): Promise<{ readonly pid: number }>;
  /** SIGKILL, and waits until it is gone. */
  kill(): Promise<void>;
  stop(): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  log(): string;
  /** Of its API. */
  get<Answer>(path: string): Promise<Answer>;
}

export interface PilotOptions {
  readonly storeUrl: string;
  /** Where it listens; off loopback with the network that may come in plain text. */
  readonly host?: string;
  readonly trustedNetwork?: string;
  readonly env?: Readonly<Record<string, string>>;
}

const READY_LIMIT_MS = 60_000;

export async function pilotProcess(id: string, options: PilotOptions): Promise<PilotProcess> {
  const host = options.host ?? '127.0.0.1';
  const [http, xds] = [`${host}:${await freePort()}`, `${host}:${await freePort()}`];
  const server = `http://${http}`;
  const trusted = options.trustedNetwork === undefined ? [] : ['--trusted-network', options.trustedNetwork];
  let daemon: Daemon | undefined;
  return {
    id,
    server,
    xds,
    async start({ isReady = true, storeUrl = options.storeUrl } = {}) {
      const args = ['pilot', '--store', storeUrl, '--http', http, '--xds', xds, '--id', id, ...trusted];
      const started = startDaemon(args, options.env === undefined ? {} : { env: options.env });
      daemon = started;
      const status = (): Promise<number | undefined> =>
        fetch(`${server}/readyz`, { signal: AbortSignal.timeout(1000) }).then((answer) => answer.status);
      await until(
        `${id} ${isReady ? 'serves' : 'listens'}`,
        async () => (isReady ? (await status()) === 200 : (await status()) !== undefined),
        READY_LIMIT_MS,
      ).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${started.log().slice(-4000)}`);
      });
      return { pid: started.pid };
    },
    async kill() {
      daemon?.signal('SIGKILL');
      await daemon?.ended;
    },
    async stop() {
      await daemon?.stop();
    },
    signal: (signal) => daemon?.signal(signal),
    log: () => daemon?.log() ?? '',
    async get<Answer>(path: string) {
      const answer = await fetch(`${server}${path}`, { signal: AbortSignal.timeout(5000) });
      if (!answer.ok) throw new Error(`${server}${path}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as Answer; // the test names the shape that it asks for
    },
  };
}
