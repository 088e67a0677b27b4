/**
 * Goal: the embedded server answers as etcd does, word for word. Method: the same drawn requests go to a fresh one of each,
 * and every answer, error and watch event must be equal, revisions included.
 */
import { Etcd3, type IDuplexStream, type IWatchRequest, type IWatchResponse } from 'etcd3';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { messageOf } from '../../src/runtime/mesh-error.js';
import { hasEtcd } from '../support/etcd.js';
import { type StoreServer, startEmbeddedServer, startEtcdServer } from '../support/stores.js';
import { until } from '../support/until.js';

type Method = 'range' | 'put' | 'deleteRange' | 'txn' | 'compact';
interface Request {
  readonly method: Method;
  readonly body: object;
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const drawnKey = fc.constantFrom('a', 'ab', 'b', 'b\xff', 'c', 'd\0');
const key = fc.oneof({ weight: 30, arbitrary: drawnKey }, { weight: 1, arbitrary: fc.constant('') }).map(bytes);
/** Absent rather than empty: etcd takes empty bytes on the wire, which no client sends, for an open end. */
const end = fc.constantFrom(undefined, undefined, undefined, '\0', 'b', 'c', 'zz').map((text) => text && bytes(text));
const value = fc.string({ maxLength: 4 }).map(bytes);
const lease = fc.constantFrom('0', '0', '0', '0', '7', '8', '999');
const flag = fc.boolean();
const rarely = fc.constantFrom(...Array.from({ length: 9 }, () => false), true);
/** Most are of the past; etcd refuses those that are not yet, or no more. */
const revision = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 500 }) });
const bound = fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 100 }) });

const range = fc.record({
  key,
  range_end: end,
  limit: fc.constantFrom(0, 0, 1, 2),
  revision,
  sort_order: fc.constantFrom('None' as const, 'Ascend' as const, 'Descend' as const),
  sort_target: fc.constantFrom('Key' as const, 'Version' as const, 'Create' as const, 'Mod' as const, 'Value' as const),
  keys_only: flag,
  count_only: rarely,
  min_mod_revision: bound,
  max_mod_revision: bound,
  min_create_revision: bound,
  max_create_revision: bound,
});
const put = fc.record({ key, value, lease, prev_kv: flag, ignore_value: rarely, ignore_lease: rarely });
const deleteRange = fc.record({ key, range_end: end, prev_kv: flag });
/** Not with an open end: etcd 3.4 overlooks that it overlaps with a put of the same transaction; we refuse. */
const nestedDelete = deleteRange.filter(({ range_end }) => range_end?.[0] !== 0);
const compare = fc.tuple(
  fc.record({
    key,
    range_end: end,
    result: fc.constantFrom('Equal' as const, 'Greater' as const, 'Less' as const, 'NotEqual' as const),
  }),
  fc.oneof(
    fc.nat({ max: 3 }).map((version) => ({ target: 'Version' as const, version })),
    fc.nat({ max: 100 }).map((create_revision) => ({ target: 'Create' as const, create_revision })),
    fc.nat({ max: 100 }).map((mod_revision) => ({ target: 'Mod' as const, mod_revision })),
    value.map((text) => ({ target: 'Value' as const, value: text })),
    lease.map((id) => ({ target: 'Lease' as const, lease: id })),
  ),
);
const compares = fc.array(compare, { maxLength: 2 }).map((list) => list.map(([one, other]) => ({ ...one, ...other })));
const { txn } = fc.letrec<{ txn: object; operation: object }>((tie) => ({
  operation: fc.oneof(
    { maxDepth: 2 },
    put.map((request_put) => ({ request_put })),
    range.map((request_range) => ({ request_range })),
    nestedDelete.map((request_delete_range) => ({ request_delete_range })),
    tie('txn').map((request_txn) => ({ request_txn })),
  ),
  txn: fc.record({
    compare: compares,
    success: fc.array(tie('operation'), { maxLength: 3 }),
    failure: fc.array(tie('operation'), { maxLength: 3 }),
  }),
}));
const request: fc.Arbitrary<Request> = fc.oneof(
  { weight: 6, arbitrary: put.map((body) => ({ method: 'put' as const, body })) },
  { weight: 4, arbitrary: range.map((body) => ({ method: 'range' as const, body })) },
  { weight: 2, arbitrary: deleteRange.map((body) => ({ method: 'deleteRange' as const, body })) },
  { weight: 6, arbitrary: txn.map((body) => ({ method: 'txn' as const, body })) },
  { weight: 1, arbitrary: fc.nat({ max: 120 }).map((at) => ({ method: 'compact' as const, body: { revision: at } })) },
);

/** Without what names the server. */
function comparable(answer: unknown): string {
  return JSON.stringify(answer, (name, part: unknown) =>
    ['cluster_id', 'member_id', 'raft_term'].includes(name) ? undefined : part,
  );
}

