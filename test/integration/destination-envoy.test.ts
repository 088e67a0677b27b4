/** Goal: a real Envoy speaks to destinations as DestinationRules say: TLS, the PROXY protocol, tunnels, places, sticky splits. */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import { SYSTEM_CAS } from '../../src/pilot/translate/client-tls.js';
import { localityAt } from '../../src/pilot/translate/index.js';
import { type Certificate, certificatesIn } from '../support/certificates.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { freePort } from '../support/mesh-process.js';
import { serviceYaml } from '../support/mesh-world.js';
import { type OneSidecar, startOneSidecar } from '../support/one-sidecar.js';
import { until } from '../support/until.js';

describe.skipIf(isEnvoyMissing())('through a sidecar', () => {
  let apps: readonly Running[];
  let sidecar: OneSidecar;
  const folder = mkdtempSync(path.join(tmpdir(), 'lightmesh-destination-'));
  const servers: Server[] = [];

  beforeAll(async () => {
    apps = await Promise.all(['v1', 'v2', 'v3'].map(startVersion));
    sidecar = await startOneSidecar({ locality: localityAt('r1', 'z1') });
  });

  afterAll(async () => {
    await sidecar.stop();
    rmSync(folder, { recursive: true });
    await Promise.all(apps.map((app) => app.close()));
    await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  });

  const startVersion = (version: string): Promise<Running> =>
    startApp({ PORT: '0', MESH_SERVICE: 'outside', MESH_VERSION: version });

  async function listening(server: Server): Promise<number> {
    servers.push(server);
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    return (server.address() as AddressInfo).port; // a port was asked for
  }

  function entry(host: string, ports: string, endpoints = '[{ address: 127.0.0.1 }]'): string {
    return `---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: ${host.replaceAll('.', '-')} }\nspec: { hosts: [${host}], resolution: STATIC, ports: [${ports}], endpoints: ${endpoints} }\n`;
  }

  function rule(host: string, policy: string, more = ''): string {
    return `---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: { name: ${host.replaceAll('.', '-')} }\nspec: { host: ${host}, trafficPolicy: ${policy}${more} }\n`;
  }

  const http = (targetPort: number): string => `{ number: 80, name: http, protocol: HTTP, targetPort: ${targetPort} }`;
  const tcp = (targetPort: number): string => `{ number: 7000, name: tcp, protocol: TCP, targetPort: ${targetPort} }`;
  const portOf = (i: number): number => apps[i]?.ports[0] ?? 0;
  const get = (host: string, ...args: string[]): Promise<string> =>
    sidecar.curl('-H', `host: ${host}`, ...args, sidecar.proxyUrl());
  const tunnel = (host: string): Promise<string> => sidecar.curl('-p', '-x', sidecar.proxyUrl(), `http://${host}/`);
  const versionIn = (answer: string): string => /^x-backend: outside\/(\S+)/im.exec(answer)?.[1] ?? 'none';
  const statusOf = async (answer: Promise<string>): Promise<number> =>
    Number(/^HTTP\/1.1 (?!200 Conn)(\d+)/m.exec(await answer)?.[1]);

  test('TLS asks for the right name, and takes the right certificate only', async () => {
    const authority = certificatesIn(folder);
    const server = authority.sign('server', 'DNS:simple.example.com,DNS:bytes.example.com,URI:spiffe://mesh/outside');
    const client = authority.sign('client');
    const asMesh: readonly [string, string][] = [
      [client.cert, 'cert-chain.pem'],
      [client.key, 'key.pem'],
      [authority.ca, 'root-cert.pem'],
    ];
    for (const [from, to] of asMesh) copyFileSync(from, path.join(folder, to));
    const port = await tlsEcho(server, authority.ca);
    const ca = `caCertificates: ${authority.ca}`;
    const rules: Readonly<Record<string, string>> = {
      'simple.example.com': `{ mode: SIMPLE, ${ca} }`,
      'wrong.example.com': `{ mode: SIMPLE, ${ca} }`,
      ...(existsSync(SYSTEM_CAS) ? { 'stranger.example.com': '{ mode: SIMPLE }' } : {}),
      'named.example.com': `{ mode: SIMPLE, ${ca}, sni: other.example.com, subjectAltNames: ["spiffe://mesh/outside"] }`,
      'any.example.com': '{ mode: SIMPLE, insecureSkipVerify: true }',
      'mutual.example.com': `{ mode: MUTUAL, ${ca}, clientCertificate: ${client.cert}, privateKey: ${client.key}, subjectAltNames: [simple.example.com] }`,
      'mesh.example.com': '{ mode: ISTIO_MUTUAL }',
    };
    await sidecar.apply(
      [
        serviceYaml('productpage', ['v1'], `protocol: http, port: 9080, stable: v1, certificates: ${folder}`),
        '\n',
        ...Object.entries(rules).flatMap(([host, tls]) => [entry(host, http(port)), rule(host, `{ tls: ${tls} }`)]),
        entry('bytes.example.com', tcp(port)),
        rule('bytes.example.com', `{ tls: { mode: SIMPLE, ${ca} } }`),
        entry('lost.example.com', tcp(port)),
        rule('lost.example.com', `{ tls: { mode: SIMPLE, ${ca} } }`),
      ].join(''),
    );
    const seen = async (answer: Promise<string>): Promise<unknown> =>
      JSON.parse(/\{.*\}/.exec(await answer)?.[0] ?? '{}');
    expect(await seen(get('simple.example.com'))).toEqual({ sni: 'simple.example.com', client: '' });
    expect(await statusOf(get('wrong.example.com'))).toBe(503);
    if ('stranger.example.com' in rules) expect(await statusOf(get('stranger.example.com'))).toBe(503);
    expect(await seen(get('named.example.com'))).toEqual({ sni: 'other.example.com', client: '' });
    expect(await seen(get('any.example.com'))).toEqual({ sni: 'any.example.com', client: '' });
    expect(await seen(get('mutual.example.com'))).toEqual({ sni: 'mutual.example.com', client: 'client' });
    expect(await seen(get('mesh.example.com'))).toEqual({ sni: 'outbound_.80_._.mesh.example.com', client: 'client' });
    // What goes through CONNECT names no host inside: it is the one that was connected to.
    expect(await seen(tunnel('bytes.example.com:7000'))).toEqual({ sni: 'bytes.example.com', client: '' });
    await expect(tunnel('lost.example.com:7000')).rejects.toThrow();
  });

  async function tlsEcho(server: Certificate, ca: string): Promise<number> {
    const options = { cert: readFileSync(server.cert), key: readFileSync(server.key), ca: readFileSync(ca) };
    return listening(
      createHttpsServer({ ...options, requestCert: true, rejectUnauthorized: false }, ({ socket }, response) => {
        const tls = socket as TLSSocket & { readonly servername: string }; // of an https server
        response.end(JSON.stringify({ sni: tls.servername, client: tls.getPeerCertificate().subject?.CN ?? '' }));
      }),
    );
  }

  test('the PROXY protocol stands before what is sent', async () => {
    const port = await listening(
      createServer((socket) =>
        socket.once('data', (first) => {
          const text = first.toString('latin1');
          const body = text.startsWith('PROXY ')
            ? text.slice(0, text.indexOf('\r\n'))
            : first.subarray(0, 12).toString('hex');
          socket.end(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`);
        }),
      ),
    );
    await sidecar.apply(
      [
        entry('one.example.com', http(port)),
        rule('one.example.com', '{ proxyProtocol: {} }'),
        entry('two.example.com', http(port)),
        rule('two.example.com', '{ proxyProtocol: { version: V2 } }'),
      ].join(''),
    );
    expect(await get('one.example.com')).toMatch(/PROXY TCP4 127\.0\.0\.1 127\.0\.0\.1 \d+ \d+$/);
    expect(await get('two.example.com')).toMatch(/0d0a0d0a000d0a515549540a$/);
  });

  test('a tunnel asks the proxy for another host', async () => {
    const asked: string[] = [];
    const proxy = createHttpServer().on('connect', ({ url = '' }, socket) => {
      asked.push(url);
      const onward = connect(Number(url.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
      onward.on('error', () => socket.destroy());
      socket.on('error', () => onward.destroy());
    });
    const port = await listening(proxy);
    const listener = await freePort();
    await sidecar.apply(
      [
        entry('proxy.example.com', `{ number: ${listener}, name: tcp, protocol: TCP, targetPort: ${port} }`),
        rule('proxy.example.com', `{ tunnel: { targetHost: localhost, targetPort: ${portOf(0)} } }`),
        `---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec:
  egress:
    - { port: { number: ${listener}, protocol: TCP, name: bytes }, hosts: ["./proxy.example.com"] }
    - { hosts: ["./*"] }
`,
      ].join(''),
    );
    expect(versionIn(await sidecar.curl(`http://127.0.0.1:${listener}/`))).toBe('v1');
    expect(versionIn(await tunnel(`proxy.example.com:${listener}`))).toBe('v1');
    expect(asked).toEqual([`localhost:${portOf(0)}`, `localhost:${portOf(0)}`]);
  });

  /** One endpoint in the caller's zone, one in the next, one in another region. */
  const places = (): string =>
    `[${['r1/z1', 'r1/z2', 'r2/z1'].map((locality, i) => `{ address: 127.0.0.1, ports: { http: ${portOf(i)} }, locality: ${locality}, labels: { version: v${i + 1} } }`).join()}]`;

  async function counted(host: string, requests: number, ...args: string[]): Promise<Readonly<Record<string, number>>> {
    const answers = await sidecar.curl('-H', `host: ${host}`, ...args, `${sidecar.proxyUrl()}/?[1-${requests}]`);
    const counts: Record<string, number> = {};
    for (const [, version = ''] of answers.matchAll(/^x-backend: outside\/(\S+)/gim))
      counts[version] = (counts[version] ?? 0) + 1;
    return counts;
  }

  test('shares by place are kept, and what is not named gets nothing', async () => {
    const distribute = 'distribute: [{ from: "r1/*", to: { "r1/z1": 70, "r2/*": 30 } }]';
    await sidecar.apply(
      entry('shared.example.com', http(1), places()) +
        rule('shared.example.com', `{ loadBalancer: { simple: ROUND_ROBIN, localityLbSetting: { ${distribute} } } }`),
    );
    const { v1 = 0, v2 = 0, v3 = 0 } = await counted('shared.example.com', 400);
    expect(v2).toBe(0);
    expect(v1 + v3).toBe(400);
    // Within four standard deviations of the share.
    expect(Math.abs(v1 / 400 - 0.7)).toBeLessThan(4 * Math.sqrt((0.7 * 0.3) / 400));
  });

  test('the nearest place is left when it fails, for the next one', async () => {
    const [near, middle] = [await startVersion('near'), await startVersion('middle')];
    const at = (app: Running, locality: string): string =>
      `{ address: 127.0.0.1, ports: { http: ${app.ports[0]} }, locality: ${locality} }`;
    const outlier = '{ consecutive5xxErrors: 1, interval: 100ms, baseEjectionTime: 60s, maxEjectionPercent: 100 }';
    const far = apps[2] as Running; // three were started
    await sidecar.apply(
      entry('near.example.com', http(1), `[${at(far, 'r2/z1')}, ${at(middle, 'r1/z2')}, ${at(near, 'r1/z1')}]`) +
        rule('near.example.com', `{ outlierDetection: ${outlier} }`),
    );
    expect(await counted('near.example.com', 20)).toEqual({ near: 20 });
    await near.close();
    await until('the next zone has taken over', async () => versionIn(await get('near.example.com')) === 'middle');
    expect(await counted('near.example.com', 20)).toEqual({ middle: 20 });
    await middle.close();
    await until('the other region has taken over', async () => versionIn(await get('near.example.com')) === 'v3');
  });

  test('answers that are called errors eject, others do not', async () => {
    const outlier =
      '{ consecutive5xxErrors: 1, outlierDetectionHttpErrorCodes: [429], baseEjectionTime: 60s, maxEjectionPercent: 100 }';
    await sidecar.apply(
      entry('codes.example.com', http(portOf(0))) + rule('codes.example.com', `{ outlierDetection: ${outlier} }`),
    );
    for (const status of [500, 503, 200])
      expect(await statusOf(get('codes.example.com', '-H', `x-want-status: ${status}`))).toBe(status);
    expect(await statusOf(get('codes.example.com', '-H', 'x-want-status: 429'))).toBe(429);
    await until('it is ejected', async () => (await statusOf(get('codes.example.com'))) === 503);
  });

  test('a caller keeps to its part of a split, and moves to the part that grows at most once', async () => {
    const world = (weight: number): string =>
      [
        entry('split.example.com', http(1), places()),
        rule(
          'split.example.com',
          '{ loadBalancer: { consistentHash: { httpHeaderName: x-user } } }',
          ', subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]',
        ),
        `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: split }
spec:
  hosts: [split.example.com]
  http: [{ route: [{ destination: { host: split.example.com, subset: v1 }, weight: ${100 - weight} }, { destination: { host: split.example.com, subset: v2 }, weight: ${weight} }] }]
`,
      ].join('');
    const users = Array.from({ length: 60 }, (_, i) => `user-${i}`);
    let before = new Set<string>();
    for (const weight of [10, 30, 60]) {
      await sidecar.apply(world(weight));
      const moved = new Set<string>();
      for (const user of users) {
        const counts = await counted('split.example.com', 3, '-H', `x-user: ${user}`);
        expect(Object.keys(counts)).toHaveLength(1);
        if ('v2' in counts) moved.add(user);
      }
      expect([...before].filter((user) => !moved.has(user))).toEqual([]);
      expect(Math.abs(moved.size / users.length - weight / 100)).toBeLessThan(4 * Math.sqrt(0.25 / users.length));
      before = moved;
    }
  });
});
