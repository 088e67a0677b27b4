/** The only place that knows Docker's API. It reads, stops and removes; creating and starting is compose's business. */
import { once } from 'node:events';
import { Readable, Writable } from 'node:stream';
import Dockerode from 'dockerode';
import { byText } from '../model/order.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import type { ContainerState } from './actual.js';

export const DEFAULT_DOCKER_HOST = 'unix:///var/run/docker.sock';
const SHORT_CALL_LIMIT_MS = 30_000;
/** Docker kills after the container's own grace period; this is for an engine that does not answer at all. */
const STOP_LIMIT_MS = 10 * 60_000;
/** Of a check that fails: enough for its last words. */
const MAX_EXEC_OUTPUT = 1000;
/** Events of a container's life. Not `exec_*`: every health check inside a container makes three of those. */
const LIFE_EVENTS = ['create', 'start', 'die', 'destroy', 'pause', 'unpause'];

export interface Container {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: Exclude<ContainerState, 'absent'>;
  /** Docker has frozen it: the kernel still accepts connections for it. */
  readonly isPaused: boolean;
}

export interface Life {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Of its first process, as the machine counts; 0 when it does not run. */
  readonly pid: number;
}

export interface ContainerEvent {
  readonly id: string;
  readonly action: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Seconds with nine decimals, as `since` takes it. */
  readonly at: string;
}

export interface LogOptions {
  readonly follow: boolean;
  /** Lines from the end; undefined for all. */
  readonly tail?: number;
  readonly timestamps?: boolean;
}

export interface ExecResult {
  readonly exitCode: number;
  /** The end of what it wrote, at most MAX_EXEC_OUTPUT characters. */
  readonly output: string;
}

export interface Exec {
  /** Resolves when it has ended. Docker cannot stop it: when the signal aborts first, it goes on in its container. */
  result(signal: AbortSignal): Promise<ExecResult>;
  isRunning(): Promise<boolean>;
}

export interface Docker {
  readonly host: string;
  /** Of the engine, such as `20.10.24`. */
  version(): Promise<string>;
  /** All containers with these labels, whether they run or not, sorted by name. */
  list(labels: Readonly<Record<string, string>>): Promise<readonly Container[]>;
  /** Its present or last life; both are 0 when it never ran or does not exist. */
  life(id: string): Promise<Life>;
  /**
   * Calls `onOpen` when the stream is open, then `onEvent` for each event since `since` (default: from now). Ends when the
   * stream ends or the signal aborts; the caller opens it again.
   */
  events(
    labels: Readonly<Record<string, string>>,
    since: string | undefined,
    on: { open(): void; event(event: ContainerEvent): void },
    signal: AbortSignal,
  ): Promise<void>;
  /** Starts a stopped container. Fine when it runs already. */
  start(id: string): Promise<void>;
  /** Waits for the container's own grace period, then kills. Fine when it is stopped already or gone. */
  stop(id: string): Promise<void>;
  /** Removes it with its anonymous volumes, running or not. Fine when it is gone. */
  remove(id: string): Promise<void>;
  /** Runs a command in a container that runs. */
  exec(id: string, command: readonly string[]): Promise<Exec>;
  /** Copies its output until it ends (or, with follow, until the signal aborts). */
  logs(id: string, options: LogOptions, out: Writable, err: Writable, signal: AbortSignal): Promise<void>;
}

/** `unix:///path`, `tcp://host:port`, `http(s)://host:port`. Default: DOCKER_HOST's meaning, the local socket. */
export function openDocker(host: string = DEFAULT_DOCKER_HOST): Docker {
  const client = new Dockerode({ ...connection(host), timeout: 0 });
  const call = async <T>(what: string, promise: Promise<T>, limitMs = SHORT_CALL_LIMIT_MS): Promise<T> => {
    try {
      return await within(limitMs, promise);
    } catch (error) {
      throw new MeshError('MESH2009', `could not ${what} on Docker at ${host}: ${messageOf(error)}`, {
        cause: error,
        retryable: true,
      });
    }
  };
  return {
    host,
    version: async () => (await call('read the version', client.version())).Version,
    async list(labels) {
      const filters = { label: labelFilter(labels) };
      const found = await call('list containers', client.listContainers({ all: true, filters }));
      return found
        .map((info) => ({
          id: info.Id,
          name: (info.Names[0] ?? '').replace(/^\//, ''),
          labels: info.Labels,
          state: stateOf(info.State),
          isPaused: info.State === 'paused',
        }))
        .toSorted(byText(({ name }) => name));
    },
    async life(id) {
      const info = await call(`inspect ${id.slice(0, 12)}`, unlessGone(client.getContainer(id).inspect()));
      const at = Date.parse(info?.State.StartedAt ?? '');
      // Docker writes the year 1 for "never".
      return { startedAt: at > 0 ? at : 0, pid: info?.State.Pid ?? 0 };
    },
    events: (labels, since, on, signal) => readEvents(client, labels, since, on, signal),
    start: async (id) => {
      await call(`start ${id.slice(0, 12)}`, unlessGone(client.getContainer(id).start()));
    },
    stop: async (id) => {
      await call(`stop ${id.slice(0, 12)}`, unlessGone(client.getContainer(id).stop()), STOP_LIMIT_MS);
    },
    remove: async (id) => {
      await call(`remove ${id.slice(0, 12)}`, unlessGone(client.getContainer(id).remove({ force: true, v: true })));
    },
    exec: (id, command) => call(`run a command in ${id.slice(0, 12)}`, startExec(client, id, command)),
    logs: (id, options, out, err, signal) => copyLogs(client, id, options, out, err, signal),
  };
}

function connection(host: string): Dockerode.DockerOptions {
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) };
  if (host.startsWith('/')) return { socketPath: host };
  const url = new URL(host.replace(/^tcp:/, 'http:'));
  const protocol = url.protocol === 'https:' ? 'https' : 'http';
  return { protocol, host: url.hostname, port: Number(url.port === '' ? 2375 : url.port) };
}