describe.runIf(hasEtcd())('the embedded server beside etcd', () => {
  let servers: StoreServer[];
  let clients: Etcd3[];
  beforeAll(async () => {
    servers = [await startEmbeddedServer(), await startEtcdServer()];
    clients = servers.map(({ address }) => new Etcd3({ hosts: [`http://${address}`] }));
    for (const { leaseClient } of clients) {
      for (const ID of ['7', '8']) await leaseClient.leaseGrant({ ID, TTL: 600 });
    }
  }, 30_000);
  afterAll(async () => {
    for (const client of clients) client.close();
    for (const server of servers) await server.stop();
  });

  const ask = async (client: Etcd3, { method, body }: Request): Promise<string> =>
    (client.kv[method] as (body: object) => Promise<unknown>)
      .call(client.kv, body)
      .then(comparable, (error: unknown) => messageOf(error));

  it('gives the same answers to the same requests', async () => {
    await fc.assert(
      fc.asyncProperty(request, async (drawn) => {
        const [ours, theirs] = await Promise.all(clients.map((client) => ask(client, drawn)));
        expect(ours).toEqual(theirs);
      }),
      { seed: 7, numRuns: 1500, endOnFailure: true },
    );
  }, 60_000);

  it('refuses the same leases in the same words', async () => {
    const calls: ((client: Etcd3) => Promise<unknown>)[] = [
      (client) => client.leaseClient.leaseGrant({ ID: '7', TTL: 10 }),
      (client) => client.leaseClient.leaseGrant({ ID: '70', TTL: 1 }),
      (client) => client.leaseClient.leaseGrant({ ID: '71', TTL: '9000000001' }),
      (client) => client.leaseClient.leaseTimeToLive({ ID: '12345', keys: true }),
      (client) => client.leaseClient.leaseRevoke({ ID: '12345' }),
      (client) => client.leaseClient.leaseRevoke({ ID: '70' }),
      (client) => client.kv.put({ key: bytes('big'), value: Buffer.alloc(1_600_000) }),
    ];
    for (const call of calls) {
      const [ours, theirs] = await Promise.all(clients.map((one) => call(one).then(comparable, messageOf)));
      expect(ours).toEqual(theirs);
    }
    const attached = await Promise.all(
      clients.map(async ({ leaseClient }) => {
        const { keys, grantedTTL } = await leaseClient.leaseTimeToLive({ ID: '7', keys: true });
        return { keys: keys.map((one) => one.toString('latin1')).sort(), grantedTTL };
      }),
    );
    expect(attached[0]).toEqual(attached[1]);
  });

  it('tells the same events to watches of every kind, several on one stream', async () => {
    const range = { key: bytes('w/'), range_end: bytes('w0') };
    const seen = await Promise.all(clients.map((client) => watched(client, range)));
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]?.length).toBeGreaterThan(10);
  }, 20_000);

  async function watched(client: Etcd3, range: { key: Buffer; range_end: Buffer }): Promise<string[]> {
    const first = await client.kv.put({ key: bytes('w/1'), value: bytes('1') });
    const start_revision = first.header.revision;
    await client.kv.put({ key: bytes('w/1'), value: bytes('2') });
    const stream: IDuplexStream<IWatchRequest, IWatchResponse> = await client.watchClient.watch();
    const answers: IWatchResponse[] = [];
    stream.on('data', (answer) => answers.push(answer));
    stream.on('error', () => {}); // its end
    const create = async (create_request: object): Promise<void> => {
      const before = answers.filter(({ created }) => created).length;
      stream.write({ create_request });
      await until('created', () => answers.filter(({ created }) => created).length > before);
    };
    await create({ ...range, start_revision });
    await create({ ...range, start_revision, prev_kv: true, filters: ['Noput'] });
    await create({ ...range, watch_id: 42, prev_kv: true, filters: ['Nodelete'] });
    await create({ ...range, watch_id: 42 });
    await create({ key: bytes('w/2') });
    await create({ key: bytes('b'), range_end: bytes('a') });
    const success = [
      { request_put: { key: bytes('w/2'), value: bytes('1') } },
      { request_delete_range: { key: bytes('w/1') } },
      { request_put: { key: bytes('w/3'), value: bytes('1') } },
    ];
    await client.kv.txn({ success });
    stream.write({ cancel_request: { watch_id: 42 } });
    await until('cancelled', () => answers.some(({ canceled, watch_id }) => canceled && watch_id === '42'));
    const last = await client.kv.deleteRange(range);
    await until('all is told', () =>
      ['0', '1'].every((id) =>
        answers.some(({ watch_id, events }) => {
          return watch_id === id && events.some(({ kv }) => kv.mod_revision === last.header.revision);
        }),
      ),
    );
    await client.kv.compact({ revision: last.header.revision });
    await create({ ...range, watch_id: 50, start_revision });
    await until('refused', () => answers.some(({ canceled, watch_id }) => canceled && watch_id === '50'));
    stream.end();
    stream.cancel();
    return answers
      .toSorted((a, b) => Number(a.watch_id) - Number(b.watch_id))
      .map((answer) => comparable({ ...answer, header: undefined }));
  }
});
