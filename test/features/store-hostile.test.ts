/** Real etcds that will not have us, or cannot take any more: a clear message, nothing lost, and no restart of ours after. */
import { readFileSync } from 'node:fs';
import { Etcd3, Range } from 'etcd3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DefinitionItem, List } from '../../src/model/api.js';
import { meshRanges } from '../../src/pilot/mesh-ranges.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { messageOf } from '../../src/runtime/mesh-error.js';
import type { EtcdLogin, TlsOptions } from '../../src/store/connection.js';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { type Certificate, certificatesIn } from '../support/certificates.js';
import { type Etcd, hasEtcd, startEtcd } from '../support/etcd.js';
import { startFaultProxy } from '../support/fault-proxy.js';
import { temporaryFolder } from '../support/mesh-process.js';
import { openPilotHouse, type PilotHouse } from '../support/pilot-house.js';
import { until } from '../support/until.js';

interface How {
  readonly tls?: TlsOptions;
  readonly login?: EtcdLogin;
}

function open(url: string, how: How = {}): Promise<Store> {
  return openStore(url, { clock: systemClock, log: silentLogger, timeoutMs: 3000, ...how });
}

function write(store: Store, key: string, value = '1'): Promise<unknown> {
  return store.transact({ compare: [], put: [{ key, value }], delete: [] });
}

describe.skipIf(!hasEtcd())('etcd with authentication on', () => {
  const root = { user: 'root', password: 'secret' };
  let etcd: Etcd;
  let admin: Etcd3;
  let early: Store;

  beforeAll(async () => {
    etcd = await startEtcd(() => ({ 'bcrypt-cost': '4' }));
    early = await open(etcd.url);
    admin = new Etcd3({ hosts: [`http://${etcd.address}`] });
    for (const { user, password } of [root, { user: 'guest', password: 'secret' }]) {
      await admin.user(user).create(password);
      await admin.role(user).create();
      await admin.user(user).addRole(user);
    }
    await admin.auth.authEnable();
  });

  afterAll(async () => {
    admin?.close();
    await early?.close();
    await etcd?.stop();
  });

  it.each([
    ['nobody', undefined, 'user name is empty', '--etcd-user'],
    ['a wrong password', { user: 'root', password: 'guess' }, 'authentication failed', 'MESH_ETCD_PASSWORD'],
    ['a user who may not', { user: 'guest', password: 'secret' }, 'permission denied', 'Grant the role'],
  ])('refuses %s, and we say what to do', async (_, login, reason, hint) => {
    const error = await open(etcd.url, login && { login }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'MESH2006', message: expect.stringContaining(reason) });
    expect(error).toMatchObject({ hint: expect.stringContaining(hint) });
  });

  it('is followed and written by one whose token it has forgotten, with the same lease', async () => {
    const store = await open(etcd.url, { login: root });
    const plans = [store.keys.below('plan')];
    const mirror = store.mirror({ list: plans, watch: plans, onChange: () => undefined });
    const registrar = store.registrar({ ttlSeconds: 10 });
    registrar.set(store.keys.node('a'), '{}');
    await registrar.flush();
    await until('synced', () => mirror.synced);
    const { leaseId } = registrar;
    // Tokens live in its memory: after this they are as good as run out, and the watch must be opened again.
    await etcd.restart();
    await until('plan b', () => write(store, store.keys.plan('b')).then(() => true));
    await until('plan b is seen', () => mirror.synced && mirror.entries.has(store.keys.plan('b')));
    registrar.set(store.keys.node('b'), '{}');
    await registrar.flush();
    expect(registrar.leaseId).toBe(leaseId);
    await store.close();
  });

  it('lets in a user with the permissions that the how-to names, and no more', async () => {
    const mesh = { user: 'mesh', password: 'secret' };
    const admins = new Etcd3({
      hosts: [`http://${etcd.address}`],
      auth: { username: root.user, password: root.password },
    });
    await admins.user(mesh.user).create(mesh.password);
    const role = admins.role('mesh');
    await role.create();
    for (const prefix of ['lightmesh/', 'services', 'versions']) {
      await role.grant({ permission: 'Readwrite', range: Range.prefix(prefix) });
    }
    await role.grant({ permission: 'Read', range: new Range('lightmesh/', 'versions0') });
    await admins.user(mesh.user).addRole('mesh');
    admins.close();

    const store = await open(etcd.url, { login: mesh });
    const ranges = meshRanges(store.keys);
    const mirror = store.mirror({ list: ranges, watch: ranges, onChange: () => undefined });
    const registrar = store.registrar({ ttlSeconds: 5 });
    registrar.set('services.other/web/10.0.0.1:80', '{"Op":0,"Addr":"10.0.0.1:80","Metadata":null}');
    await registrar.flush();
    await write(store, store.keys.def('Service', 'default', 'web'));
    await until(
      'both are seen',
      () =>
        mirror.synced &&
        mirror.entries.has('services.other/web/10.0.0.1:80') &&
        mirror.entries.has(store.keys.def('Service', 'default', 'web')),
    );
    await expect(write(store, 'elsewhere')).rejects.toMatchObject({
      message: expect.stringContaining('permission denied'),
    });
    await store.close();
  });

  it('turned on under a process that has no user, leaves it its lease and its last copy, and it goes on when it is off', async () => {
    const proxy = await startFaultProxy(etcd.address);
    const login = new Etcd3({
      hosts: [`http://${etcd.address}`],
      auth: { username: root.user, password: root.password },
    });
    await login.auth.authDisable();
    const store = await open(`etcd://${proxy.address}`);
    const plans = [store.keys.below('plan')];
    const mirror = store.mirror({ list: plans, watch: plans, onChange: () => undefined });
    const registrar = store.registrar({ ttlSeconds: 3 });
    registrar.set(store.keys.node('n'), '{}');
    await registrar.flush();
    await until('synced', () => mirror.synced);
    const copy = [...mirror.entries.keys()];
    const { leaseId } = registrar;

    await admin.auth.authEnable();
    proxy.cut();
    await until('not synced', () => !mirror.synced);
    await expect(write(store, store.keys.plan('d'))).rejects.toMatchObject({
      hint: expect.stringContaining('--etcd-user'),
    });
    expect([...mirror.entries.keys()]).toEqual(copy);

    await login.auth.authDisable();
    await write(store, store.keys.plan('d'));
    await until('synced again', () => mirror.synced && mirror.entries.has(store.keys.plan('d')));
    await registrar.flush();
    expect(registrar.leaseId).toBe(leaseId);
    login.close();
    await store.close();
    await proxy.close();
  });
});

