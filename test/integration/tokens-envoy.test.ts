/** Goal: a real Envoy takes the tokens that RequestAuthentications say, with keys that it has fetched itself, and rules read their claims. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { freePort } from '../support/mesh-process.js';
import { endpoint, serviceYaml, yamls } from '../support/mesh-world.js';
import { type OneSidecar, startOneSidecar } from '../support/one-sidecar.js';

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function tokenBy(key: KeyObject, claims: object): string {
  const text = `${base64({ alg: 'RS256', kid: 'a', typ: 'JWT' })}.${base64(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
}

describe.skipIf(isEnvoyMissing())('tokens at a sidecar', () => {
  const ours = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const others = generateKeyPairSync('rsa', { modulusLength: 2048 });
  let sidecar: OneSidecar;
  let app: Running;
  let keys: Server;
  let keyPort: number;

  beforeAll(async () => {
    const ports = { app: { http: await freePort() }, inbound: { http: await freePort() } };
    const more = { proxy: await freePort(), metrics: await freePort(), upstreams: {} };
    sidecar = await startOneSidecar({ ports: { ...ports, ...more } });
    app = await startApp({ PORT: String(ports.app.http), MESH_SERVICE: 'productpage', MESH_VERSION: 'v1' });
    const key = { ...ours.publicKey.export({ format: 'jwk' }), kid: 'a', alg: 'RS256', use: 'sig' };
    keys = createServer((_request, response) => void response.end(JSON.stringify({ keys: [key] })));
    await new Promise<void>((resolve) => keys.listen(0, '127.0.0.1', resolve));
    keyPort = (keys.address() as AddressInfo).port;
  });

  afterAll(async () => {
    await sidecar.stop();
    await app.close();
    keys.close();
  });

  function apply(jwksUri: string): Promise<void> {
    const mesh = yamls(
      serviceYaml('productpage', ['v1']),
      serviceYaml('login', ['v1']),
      `apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: login }
spec:
  selector: { matchLabels: { app: productpage } }
  jwtRules:
    - issuer: login
      audiences: [shop]
      jwksUri: ${jwksUri}
      fromCookies: [token]
      fromHeaders: [{ name: authorization, prefix: "Bearer " }]
      outputClaimToHeaders: [{ header: x-user, claim: sub }]`,
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: admins }
spec:
  action: DENY
  rules: [{ to: [{ operation: { paths: [/admin] } }], when: [{ key: "request.auth.claims[groups]", notValues: [admins] }] }]`,
    );
    return sidecar.apply(mesh, [endpoint(`login/v1@127.0.0.1:${keyPort}`)]);
  }

  const claims = { iss: 'login', aud: 'shop', sub: 'ann', exp: 4_000_000_000 };

  async function ask(at: string, token?: string): Promise<{ readonly status: number; readonly text: string }> {
    const header =
      token === undefined
        ? []
        : ['-H', token.startsWith('token=') ? `cookie: ${token}` : `authorization: Bearer ${token}`];
    const text = await sidecar.curl(...header, `http://127.0.0.1:${sidecar.scope.ports.inbound['http']}${at}`);
    return { status: Number(text.split(' ')[1]), text };
  }

  test.each([
    ['a host of the mesh', () => 'http://login:9080/keys'],
    ['a host outside', () => `http://127.0.0.1:${keyPort}/keys`],
  ])('are checked with keys of %s', async (_, uri) => {
    await apply(uri());
    const good = await ask('/headers', tokenBy(ours.privateKey, claims));
    expect(good.status).toBe(200);
    expect(good.text).toMatch(/x-user"?: ?"?ann/);
    expect((await ask('/', tokenBy(others.privateKey, claims))).status).toBe(401);
    expect((await ask('/', tokenBy(ours.privateKey, { ...claims, aud: 'else' }))).status).toBe(403);
    expect((await ask('/', tokenBy(ours.privateKey, { ...claims, exp: 1 }))).status).toBe(401);
    expect((await ask('/')).status).toBe(200);
  });

  test('say who may, by their claims, also from a cookie', async () => {
    await apply(`http://127.0.0.1:${keyPort}/keys`);
    expect((await ask('/admin', tokenBy(ours.privateKey, claims))).status).toBe(403);
    const admin = tokenBy(ours.privateKey, { ...claims, groups: ['staff', 'admins'] });
    expect((await ask('/admin', admin)).status).toBe(200);
    expect((await ask('/admin', `token=${admin}`)).status).toBe(200);
    expect((await ask('/admin')).status).toBe(403);
  });
});
