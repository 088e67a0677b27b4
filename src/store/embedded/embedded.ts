/**
 * A store for one machine in our own process, which speaks etcd's gRPC API: etcdctl, Go clients and our own connection use
 * it as they use etcd. Not replicated: who outgrows one machine points --store at a cluster.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { Engine } from './engine.js';
import { openJournal } from './journal.js';
import { takeLock } from './lock-file.js';
import { ETCD_SERVICES, loadEtcdServices } from './protos.js';
import { type Services, servicesOf } from './services.js';

export interface EmbeddedOptions {
  readonly dir: string;
  /** `host:port` on loopback, port 0 for any. Default: loopback, with the port of the last time when it is free. */
  readonly listen?: string;
  /** Size of the journal at which nothing more is taken (etcd's NOSPACE). Default 2 GiB, as etcd has it. */
  readonly quotaBytes?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface EmbeddedServer {
  /** `host:port`, also in the file `address` of the data directory. */
  readonly address: string;
  close(): Promise<void>;
}

const LOOPBACK = '127.0.0.1';
const MAX_RECEIVE_BYTES = 2 * 1024 * 1024;
const EXPIRY_CHECK_MS = 250;
/** Later than this by so much, the check knows that the whole process stood still: nobody could renew meanwhile. */
const STALL_MS = 1000;
const TIDY_MS = 60_000;
const PROGRESS_MS = 10 * 60_000;
const MARK_MS = 1000;

export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedServer> {
  const { dir, clock, log } = options;
  if (options.listen !== undefined) refuseOpenAddress(options.listen);
  await mkdir(dir, { recursive: true });
  const unlock = await takeLock(dir);
  const undo: (() => Promise<unknown>)[] = [unlock];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const { records, journal } = await openJournal(join(dir, 'journal'), log);
    undo.push(() => journal.close());
    const engine = new Engine(clock, journal, records, options.quotaBytes);
    await engine.tidy();
    await engine.durable();

    let address = '';
    const services = servicesOf(engine, clock, () => address);
    const server = serverOf(services.implementations);
    address = await bind(server, options.listen, await lastAddress(dir));
    undo.push(async () => server.forceShutdown());
    await writeAddress(dir, address);

    const stop = new AbortController();
    undo.push(async () => stop.abort());
    const repeat = repeatUntil(clock, stop.signal, log);
    repeat(EXPIRY_CHECK_MS, (lateMs) => {
      if (lateMs > STALL_MS) engine.leases.renewAll(clock.monotonic());
      engine.revokeExpired();
    });
    repeat(TIDY_MS, () => engine.tidy());
    repeat(MARK_MS, async () => {
      await engine.markJournal();
      if (engine.isTight) await engine.tidy();
    });
    repeat(PROGRESS_MS, () => services.reportProgress());
    engine.onFailure((error) => {
      log.error(
        { err: error, dir },
        'the embedded store stops: what is on its disk is not known any more. Nothing acknowledged is lost; start it again',
      );
      stop.abort();
      server.forceShutdown();
    });
    log.info(
      { address, dir, storeRevision: engine.mvcc.head, keys: engine.mvcc.keyCount },
      'the embedded store serves',
    );
    return { address, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function serverOf(implementations: Services['implementations']): Server {
  const definitions = loadEtcdServices();
  const server = new Server({ 'grpc.max_receive_message_length': MAX_RECEIVE_BYTES });
  for (const name of ETCD_SERVICES) server.addService(definitions[name], implementations[name]);
  return server;
}

async function bind(server: Server, listen: string | undefined, last: string | undefined): Promise<string> {
  if (listen === undefined && last !== undefined) {
    // The old address if it is free, so that clients of before a restart find us again.
    const address = await bindTo(server, last).catch(() => undefined);
    if (address !== undefined) return address;
  }
  return bindTo(server, listen ?? `${LOOPBACK}:0`);
}

/** Plain text and no login: whoever reaches it owns the mesh. */
function refuseOpenAddress(listen: string): void {
  const host = listen.slice(0, listen.lastIndexOf(':'));
  if (/^(127(\.\d{1,3}){3}|localhost|\[::1\])$/.test(host)) return;
  throw new MeshError('MESH2007', `the embedded store listens on loopback only, not on ${listen}`, {
    hint: 'It is for one machine. For several, run etcd and move there: `mesh store copy embedded:DIR etcd://HOST:2379`.',
  });
}

function bindTo(server: Server, listen: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.bindAsync(listen, ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(new MeshError('MESH2010', `the embedded store cannot listen on ${listen}`, { cause: error }));
      else resolve(`${listen.slice(0, listen.lastIndexOf(':'))}:${port}`);
    });
  });
}

async function lastAddress(dir: string): Promise<string | undefined> {
  const text = await readFile(join(dir, 'address'), 'utf8').catch(() => '');
  const address = text.trim();
  return address.startsWith(`${LOOPBACK}:`) ? address : undefined;
}

async function writeAddress(dir: string, address: string): Promise<void> {
  await writeFile(join(dir, 'address.new'), `${address}\n`);
  await rename(join(dir, 'address.new'), join(dir, 'address'));
}

/** Runs `act` again and again; it gets by how much it is late. What fails is tried again the next time. */
function repeatUntil(clock: Clock, signal: AbortSignal, log: Logger) {
  return (everyMs: number, act: (lateMs: number) => void | Promise<void>): void => {
    const run = async (): Promise<void> => {
      while (!signal.aborted) {
        const dueMs = clock.monotonic() + everyMs;
        await clock.sleep(everyMs, signal).catch(() => {}); // closed
        if (signal.aborted) return;
        try {
          await act(clock.monotonic() - dueMs);
        } catch (error) {
          log.error({ err: error }, 'upkeep of the embedded store failed');
        }
      }
    };
    void run(); // it catches what it does
  };
}