describe.skipIf(!hasEtcd())('etcd with TLS and client certificates', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let secure: Etcd;
  let plain: Etcd;
  let ca: Buffer;
  let foreignCa: Buffer;
  let client: { cert: Buffer; key: Buffer };

  beforeAll(async () => {
    folder = await temporaryFolder('tls');
    const own = certificatesIn(folder.path);
    const server = own.sign('server');
    ca = readFileSync(own.ca);
    client = own.read(own.sign('client'));
    foreignCa = readFileSync(certificatesIn(folder.path, 'foreign').ca);
    [secure, plain] = await Promise.all([startEtcd(flagsFor(server, own.ca)), startEtcd()]);
  });

  afterAll(async () => {
    await secure?.stop();
    await plain?.stop();
    await folder?.remove();
  });

  it('is read, written, watched and kept a lease at', async () => {
    const store = await open(`etcds://${secure.address}`, { tls: { ca, ...client } });
    const plans = [store.keys.below('plan')];
    const mirror = store.mirror({ list: plans, watch: plans, onChange: () => undefined });
    const registrar = store.registrar({ ttlSeconds: 5 });
    registrar.set(store.keys.plan('leased'), '{}');
    await registrar.flush();
    await write(store, store.keys.plan('a'));
    await until('both', () => mirror.entries.size === 2);
    await store.close();
  });

  it.each([
    [
      'without a certificate of ours',
      'etcds',
      () => ({ tls: { ca } }),
      'does not accept our certificate',
      '--etcd-cert',
    ],
    [
      'with a CA that did not sign it',
      'etcds',
      () => ({ tls: { ca: foreignCa, ...client } }),
      'not signed by a CA',
      '--etcd-ca',
    ],
    ['with the CAs of the system', 'etcds', () => ({}), 'not signed by a CA', '--etcd-ca'],
    ['in plain text', 'etcd', () => ({}), 'takes connections and ends them', 'write etcds://'],
  ])('%s is not reached, and we say why', async (_, scheme, how, reason, hint) => {
    const error = await open(`${scheme}://${secure.address}`, how()).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'MESH2001', message: expect.stringContaining(reason) });
    expect(error).toMatchObject({ hint: expect.stringContaining(hint) });
  });

  it('that has none is not reached by TLS, and we say why', async () => {
    const error = await open(`etcds://${plain.address}`, { tls: { ca } }).catch((caught: unknown) => caught);
    expect(messageOf(error)).toContain('does not speak TLS');
    expect(error).toMatchObject({ code: 'MESH2001' });
    expect(error).toMatchObject({ hint: expect.stringContaining('etcd://') });
  });

  function flagsFor(server: Certificate, caFile: string) {
    return (port: number) => ({
      'listen-client-urls': `https://127.0.0.1:${port}`,
      'advertise-client-urls': `https://127.0.0.1:${port}`,
      'cert-file': server.cert,
      'key-file': server.key,
      'client-cert-auth': 'true',
      'trusted-ca-file': caFile,
    });
  }
});

