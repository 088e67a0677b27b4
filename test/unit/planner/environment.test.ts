import { describe, expect, it } from 'vitest';
import { appEnvironment } from '../../../src/planner/environment.js';
import { type SmallWorld, smallWorld } from '../../support/small-world.js';
import { planWorld, worldOf } from '../../support/worlds.js';

const store = ['10.0.0.5:2379', '10.0.0.6:2379'];

/** Of the only instance of `api`, whose spec and container are given. */
function environment(spec: Readonly<Record<string, unknown>>, container: object = {}): Record<string, string> {
  const world: SmallWorld = {
    nodes: [{ name: 'a' }],
    services: [
      { name: 'api', spec, versions: { v1: container } },
      { name: 'reviews', spec: { port: 9080 } },
      { name: 'audit', spec: { port: 9090, protocol: 'grpc' } },
      { name: 'db', spec: { port: 5432, protocol: 'tcp' } },
      { name: 'user-profile', namespace: 'shop', spec: { port: 80 } },
    ],
    deploy: [{ service: 'api', version: 'v1', instances: 1 }],
  };
  const [plan] = planWorld(worldOf(smallWorld(world))).plans;
  const [instance] = plan?.instances ?? [];
  if (plan === undefined || instance === undefined) throw new Error('nothing was planned');
  return appEnvironment(plan, instance, store);
}

describe('the environment of an app', () => {
  it('says who it is, where to listen and where its proxy is', () => {
    expect(environment({})).toEqual({
      MESH_INSTANCE: 'api-v1-1',
      MESH_LISTEN: '127.0.0.1',
      MESH_NAMESPACE: 'default',
      MESH_NODE: 'a',
      MESH_PROTOCOL: 'http',
      MESH_PROXY: 'http://127.0.0.1:20002',
      MESH_SERVICE: 'api',
      MESH_VERSION: 'v1',
      PORT: '20000',
    });
  });

  it('names each port when there are several', () => {
    const ports = [
      { name: 'web', port: 80, protocol: 'http' },
      { name: 'grpc-admin', port: 81, protocol: 'grpc' },
    ];
    expect(environment({ port: undefined, ports })).toMatchObject({
      PORT: '20000',
      PORT_WEB: '20000',
      PORT_GRPC_ADMIN: '20001',
    });
  });

  it('gives the shared proxy port for an upstream in mode 1, with a URL that the proxy understands', () => {
    expect(environment({ upstreams: [{ service: 'reviews' }, { service: 'user-profile.shop' }] })).toMatchObject({
      REVIEWS_ADDR: '127.0.0.1:20002',
      REVIEWS_URL: 'http://reviews:9080',
      USER_PROFILE_SHOP_ADDR: '127.0.0.1:20002',
      USER_PROFILE_SHOP_URL: 'http://user-profile.shop:80',
    });
  });

  it('gives an upstream with a listener of its own an address that needs no host', () => {
    expect(environment({ upstreams: [{ service: 'reviews', proxyPort: 29080 }] })).toMatchObject({
      REVIEWS_ADDR: '127.0.0.1:29080',
      REVIEWS_URL: 'http://127.0.0.1:29080',
    });
  });

  it('has no URL for what does not speak HTTP, and always a listener for plain TCP', () => {
    const found = environment({ upstreams: [{ service: 'audit' }, { service: 'db' }] });
    expect(found).toMatchObject({ AUDIT_ADDR: '127.0.0.1:20002', DB_ADDR: '127.0.0.1:20004' });
    expect(Object.keys(found).filter((name) => name.endsWith('_URL'))).toEqual([]);
  });

  it('gives the addresses themselves in mode 2', () => {
    const legacy = { name: 'legacy', address: ['10.1.1.1:80', '10.1.1.2:80'] };
    const mail = { name: 'mail', address: 'smtp.intern:25', protocol: 'tcp' };
    const found = environment({ upstreams: [legacy, mail] });
    expect(found).toMatchObject({
      LEGACY_ADDR: '10.1.1.1:80,10.1.1.2:80',
      LEGACY_URL: 'http://10.1.1.1:80',
      MAIL_ADDR: 'smtp.intern:25',
    });
    expect(found).not.toHaveProperty('MAIL_URL');
  });

  it('gives the naming target in mode 3, and where etcd is', () => {
    const upstreams = [{ domain: 'audit' }, { name: 'who', domain: 'user-profile.shop' }];
    expect(environment({ upstreams })).toMatchObject({
      AUDIT_ADDR: 'etcd:///services/audit',
      WHO_ADDR: 'etcd:///services.shop/user-profile',
      MESH_ETCD: '10.0.0.5:2379,10.0.0.6:2379',
    });
    expect(environment({})).not.toHaveProperty('MESH_ETCD');
  });

  it('sets http_proxy only where it is asked for, and not for what goes direct', () => {
    const upstreams = [{ name: 'legacy', address: ['legacy.intern:80', '[fd00::1]:80'] }];
    const found = environment({ httpProxy: true, upstreams });
    expect(found).toMatchObject({
      http_proxy: 'http://127.0.0.1:20002',
      no_proxy: 'localhost,127.0.0.1,::1,10.0.0.5,10.0.0.6,fd00::1,legacy.intern',
    });
    expect([found['HTTP_PROXY'], found['NO_PROXY']]).toEqual([found['http_proxy'], found['no_proxy']]);
    expect(environment({ upstreams })).not.toHaveProperty('http_proxy');
  });

  it("takes the user's own values, except over what the mesh says of the app's place", () => {
    const own = { A: 1, B: true, REVIEWS_ADDR: 'mine:1', PORT: '80', MESH_NODE: 'x' };
    expect(environment({ upstreams: [{ service: 'reviews' }] }, { environment: own })).toMatchObject({
      A: '1',
      B: 'true',
      REVIEWS_ADDR: 'mine:1',
      PORT: '20000',
      MESH_NODE: 'a',
    });
  });
});
