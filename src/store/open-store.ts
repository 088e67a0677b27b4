/** Opens a store by its URL. The embedded one is a server of our own that is then used by gRPC like any etcd. */
import { randomUUID } from 'node:crypto';
import { valueOf } from '../model/stored-value.js';
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError } from '../runtime/mesh-error.js';
import { adminOver, type StoreAdmin } from './admin.js';
import { type Connection, connect, type EtcdLogin, type TlsOptions } from './connection.js';
import { startEmbedded } from './embedded/embedded.js';
import { encodeEpoch } from './epoch.js';
import { type Keys, keysUnder } from './keys.js';
import { openLease } from './lease-calls.js';
import { listIntervals } from './list.js';
import { openMirror } from './mirror.js';
import type { Incoming } from './move.js';
import { toInterval } from './range.js';
import { openRegistrar } from './registrar.js';
import type { Store } from './store.js';
import { parseStoreUrl, type StoreUrl } from './store-url.js';
import { type Transact, transactOver } from './transact.js';

export interface OpenStoreOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** How long any single call may take, over all endpoints: then MESH2001. */
  readonly timeoutMs: number;
  /** Instead of the one in the URL. Ends with a slash. */
  readonly prefix?: string;
  /** Files' contents, for `etcds://`. Without: the system's certificate authorities. */
  readonly tls?: TlsOptions;
  /** For an etcd with authentication on; an embedded server has none. */
  readonly login?: EtcdLogin | undefined;
  /** Also a store into which a copy or a restore has not been finished: for those who finish it, and who look. */
  readonly allowUnfinished?: boolean;
  /** Where an embedded server listens, `host:port`. Default: loopback, the port it had before if that is free. */
  readonly listen?: string;
}

/** The layout of the keys. A store with a higher number was written by a newer lightmesh: hands off. */
const SCHEMA = 1;
/** A transaction's marker must outlive its call (transact.ts). */
const MAX_TIMEOUT_MS = 20_000;

export interface OpenedStore extends Store {
  readonly admin: StoreAdmin;
}

export async function openStore(url: StoreUrl | string, options: OpenStoreOptions): Promise<OpenedStore> {
  const parsed = typeof url === 'string' ? parseStoreUrl(url) : url;
  const prefix = options.prefix ?? parsed.prefix;
  if (parsed.kind === 'etcd') {
    const tls = parsed.tls && (options.tls ?? true);
    return open(parsed.addresses, tls, prefix, `etcd ${parsed.addresses.join(',')}`, options);
  }
  const { clock, log, listen } = options;
  const { dir, quotaBytes } = parsed;
  const server = await startEmbedded({
    dir,
    clock,
    log,
    ...(listen === undefined ? {} : { listen }),
    ...(quotaBytes === undefined ? {} : { quotaBytes }),
  });
  try {
    const description = `embedded ${parsed.dir} (etcd://${server.address})`;
    const own = { ...options, login: undefined };
    return await open([server.address], false, prefix, description, own, () => server.close());
  } catch (error) {
    await server.close();
    throw error;
  }
}

async function open(
  addresses: readonly string[],
  tls: TlsOptions | boolean,
  prefix: string,
  description: string,
  options: OpenStoreOptions,
  closeServer?: () => Promise<void>,
): Promise<OpenedStore> {
  const { clock, log } = options;
  const timeoutMs = Math.min(options.timeoutMs, MAX_TIMEOUT_MS);
  const connection = connect({ addresses, tls, login: options.login, clock, timeoutMs });
  const keys = keysUnder(prefix);
  const transact = transactOver(connection, keys, clock);
  try {
    await introduce(connection, keys, transact, options);
  } catch (error) {
    connection.close();
    throw error;
  }

  const closables = new Set<{ close(): Promise<void> }>();
  const open = <T extends { close(): Promise<void> }>(thing: T): T => {
    closables.add(thing);
    return thing;
  };
  return {
    prefix,
    description,
    addresses,
    keys,
    get: async (key, signal) => {
      const { entries } = await listIntervals(connection, [toInterval({ key })], {}, signal);
      return entries[0];
    },
    list: (ranges, listOptions, signal) => {
      const intervals = (Array.isArray(ranges) ? ranges : [ranges]).map(toInterval);
      return listIntervals(connection, intervals, listOptions, signal);
    },
    transact,
    admin: adminOver(connection),
    grant: (ttlSeconds, signal) => openLease(connection, ttlSeconds, signal),
    head: async (signal) => {
      const request = { key: Buffer.from(keys.metaEpoch), count_only: true };
      const send = connection.call(
        'read the head of the store',
        (client, call) => client.kv.range(request, call),
        signal,
      );
      return BigInt((await send).header.revision);
    },
    mirror: (mirrorOptions) => open(openMirror({ connection, clock, log, epochKey: keys.metaEpoch }, mirrorOptions)),
    isLeaseAlive: async (leaseId, signal) => {
      const request = { ID: leaseId, keys: false };
      const what = `ask for the lease ${leaseId}`;
      const answer = await connection.call(
        what,
        (client, call) => client.leaseClient.leaseTimeToLive(request, call),
        signal,
      );
      return Number(answer.TTL) > 0;
    },
    registrar: (registrarOptions) => open(openRegistrar({ connection, clock, log }, registrarOptions)),
    close: async () => {
      await Promise.all([...closables].map((thing) => thing.close()));
      connection.close();
      await closeServer?.();
    },
  };
}

/** The first to open a store names its history (`meta/epoch`), so that a wiped or restored one can be told apart. */
async function introduce(
  connection: Connection,
  keys: Keys,
  transact: Transact,
  { clock, allowUnfinished = false }: OpenStoreOptions,
): Promise<void> {
  const own = [keys.metaEpoch, keys.metaSchema, keys.metaIncoming];
  const { entries } = await listIntervals(
    connection,
    own.map((key) => toInterval({ key })),
  );
  const schema = Number(entries.find((entry) => entry.key === keys.metaSchema)?.value ?? SCHEMA);
  if (schema !== SCHEMA) {
    throw new MeshError(
      'MESH2006',
      `the store at ${keys.prefix} has layout ${schema}, this lightmesh knows ${SCHEMA}`,
      {
        hint: 'Use the version of lightmesh that has written it.',
      },
    );
  }
  const incoming = entries.find((entry) => entry.key === keys.metaIncoming);
  if (incoming && !allowUnfinished) throw unfinished(incoming.value);
  const epoch = { id: randomUUID(), at: clock.now(), made: 'first', by: '', why: '', after: '', accepts: [] } as const;
  const values = { [keys.metaEpoch]: encodeEpoch(epoch), [keys.metaSchema]: String(SCHEMA) };
  const missing = Object.entries(values).filter(([key]) => !entries.some((entry) => entry.key === key));
  if (missing.length === 0) return;
  await transact({
    compare: missing.map(([key]) => ({ key, exists: false })),
    put: missing.map(([key, value]) => ({ key, value })),
    delete: [],
  }); // somebody else was quicker when it conflicts: as good
}

function unfinished(value: string): MeshError {
  const what = valueOf<Incoming>(value, ['command', 'from']);
  const command = what?.command ?? 'copy';
  return new MeshError(
    'MESH2050',
    `a ${command} from ${what?.from ?? 'elsewhere'} into this store has not been finished`,
    {
      hint: `Type the same \`mesh store ${command}\` again: it goes on where it was.`,
    },
  );
}
