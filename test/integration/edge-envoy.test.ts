/**
 * Goal: a real Envoy at the edge does what Gateways and VirtualServices say (TLS that ends there and TLS that is passed through,
 * weights, a gray release behind it), and a sidecar parts connections by server name and stands in for a service that is gone.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import type { Endpoint } from '../../src/model/instance.js';
import type { Release } from '../../src/model/release.js';
import { encodeResources } from '../../src/pilot/encode-resources.js';
import { type ProxyScope, readProxy, translate } from '../../src/pilot/translate/index.js';
import { MeshError } from '../../src/runtime/mesh-error.js';
import type { ProxyNode } from '../../src/xds/ads-host.js';
import type { View } from '../../src/xds/resource-cache.js';
import { certificatesIn } from '../support/certificates.js';
import { type Envoy, isEnvoyMissing, startEnvoy } from '../support/envoy.js';
import { freePort } from '../support/mesh-process.js';
import { endpoint, proxy, release, serviceYaml, world, yamls } from '../support/mesh-world.js';
import { bootstrapOf } from '../support/one-sidecar.js';
import { until } from '../support/until.js';
import { startXds, type TestXds } from '../support/xds-test-host.js';

const run = promisify(execFile);

/** How curl says, at one moment or the other, that the connection was ended: TLS, no answer, sending, receiving. */
const CUT = /curl: \((35|52|55|56)\)/;