describe.skipIf(!hasEtcd())('etcd whose quota is used up', () => {
  let etcd: Etcd;
  let admin: Etcd3;
  let house: PilotHouse;

  beforeAll(async () => {
    etcd = await startEtcd(() => ({ 'quota-backend-bytes': String(4 * 1024 * 1024) }));
    admin = new Etcd3({ hosts: [`http://${etcd.address}`] });
    house = await openPilotHouse(etcd.url);
  });

  afterAll(async () => {
    await house?.close();
    admin?.close();
    await etcd?.stop();
  });

  it('refuses with what to do, keeps leases and copies, and after the repair everything goes on by itself', async () => {
    const { store } = house;
    await house.apply(serviceText('before'));
    const registrar = store.registrar({ ttlSeconds: 2 });
    registrar.set(store.keys.node('old'), '{}');
    await registrar.flush();
    const { leaseId } = registrar;
    await fill(etcd);

    const refused = await house.send('POST', '/v1/apply', {
      by: 'test',
      files: [{ name: 'a', text: serviceText('refused') }],
    });
    expect(refused.body).toMatchObject({
      error: {
        code: 'MESH2006',
        message: expect.stringContaining('NOSPACE'),
        hint: expect.stringContaining('mesh store compact'),
      },
    });
    // A key more is wanted and cannot be written: the lease must not suffer from that.
    registrar.set(store.keys.node('new'), '{}');
    const since = performance.now();
    await until('the lease has outlived its TTL', () => performance.now() - since > 3000 && registrar.isAlive());
    expect((await store.get(store.keys.node('old')))?.lease).toBe(leaseId);
    expect(await services()).toEqual(['before']);

    await repair(etcd);
    await registrar.flush();
    expect(registrar.leaseId).toBe(leaseId);
    expect(await store.get(store.keys.node('new'))).toBeDefined();
    await house.apply(serviceText('after'));
    expect(await services()).toEqual(['after', 'before']);
    await registrar.close();
  });

  it('is no worse for values that are huge, foreign or damaged below our prefix', async () => {
    const { store } = house;
    const { keys } = store;
    const huge = 'x'.repeat(1_000_000);
    await admin.put(keys.def('Service', 'default', 'huge')).value(huge);
    await admin.put(`${keys.prefix}somebody/else`).value(huge.slice(0, 100_000));
    await admin.put(keys.plan('unknown')).value('{"node":');
    await admin.put(keys.staged('stranger', 0)).value('not ours');
    await admin.put(keys.rev(999)).value('[]');
    await house.apply(serviceText('more'));
    expect(await services()).toEqual(['after', 'before', 'more']);
    expect(await store.get(keys.staged('stranger', 0))).toBeUndefined();
    const { items } = await house.get<List<object>>('/v1/history');
    expect(items).toHaveLength(3);
    await admin.delete().key(keys.def('Service', 'default', 'huge'));
  });

  it('whose head of the revisions is damaged is still read, and nothing is written over it', async () => {
    const { store } = house;
    const { keys } = store;
    const head = await store.get(keys.revHead);
    await admin.put(keys.revHead).value('oops');
    const refused = await house.send('POST', '/v1/apply', {
      by: 'test',
      files: [{ name: 'a', text: serviceText('x') }],
    });
    expect(refused.body).toMatchObject({
      error: {
        code: 'MESH2006',
        message: expect.stringContaining('rev/head'),
        hint: expect.stringContaining('etcdctl put'),
      },
    });
    expect(await services()).toEqual(['after', 'before', 'more']);
    await admin.put(keys.revHead).value(head?.value ?? '');
    expect(await house.apply(serviceText('x'))).toMatchObject({ revision: 4 });
  });

  async function services(): Promise<readonly string[]> {
    const { items } = await house.get<List<DefinitionItem>>('/v1/definitions/services?namespace=all');
    return items.map((item) => item.name).filter((name) => name !== 'huge');
  }
});

function serviceText(name: string): string {
  return `apiVersion: mesh/v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { port: 80 }\n`;
}

/** Until etcd raises its alarm. */
async function fill(etcd: Etcd): Promise<void> {
  const client = new Etcd3({ hosts: [`http://${etcd.address}`] });
  const value = 'x'.repeat(400_000);
  const isFull = (): Promise<boolean> =>
    client
      .put('filler')
      .value(value)
      .then(
        () => false,
        () => true,
      );
  await until('no put is taken any more', isFull);
  client.close();
}

/** As the hint says: compact, defragment, disarm. */
async function repair(etcd: Etcd): Promise<void> {
  const client = new Etcd3({ hosts: [`http://${etcd.address}`] });
  const { header } = await client.kv.range({ key: Buffer.from('filler'), count_only: true });
  await client.kv.compact({ revision: header.revision, physical: true });
  await client.maintenance.defragment();
  const { alarms } = await client.maintenance.alarm({ action: 'Get' });
  for (const { memberID, alarm } of alarms) await client.maintenance.alarm({ action: 'Deactivate', memberID, alarm });
  client.close();
}
