/**
 * Other people's values where the pilot and its clients look: mistakes are told of once and left out, whatever they are, and
 * those who register themselves rightly are instances like any other.
 */
import { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openNaming } from '../../src/client/naming.js';
import { register } from '../../src/client/register.js';
import type { StatusResponse } from '../../src/model/api.js';
import { type Logger, silentLogger } from '../../src/runtime/logger.js';
import { openPilotHouse, type PilotHouse } from '../support/pilot-house.js';
import { until } from '../support/until.js';

const MEBIBYTE = 1 << 20;
const unreadable = 'a value of the store cannot be used, and is not';
const good = '{"Op":0,"Addr":"10.0.0.1:80","Metadata":null}';

const warnings: string[] = [];
const log: Logger = {
  ...silentLogger,
  warn: (fields, message) => {
    if (message === unreadable) warnings.push((fields as { key: string }).key);
  },
};
let house: PilotHouse;
/** Not our own way to the store: it writes any bytes. */
let anybody: Etcd3;

const put = (key: string | Buffer, value: string | Buffer): Promise<unknown> =>
  anybody.kv.put({ key: Buffer.from(key), value: Buffer.from(value) });
const status = (): Promise<StatusResponse> => house.get('/v1/status');
const audit = async (): Promise<unknown> => (await status()).services.find(({ name }) => name === 'audit')?.versions;

beforeAll(async () => {
  house = await openPilotHouse(undefined, log);
  anybody = new Etcd3({ hosts: house.store.addresses.map((address) => `http://${address}`) });
  await house.apply(
    'apiVersion: mesh/v1\nkind: Service\nmetadata: { name: audit }\nspec: { port: 80, protocol: grpc }\n',
  );
});

afterAll(async () => {
  anybody.close();
  await house.close();
});

test('who registers itself is an instance of its service', async () => {
  await put('services/audit/one', good);
  await until('it is there', async () => JSON.stringify(await audit()) === '[{"version":"","healthy":1,"total":1}]');
});

test('who leaves in order is forgotten at once: nobody waits for it to come back', async () => {
  const total = async (): Promise<unknown> => JSON.stringify(await audit());
  const address = '10.0.0.8:80';
  const registration = register({ etcd: house.store.addresses[0], service: 'audit', address });
  await until('the leader has seen it', () => house.store.get(house.store.keys.seen('default', 'audit', address)));
  expect(await total()).toBe('[{"version":"","healthy":2,"total":2}]');
  await registration.close();
  await until('it is forgotten', async () => (await total()) === '[{"version":"","healthy":1,"total":1}]');
});

const mistakes: readonly (readonly [string, string | Buffer, string | Buffer])[] = [
  ['no JSON', 'services/audit/a', 'hello'],
  ['no address', 'services/audit/b', '{"Op":0}'],
  ['an operation as a word', 'services/audit/c', '{"Op":"ADD","Addr":"10.0.0.2:80"}'],
  ['a mebibyte', 'services/audit/d', `{"Addr":"10.0.0.3:80","Metadata":"${'x'.repeat(MEBIBYTE)}"}`],
  ['bytes that are no text', 'services/audit/e', Buffer.from([0xff, 0xfe, 0x00])],
  ['a key that is no text', Buffer.from('services/audit/\xff', 'latin1'), 'x'],
  ['a host name', 'services/audit/f', '{"Addr":"host:80"}'],
  ['a service that is no name', 'services/Audit!/g', good],
  ['a definition that is none', 'lightmesh/def/Service/default/broken', '[]'],
];

test.each(mistakes)('%s is told of once, and nothing else suffers', async (what, key, value) => {
  const told = (await status()).findings.length;
  const warned = warnings.length;
  for (let again = 0; again < 3; again++) await put(key, value);
  const last = `services/audit/after ${what}`;
  await put(last, 'x');
  await until('the pilot has read all of it', () => warnings.includes(last));
  expect(warnings.length - warned).toBe(2);
  expect((await status()).findings.length - told).toBe(2);
  await anybody.kv.deleteRange({ key: Buffer.from(last) });
  expect(await audit()).toEqual([{ version: '', healthy: 1, total: 1 }]);
});

test('a finding names the key and what is wrong with it', async () => {
  const { findings } = await status();
  expect(findings).toContainEqual({ key: 'services/audit/c', message: 'Op is "ADD", expected 0 (add) or 1 (delete)' });
});

test("keys below our prefix that are not ours are nobody's business", async () => {
  const { findings } = await status();
  for (const key of ['lightmesh/other/thing', 'lightmesh/', 'lightmesh/plan/a/b/c', 'lightmesh/rev/x'])
    await put(key, '{');
  await put('services/audit/two', '{"Addr":"10.0.0.2:80"}');
  await until(
    'the pilot goes on',
    async () => JSON.stringify(await audit()) === '[{"version":"","healthy":2,"total":2}]',
  );
  expect((await status()).findings).toEqual(findings);
});

test('a client that resolves names has those that can be dialled, and the others do not stop it', async () => {
  const naming = await openNaming({ etcd: house.store.addresses[0], path: 'services/audit' });
  expect(naming.addresses()).toEqual(['10.0.0.1:80', '10.0.0.2:80', 'host:80']);
  await naming.close();
});

test('a corrected one is told of no more', async () => {
  await put('services/audit/b', '{"Addr":"10.0.0.4:80"}');
  const { findings } = await status();
  expect(findings.map(({ key }) => key)).not.toContain('services/audit/b');
});
