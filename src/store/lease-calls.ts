/** The lease and key calls of the registrar: each is one try on the current endpoint, with its own deadline, but for openLease. */
import type { ICompare, IRequestOp } from 'etcd3';
import type { Connection, Send } from './connection.js';

/** Below the 128 operations and 1.5 MiB that etcd takes in one transaction. */
const MAX_BATCH_KEYS = 100;
const MAX_BATCH_BYTES = 900 * 1024;

export interface GrantedLease {
  readonly id: string;
  /** The server may grant more than was asked for: its minimum is 2 s. */
  readonly ttlMs: number;
}

export async function grantLease(connection: Connection, ttlSeconds: number, limitMs: number): Promise<GrantedLease> {
  const request = { TTL: ttlSeconds, ID: 0 };
  const response = await connection.once(limitMs, (client, options) => client.leaseClient.leaseGrant(request, options));
  return { id: response.ID, ttlMs: Number(response.TTL) * 1000 };
}

/** As often and on as many endpoints as a call may take: a lease too many runs out by itself. Answers its id. */
export async function openLease(connection: Connection, ttlSeconds: number, signal?: AbortSignal): Promise<string> {
  const request = { TTL: ttlSeconds, ID: 0 };
  const send: Send<{ readonly ID: string }> = (client, options) => client.leaseClient.leaseGrant(request, options);
  return (await connection.call('open a lease', send, signal)).ID;
}

/** The keys that hang on the lease; undefined when it is gone. */
export async function keysOfLease(
  connection: Connection,
  id: string,
  limitMs: number,
): Promise<Set<string> | undefined> {
  const request = { ID: id, keys: true };
  const response = await connection.once(limitMs, (client, options) =>
    client.leaseClient.leaseTimeToLive(request, options),
  );
  if (Number(response.TTL) <= 0) return undefined;
  return new Set(response.keys.map((key) => key.toString()));
}

export async function revokeLease(connection: Connection, id: string, limitMs: number): Promise<void> {
  await connection.once(limitMs, (client, options) => client.leaseClient.leaseRevoke({ ID: id }, options));
}

/** Still the same life of this key: what every write demands of a claim. */
export interface Fence {
  readonly key: string;
  readonly createRevision: bigint;
}

function compareOf(fence: Fence | undefined): ICompare[] {
  if (fence === undefined) return [];
  const createRevision = String(fence.createRevision);
  return [{ key: Buffer.from(fence.key), target: 'Create', result: 'Equal', create_revision: createRevision }];
}

/** Creates the key, or answers what whoever has it has put there. May be sent again: what we have already stays ours. */
export async function takeKey(
  connection: Connection,
  lease: string,
  key: string,
  value: string,
  limitMs: number,
): Promise<{ readonly createRevision: bigint } | { readonly heldBy: string }> {
  const name = Buffer.from(key);
  const request = {
    compare: [{ key: name, target: 'Version', result: 'Equal', version: '0' } satisfies ICompare],
    success: [{ request_put: { key: name, value: Buffer.from(value), lease } } satisfies IRequestOp],
    failure: [{ request_range: { key: name } } satisfies IRequestOp],
  };
  const answer = await connection.once(limitMs, (client, options) => client.kv.txn(request, options));
  if (answer.succeeded) return { createRevision: BigInt(answer.header.revision) };
  const found = answer.responses[0]?.response_range.kvs[0];
  if (found?.lease === lease) return { createRevision: BigInt(found.create_revision) };
  return { heldBy: found?.value.toString() ?? '' };
}

/** False: the fence has fallen, nothing was written. */
export async function putKeys(
  connection: Connection,
  lease: string,
  keys: ReadonlyMap<string, string>,
  fence: Fence | undefined,
  limitMs: number,
): Promise<boolean> {
  const success = [...keys].map(([key, value]): IRequestOp => {
    return { request_put: { key: Buffer.from(key), value: Buffer.from(value), lease } };
  });
  const request = { compare: compareOf(fence), success };
  return (await connection.once(limitMs, (client, options) => client.kv.txn(request, options))).succeeded;
}

/** False: the fence has fallen, nothing was deleted. */
export async function deleteKeys(
  connection: Connection,
  keys: readonly string[],
  fence: Fence | undefined,
  limitMs: number,
): Promise<boolean> {
  const success = keys.map((key): IRequestOp => ({ request_delete_range: { key: Buffer.from(key) } }));
  const request = { compare: compareOf(fence), success };
  return (await connection.once(limitMs, (client, options) => client.kv.txn(request, options))).succeeded;
}

/** As many of the first keys as one transaction takes, at least one. */
export function firstBatch(keys: Iterable<string>, valueOf: (key: string) => string): Map<string, string> {
  const batch = new Map<string, string>();
  let bytes = 0;
  for (const key of keys) {
    const value = valueOf(key);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    if (batch.size > 0 && (batch.size >= MAX_BATCH_KEYS || bytes > MAX_BATCH_BYTES)) break;
    batch.set(key, value);
  }
  return batch;
}
