/** Goal: a real Envoy reaches hosts of ServiceEntries, by every resolution and every way to speak to a proxy. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import { certificatesIn } from '../support/certificates.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { freePort } from '../support/mesh-process.js';
import { type OneSidecar, startOneSidecar } from '../support/one-sidecar.js';

describe.skipIf(isEnvoyMissing())('through a sidecar', () => {
  let apps: readonly Running[];
  let sidecar: OneSidecar;
  const folder = mkdtempSync(path.join(tmpdir(), 'lightmesh-external-'));

  beforeAll(async () => {
    apps = await Promise.all(
      ['v1', 'v2'].map((version) => startApp({ PORT: '0', MESH_SERVICE: 'outside', MESH_VERSION: version })),
    );
    sidecar = await startOneSidecar();
  });

  afterAll(async () => {
    await sidecar.stop();
    rmSync(folder, { recursive: true });
    await Promise.all(apps.map((app) => app.close()));
  });

  function entry(name: string, spec: string): string {
    return `---\napiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
  }

  const portOf = (i: number): number => apps[i]?.ports[0] ?? 0;
  const get = (host: string): Promise<string> => sidecar.curl('-H', `host: ${host}`, sidecar.proxyUrl());
  const tunnel = (host: string): Promise<string> => sidecar.curl('-p', '-x', sidecar.proxyUrl(), `http://${host}/`);

  test('requests and tunnels reach what the entry says, and nothing else', async () => {
    const [v1, v2] = [portOf(0), portOf(1)];
    await sidecar.apply(
      [
        entry(
          'static',
          `{ hosts: [static.example.com], addresses: [240.0.0.1], resolution: STATIC,
             ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${v1} }, { number: 7000, name: bytes, protocol: TCP, targetPort: ${v2} }, { number: 7001, name: any, targetPort: ${v2} }],
             endpoints: [{ address: 127.0.0.1 }] }`,
        ),
        entry(
          'dns',
          `{ hosts: [dns.example.com], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${v2} }], endpoints: [{ address: localhost }] }`,
        ),
        entry(
          'own',
          `{ hosts: [localhost], resolution: DNS_ROUND_ROBIN, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${v2} }] }`,
        ),
        entry(
          'any',
          `{ hosts: ["*.localhost"], ports: [{ number: ${v1}, name: http, protocol: HTTP }, { number: ${v2}, name: bytes, protocol: TCP }] }`,
        ),
        `---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: alias }
spec: { hosts: [alias.example.com], http: [{ route: [{ destination: { host: dns.example.com } }] }] }
`,
      ].join(''),
    );
    const backend = async (answer: Promise<string>): Promise<string | undefined> =>
      /^x-backend: (\S+)/im.exec(await answer)?.[1];
    expect(await backend(get('static.example.com'))).toBe('outside/v1');
    expect(await backend(get('240.0.0.1'))).toBe('outside/v1');
    expect(await backend(get('dns.example.com'))).toBe('outside/v2');
    expect(await backend(get('localhost'))).toBe('outside/v2');
    expect(await backend(get('alias.example.com'))).toBe('outside/v2');
    expect(await backend(tunnel('static.example.com:7000'))).toBe('outside/v2');
    expect(await backend(tunnel('static.example.com:80'))).toBe('outside/v1');
    expect(await backend(get('static.example.com:7001'))).toBe('outside/v2');
    expect(await backend(tunnel('static.example.com:7001'))).toBe('outside/v2');
    expect(await backend(get(`a.localhost:${v1}`))).toBe('outside/v1');
    expect(await backend(tunnel(`b.localhost:${v2}`))).toBe('outside/v2');
    expect(await get('static.example.com:81')).toMatch(/^HTTP\/1.1 404[^]*x-mesh-reason: unknown-host/);
    expect(await get('b.localhost')).toMatch(/^HTTP\/1.1 404/);
  });

  test('a Sidecar opens listeners in both directions, and lets unknown hosts go out', async () => {
    const [v1, v2] = [portOf(0), portOf(1)];
    const [web, bytes, inbound, secure] = [await freePort(), await freePort(), await freePort(), await freePort()];
    const server = certificatesIn(folder).sign('server');
    const socket = `lightmesh/egress/${process.pid}`;
    await sidecar.apply(
      [
        entry(
          'web',
          `{ hosts: [web.example.com], resolution: STATIC, ports: [{ number: ${web}, name: http, protocol: HTTP, targetPort: ${v1} }, { number: ${bytes}, name: bytes, protocol: TCP, targetPort: ${v2} }], endpoints: [{ address: 127.0.0.1 }] }`,
        ),
        entry(
          'hidden',
          `{ hosts: [hidden.example.com], resolution: STATIC, ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${v1} }], endpoints: [{ address: 127.0.0.1 }] }`,
        ),
        `---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec:
  outboundTrafficPolicy: { mode: ALLOW_ANY }
  ingress:
    - { port: { number: ${inbound}, protocol: HTTP, name: in }, bind: 127.0.0.1, defaultEndpoint: "127.0.0.1:${v1}", captureMode: NONE }
    - { port: { number: ${secure}, protocol: HTTPS, name: secure }, defaultEndpoint: "127.0.0.1:${v1}", tls: { mode: SIMPLE, serverCertificate: ${server.cert}, privateKey: ${server.key} } }
  egress:
    - { port: { number: ${web}, protocol: HTTP, name: web }, hosts: ["./web.example.com"] }
    - { port: { number: ${bytes}, protocol: TCP, name: bytes }, hosts: ["./web.example.com"] }
    - { port: { number: 0, protocol: HTTP, name: uds }, bind: "unix://@${socket}", hosts: ["./web.example.com"] }
`,
      ].join(''),
    );
    const backend = async (answer: Promise<string>): Promise<string | undefined> =>
      /^x-backend: (\S+)/im.exec(await answer)?.[1];
    expect(await backend(sidecar.curl('-H', 'host: web.example.com', `http://127.0.0.1:${web}/`))).toBe('outside/v1');
    expect(await backend(sidecar.curl('--abstract-unix-socket', socket, `http://web.example.com:${web}/`))).toBe(
      'outside/v1',
    );
    expect(await backend(sidecar.curl(`http://127.0.0.1:${bytes}/`))).toBe('outside/v2');
    expect(await backend(sidecar.curl(`http://127.0.0.1:${inbound}/`))).toBe('outside/v1');
    expect(await backend(sidecar.curl('-k', `https://127.0.0.1:${secure}/`))).toBe('outside/v1');
    // Nobody knows these: they are looked up as they stand.
    expect(await backend(get(`localhost:${v2}`))).toBe('outside/v2');
    expect(await backend(tunnel(`127.0.0.1:${v1}`))).toBe('outside/v1');
    expect(await get('hidden.example.com')).toMatch(/^HTTP\/1.1 503/);
  });
});