function labelFilter(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`);
}

function stateOf(state: string): Container['state'] {
  // A paused container is not to be started again.
  if (state === 'running' || state === 'paused') return 'running';
  return state === 'restarting' ? 'restarting' : 'stopped';
}

/** 304: it is in that state already. 404: it is not there. 409: it is being removed. All of them are what we want. */
async function unlessGone<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    const status = (error as { statusCode?: number }).statusCode; // dockerode's errors carry the HTTP status
    if (status === 304 || status === 404 || status === 409) return undefined;
    throw error;
  }
}

async function within<T>(limitMs: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

async function readEvents(
  client: Dockerode,
  labels: Readonly<Record<string, string>>,
  since: string | undefined,
  on: { open(): void; event(event: ContainerEvent): void },
  signal: AbortSignal,
): Promise<void> {
  const filters = { type: ['container'], event: LIFE_EVENTS, label: labelFilter(labels) };
  const options: Dockerode.GetEventsOptions = {
    filters: JSON.stringify(filters),
    // Docker takes seconds with a fraction, and a number would lose its last digits.
    ...(since === undefined ? {} : { since: since as unknown as number }),
  };
  // The response itself: a stream around it would not let go of it before the next event.
  const stream = (await client.getEvents(options)) as Readable;
  const stop = (): void => void stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  if (signal.aborted) stop();
  on.open();
  try {
    let rest = '';
    for await (const chunk of stream) {
      const lines = (rest + String(chunk as Buffer)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines.filter((text) => text !== '')) on.event(eventOf(line));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
}

/** Shape: Docker Engine API, `GET /events`. */
function eventOf(line: string): ContainerEvent {
  const event = JSON.parse(line) as {
    readonly Action: string;
    readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
    readonly timeNano: number;
  };
  const nanos = BigInt(Math.round(event.timeNano)).toString().padStart(10, '0');
  return {
    id: event.Actor.ID,
    action: event.Action,
    labels: event.Actor.Attributes,
    at: `${nanos.slice(0, -9)}.${nanos.slice(-9)}`,
  };
}

async function copyLogs(
  client: Dockerode,
  id: string,
  options: LogOptions,
  out: Writable,
  err: Writable,
  signal: AbortSignal,
): Promise<void> {
  const common = {
    stdout: true,
    stderr: true,
    timestamps: options.timestamps ?? false,
    ...(options.tail === undefined ? {} : { tail: options.tail }),
  };
  const container = client.getContainer(id);
  // Without `follow` dockerode hands over one buffer in Docker's own framing.
  const stream = options.follow
    ? ((await container.logs({ ...common, follow: true })) as Readable)
    : Readable.from([await container.logs({ ...common, follow: false })]);
  const stop = (): void => void stream.destroy();
  signal.addEventListener('abort', stop, { once: true });
  client.modem.demuxStream(stream, out, err);
  try {
    await new Promise<void>((resolve, reject) => {
      stream.once('close', resolve);
      stream.once('end', resolve);
      stream.once('error', (error) => (signal.aborted ? resolve() : reject(error)));
      if (signal.aborted) stop();
    });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function startExec(client: Dockerode, id: string, command: readonly string[]): Promise<Exec> {
  const options = { Cmd: [...command], AttachStdout: true, AttachStderr: true };
  const exec = await client.getContainer(id).exec(options);
  const stream = await exec.start({ hijack: false, stdin: false });
  return {
    async result(signal) {
      let output = '';
      const sink = new Writable({
        write(chunk, _encoding, done) {
          output = (output + String(chunk as Buffer)).slice(-MAX_EXEC_OUTPUT);
          done();
        },
      });
      client.modem.demuxStream(stream, sink, sink);
      const stop = (): void => void stream.destroy();
      signal.addEventListener('abort', stop, { once: true });
      try {
        if (!signal.aborted) await once(stream, 'close');
      } finally {
        signal.removeEventListener('abort', stop);
        stream.destroy();
      }
      signal.throwIfAborted();
      const { ExitCode } = await exec.inspect();
      return { exitCode: ExitCode ?? -1, output: output.trim() };
    },
    isRunning: async () => (await exec.inspect()).Running,
  };
}
