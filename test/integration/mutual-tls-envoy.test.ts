/**
 * Goal: a real Envoy asks callers for certificates as PeerAuthentications say, tells policies who they are, and calls such
 * services itself with its own.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import { type Certificate, certificatesIn } from '../support/certificates.js';
import { fencedBlocks, readPage } from '../support/doc-commands.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { endpoint, serviceYaml, yamls } from '../support/mesh-world.js';
import { type OneSidecar, startOneSidecar } from '../support/one-sidecar.js';

describe.skipIf(isEnvoyMissing())('mutual TLS', () => {
  const work = mkdtempSync(path.join(tmpdir(), 'mutual-'));
  const folder = path.join(work, 'mesh');
  const callers: Record<string, Certificate> = {};
  let sidecar: OneSidecar;
  let app: Running;

  beforeAll(async () => {
    const authority = certificatesIn(work);
    const stranger = mkdtempSync(path.join(work, 'stranger-'));
    const name = (account: string, domain = 'cluster.local') => `URI:spiffe://${domain}/ns/default/sa/${account}`;
    callers['own'] = authority.sign('own', name('productpage'));
    callers['ratings'] = authority.sign('ratings', name('ratings'));
    callers['elsewhere'] = authority.sign('elsewhere', name('productpage', 'elsewhere'));
    callers['forged'] = certificatesIn(stranger).sign('forged', name('productpage'));
    mkdirSync(folder);
    copyFileSync(callers['own'].cert, path.join(folder, 'cert-chain.pem'));
    copyFileSync(callers['own'].key, path.join(folder, 'key.pem'));
    copyFileSync(authority.ca, path.join(folder, 'root-cert.pem'));
    sidecar = await startOneSidecar({
      certificates: folder,
      labels: { app: 'productpage', version: 'v1' },
      upstreams: [
        {
          mode: 'proxy',
          service: 'productpage',
          namespace: 'default',
          name: 'self',
          port: 9080,
          protocol: 'http',
          listener: undefined,
        },
      ],
    });
    const facts = { MESH_SERVICE: 'productpage', MESH_VERSION: 'v1', MESH_INSTANCE: 'productpage-v1-1' };
    app = await startApp({ PORT: String(sidecar.scope.ports.app['http']), MESH_PROTOCOL: 'http', ...facts });
  });

  afterAll(async () => {
    await sidecar?.stop();
    await app?.close();
    rmSync(work, { recursive: true });
  });

  const door = (): number => sidecar.scope.ports.inbound['http'] as number; // it was given

  async function apply(mode: string, ...more: readonly string[]): Promise<void> {
    const service = serviceYaml(
      'productpage',
      ['v1'],
      `protocol: http, port: 9080, stable: v1, certificates: ${folder}`,
    );
    const policy = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: ${mode} } }`;
    await sidecar.apply(yamls(service, policy, ...more), [endpoint(`productpage/v1@127.0.0.1:${door()}`)]);
  }

  /** The answer's status, or how the connection ended. */
  const plainly = (): Promise<string> =>
    sidecar.curl('-o', '/dev/null', '-w', '%{http_code}', `http://127.0.0.1:${door()}/`).then(
      (said) => said.trim().slice(-3),
      () => 'cut',
    );

  /** As callers of the mesh do it, by the certificate of one of them. */
  function asCaller(name: string | undefined): Promise<string> {
    const files = name === undefined ? undefined : callers[name];
    const pair = files && { cert: readFileSync(files.cert), key: readFileSync(files.key) };
    return new Promise((resolve) => {
      const options = { port: door(), rejectUnauthorized: false, ALPNProtocols: ['istio', 'http/1.1'], agent: false };
      request({ host: '127.0.0.1', ...options, ...pair }, (answer) => {
        answer.resume();
        resolve(String(answer.statusCode));
      })
        .on('error', () => resolve('cut'))
        .end();
    });
  }

  const throughItself = async (): Promise<string> =>
    (await sidecar.curl('-H', 'host: productpage:9080', sidecar.proxyUrl())).split('\r\n')[0] ?? '';

  const withCertificates = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: mutual }
spec: { host: '*.default.svc.cluster.local', trafficPolicy: { tls: { mode: ISTIO_MUTUAL } } }`;

  test('STRICT lets in who has a certificate of the mesh, and nobody else', async () => {
    await apply('STRICT');
    expect(await plainly()).toBe('cut');
    expect(await asCaller('own')).toBe('200');
    expect(await asCaller('ratings')).toBe('200');
    expect(await asCaller(undefined)).toBe('cut');
    expect(await asCaller('elsewhere')).toBe('cut');
    expect(await asCaller('forged')).toBe('cut');
  });

  test('PERMISSIVE takes both, and the certificate of nobody else', async () => {
    await apply('PERMISSIVE');
    expect(await plainly()).toBe('200');
    expect(await asCaller('own')).toBe('200');
    expect(await asCaller('forged')).toBe('cut');
  });

  test('DISABLE takes plain callers only', async () => {
    await apply('DISABLE');
    expect(await plainly()).toBe('200');
    expect(await asCaller('own')).toBe('cut');
  });

  test('sidecars call such a service with their own certificates, where a DestinationRule says so', async () => {
    await apply('STRICT');
    expect(await throughItself()).toMatch(/503/);
    await apply('STRICT', withCertificates);
    expect(await throughItself()).toMatch(/200/);
  });

  test('policies are told who calls', async () => {
    await apply(
      'PERMISSIVE',
      `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: own }
spec: { rules: [{ from: [{ source: { principals: [cluster.local/ns/default/sa/productpage] } }] }] }`,
    );
    expect(await asCaller('own')).toBe('200');
    expect(await asCaller('ratings')).toBe('403');
    expect(await plainly()).toBe('403');
  });

  test('the certificates that the how-to makes are such certificates', () => {
    const [block] = fencedBlocks(readPage('docs/how-to/mutual-tls.md'), 'sh');
    const verify =
      'openssl verify -CAfile root-cert.pem cert-chain.pem && openssl x509 -in cert-chain.pem -noout -text';
    const script = `${block?.text ?? 'false'} >&2\n${verify}`;
    const said = execFileSync('sh', ['-ec', script], {
      encoding: 'utf8',
      env: { ...process.env, TMPDIR: work },
      stdio: 'pipe',
    });
    expect(said).toMatch(/cert-chain.pem: OK[^]*URI:spiffe:\/\/cluster.local\/ns\/default\/sa\/reviews/);
  });

  test('STRICT without certificates lets nobody in', async () => {
    const bare = await startOneSidecar({ labels: { app: 'productpage', version: 'v1' } });
    try {
      const strict = `apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: default }\nspec: { mtls: { mode: STRICT } }`;
      await bare.apply(yamls(serviceYaml('productpage', ['v1']), strict));
      await expect(bare.curl(`http://127.0.0.1:${bare.scope.ports.inbound['http']}/`)).rejects.toThrow(/\((52|56)\)/);
    } finally {
      await bare.stop();
    }
  });
});