describe.skipIf(isEnvoyMissing())('the edge', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'edge-'));
  const apps: Running[] = [];
  const tlsServers: Server[] = [];
  const views = new Map<string, View>();
  let revision = 0n;
  let xds: TestXds;
  let envoys: readonly Envoy[] = [];
  let edge: ProxyScope;
  let caller: ProxyScope;
  let endpoints: readonly Endpoint[];
  let ca: string;
  let client: { readonly cert: string; readonly key: string };
  let definitions: (...rules: readonly string[]) => string;
  let gateway: string;

  beforeAll(async () => {
    const authority = certificatesIn(folder);
    const server = authority.sign('server');
    client = authority.sign('client');
    ca = authority.ca;
    const [web, secure, raw, mutual] = [await freePort(), await freePort(), await freePort(), await freePort()];
    edge = proxy([], {
      service: 'edge',
      instance: 'edge-v1-1',
      isGateway: true,
      address: '127.0.0.1',
      servicePorts: [web, secure, raw, mutual].map((port, i) => ({ name: `p${i}`, port, protocol: 'tcp' as const })),
      ports: { app: {}, inbound: {}, proxy: await freePort(), metrics: await freePort(), upstreams: {} },
    });
    caller = proxy(
      [{ service: 'vault', port: 8443, protocol: 'tcp', listener: await freePort() }, { service: 'gone' }],
      {
        address: '127.0.0.1',
        ports: {
          app: { http: 1 },
          inbound: { http: await freePort() },
          proxy: await freePort(),
          metrics: await freePort(),
          upstreams: {},
        },
      },
    );
    endpoints = [
      endpoint(`shop/v1@127.0.0.1:${await app('v1')}`),
      endpoint(`shop/v2@127.0.0.1:${await app('v2')}`),
      endpoint(`vault/v1@127.0.0.1:${await speaker('v1')}`),
      endpoint(`vault/v2@127.0.0.1:${await speaker('v2')}`),
    ];
    gateway = `apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: front }
spec:
  selector: { app: edge }
  servers:
    - { port: { number: ${web}, name: web, protocol: HTTP }, hosts: ['*'] }
    - { port: { number: ${secure}, name: secure, protocol: HTTPS }, hosts: [shop.example.com], tls: { mode: SIMPLE, serverCertificate: ${server.cert}, privateKey: ${server.key} } }
    - { port: { number: ${secure}, name: passed, protocol: TLS }, hosts: ['*.vault.example.com'], tls: { mode: PASSTHROUGH } }
    - { port: { number: ${raw}, name: raw, protocol: TCP }, hosts: ['*'] }
    - { port: { number: ${mutual}, name: mutual, protocol: HTTPS }, hosts: ['*'], tls: { mode: MUTUAL, serverCertificate: ${server.cert}, privateKey: ${server.key}, caCertificates: ${ca} } }`;
    definitions = (...rules) =>
      yamls(
        serviceYaml('shop', ['v1', 'v2'], 'protocol: http, port: 80, stable: v1'),
        serviceYaml('vault', ['v1', 'v2'], 'protocol: tcp, port: 8443, stable: v1'),
        serviceYaml('gone', ['v1']),
        `apiVersion: mesh/v1
kind: Service
metadata: { name: edge }
spec: { gateway: true, ports: [${edge.servicePorts.map(({ name, port }) => `{ name: ${name}, port: ${port}, protocol: tcp }`).join(', ')}] }
---
apiVersion: mesh/v1
kind: Version
metadata: { name: edge-v1 }
spec: { service: edge, version: v1 }`,
        gateway,
        ...rules,
      );
    xds = await startXds({ host: { connect } });
    publish([toShop]);
    envoys = await Promise.all(
      [edge, caller].map((scope) => startEnvoy({ bootstrap: bootstrapOf(scope, xds.address) })),
    );
    await until('both proxies serve', acked);
  });

  afterAll(async () => {
    await Promise.all(envoys.map((envoy) => envoy.stop()));
    await xds?.stop();
    await Promise.all(apps.map((running) => running.close()));
    for (const server of tlsServers) server.close();
    rmSync(folder, { recursive: true });
  });

  async function app(version: string): Promise<number> {
    const running = await startApp({
      PORT: '0',
      MESH_SERVICE: 'shop',
      MESH_VERSION: version,
      MESH_PROTOCOL: 'http',
      MESH_INSTANCE: `shop-${version}-1`,
    });
    apps.push(running);
    return running.ports[0] ?? 0;
  }

  /** Ends TLS itself, and says who it is and which name it was asked for. */
  async function speaker(version: string): Promise<number> {
    const { cert, key } = certificatesIn(mkdtempSync(path.join(folder, 'vault-'))).sign('vault');
    const server = createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
      const body = `vault/${version} as ${(socket as TLSSocket & { servername?: string }).servername}`;
      socket.on('error', () => {});
      socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
    });
    tlsServers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  async function connect(node: ProxyNode) {
    const reading = readProxy(node);
    if (reading.kind === 'refused') throw new MeshError('MESH2007', reading.reason);
    return { view: () => views.get(reading.scope.id) as View, closed: () => undefined };
  }

  function publish(rules: readonly string[], releases: readonly Release[] = []): void {
    const snapshot = world({ yaml: definitions(...rules), endpoints, releases });
    revision += 1n;
    for (const scope of [edge, caller]) {
      const { byType, failures } = encodeResources(translate(snapshot, scope), undefined);
      if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join('\n'));
      views.set(scope.id, { storeRevision: revision, byType });
    }
    xds.server.changed();
  }

  async function acked(): Promise<boolean> {
    const proxies = xds.server.proxies();
    const refused = proxies.flatMap(({ types }) => Object.values(types)).find((state) => state.state === 'NACK');
    if (refused !== undefined) throw new Error(refused.error);
    return proxies.length === 2 && proxies.every(({ ackedRevision }) => ackedRevision === revision);
  }

  async function apply(rules: readonly string[], releases: readonly Release[] = []): Promise<void> {
    publish(rules, releases);
    await until(`revision ${revision} acknowledged`, acked);
  }

  const toShop = virtualService('shop', "['*']", 'http: [{ route: [{ destination: { host: shop } }] }]');

  function virtualService(name: string, hosts: string, rules: string, gateways = '[front]'): string {
    return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec: { hosts: ${hosts}, gateways: ${gateways}, ${rules} }`;
  }

  /** By curl, each name at 127.0.0.1. */
  async function curl(port: number | undefined, url: string, ...args: readonly string[]): Promise<string> {
    const [scheme = '', rest = ''] = url.split('://');
    const [host = '', ...path] = rest.split('/');
    const target = `${scheme}://${host}:${port}/${path.join('/')}`;
    const resolved = ['--resolve', `${host}:${port}:127.0.0.1`];
    const { stdout } = await run('curl', ['-sS', '-i', '--max-time', '5', ...resolved, ...args, target]);
    return stdout;
  }

  async function counts(n: number, ask: () => Promise<string>, pattern: RegExp): Promise<Record<string, number>> {
    const seen: Record<string, number> = {};
    for (const answer of await Promise.all(Array.from({ length: n }, ask))) {
      const name = pattern.exec(answer)?.[1] ?? answer;
      seen[name] = (seen[name] ?? 0) + 1;
    }
    return seen;
  }

  const portOf = (index: number): number | undefined => edge.servicePorts[index]?.port;

  test('answers for the hosts that are served, and shows strangers nothing of the others', async () => {
    await apply([
      virtualService(
        'shop',
        '[shop.example.com]',
        'http: [{ match: [{ uri: { prefix: /a } }], route: [{ destination: { host: shop } }] }]',
      ),
    ]);
    expect(await curl(portOf(0), 'http://shop.example.com/a')).toMatch(/x-backend: shop\/v1/);
    expect(await curl(portOf(0), 'http://shop.example.com/b')).toMatch(
      /404[^]*x-mesh-reason: no-rule[^]*nothing is served here/,
    );
    expect(await curl(portOf(0), 'http://other.example.com/a')).toMatch(/404[^]*x-mesh-reason: no-rule/);
  });

  test('ends TLS with its certificate, and asks clients for theirs where it must', async () => {
    await apply([toShop]);
    const answer = await curl(portOf(1), 'https://shop.example.com/', '-k');
    expect(answer).toMatch(/^HTTP\/2 200[^]*x-backend: shop\/v1/);
    await expect(curl(portOf(1), 'https://other.example.com/', '-k')).rejects.toThrow(CUT);
    await expect(curl(portOf(3), 'https://shop.example.com/', '-k', '--http1.1')).rejects.toThrow(CUT);
    const known = ['-k', '--cert', client.cert, '--key', client.key];
    expect(await curl(portOf(3), 'https://shop.example.com/', ...known)).toMatch(/x-backend: shop\/v1/);
  });

  test('gives the first service behind it a gray release, by weight and by header', async () => {
    const matches = [{ header: 'x-user', exact: 'jason' }];
    await apply([toShop], [release({ service: 'shop', weight: 50, matches })]);
    expect(await curl(portOf(0), 'http://shop.example.com/', '-H', 'x-user: jason')).toMatch(/x-backend: shop\/v2/);
    const seen = await counts(60, () => curl(portOf(0), 'http://shop.example.com/'), /x-backend: (\S+)/);
    // 4 sigma of 60 at one half.
    expect(Math.abs((seen['shop/v2'] ?? 0) - 30)).toBeLessThan(16);
    expect((seen['shop/v1'] ?? 0) + (seen['shop/v2'] ?? 0)).toBe(60);
    await apply([toShop], [release({ service: 'shop', phase: 'rolled-back', weight: 0 })]);
    expect(await counts(20, () => curl(portOf(0), 'http://shop.example.com/'), /x-backend: (\S+)/)).toEqual({
      'shop/v1': 20,
    });
  });

  test('passes TLS on by server name, beside the host that it ends it for', async () => {
    const rules = `tls: [
      { match: [{ sniHosts: [one.vault.example.com] }], route: [{ destination: { host: vault, subset: v1 } }] },
      { match: [{ sniHosts: ['*.vault.example.com'] }], route: [{ destination: { host: vault, subset: v2 } }] }]`;
    await apply([toShop, virtualService('vault', "['*.vault.example.com']", rules)]);
    expect(await curl(portOf(1), 'https://one.vault.example.com/', '-k')).toMatch(/vault\/v1 as one.vault.example.com/);
    expect(await curl(portOf(1), 'https://two.vault.example.com/', '-k')).toMatch(/vault\/v2 as two.vault.example.com/);
    expect(await curl(portOf(1), 'https://shop.example.com/', '-k')).toMatch(/x-backend: shop\/v1/);
  });

  test('parts TCP by weight, and a release takes its share of that', async () => {
    const half = virtualService(
      'raw',
      '[raw.example.com]',
      'tcp: [{ route: [{ destination: { host: vault }, weight: 1 }] }]',
    );
    const ask = (): Promise<string> => curl(portOf(2), 'https://raw.example.com/', '-k');
    await apply([half]);
    expect(await counts(10, ask, /(vault\/v\d)/)).toEqual({ 'vault/v1': 10 });
    await apply([half], [release({ service: 'vault', weight: 50 })]);
    const seen = await counts(60, ask, /(vault\/v\d)/);
    expect(Math.abs((seen['vault/v2'] ?? 0) - 30)).toBeLessThan(16);
    expect((seen['vault/v1'] ?? 0) + (seen['vault/v2'] ?? 0)).toBe(60);
  });

  test('a sidecar parts connections by server name: on a port of its own, and by the name that CONNECT gives', async () => {
    const rules = `tls: [{ match: [{ sniHosts: [vault.default.svc.cluster.local] }], route: [{ destination: { host: vault, subset: v2 } }] }],
      tcp: [{ route: [{ destination: { host: vault, subset: v1 } }] }]`;
    await apply([virtualService('vault', '[vault.default.svc.cluster.local]', rules, '[mesh]')]);
    const own = caller.upstreams[0]?.listener;
    expect(await curl(own, 'https://vault.default.svc.cluster.local/', '-k')).toMatch(/vault\/v2 as/);
    expect(await curl(own, 'https://vault/', '-k')).toMatch(/vault\/v1 as vault/);
    const { stdout } = await run('curl', [
      '-sSk',
      '-p',
      '-x',
      `http://127.0.0.1:${caller.ports.proxy}`,
      '--max-time',
      '5',
      'https://vault.default.svc.cluster.local:8443/',
    ]);
    expect(stdout).toMatch(/vault\/v2 as/);
  });

  test("the caller's sidecar answers for a service that cannot, as its Route says", async () => {
    const rules = (fallback: string): string => `apiVersion: mesh/v1
kind: Route
metadata: { name: gone }
spec: { service: gone, rules: [{ split: [{ version: v1, weight: 100 }]${fallback} }] }`;
    const ask = async (): Promise<string> => {
      const args = ['-sS', '-i', '--max-time', '5', '-H', 'host: gone:9080', `http://127.0.0.1:${caller.ports.proxy}/`];
      return (await run('curl', args)).stdout;
    };
    await apply([rules('')]);
    expect(await ask()).toMatch(/^HTTP\/1.1 503/);
    await apply([
      rules(
        `, fallback: { status: 200, headers: { content-type: application/json }, body: '{"items":[],"full":"100%"}' }`,
      ),
    ]);
    const answer = await ask();
    expect(answer).toMatch(/^HTTP\/1.1 200[^]*\{"items":\[\],"full":"100%"\}$/);
    expect(answer).toMatch(/content-type: application\/json\r\n/);
    expect(answer).toMatch(/x-mesh-reason: fallback\r\n/);
  });
});
