/** Goal: a real Envoy lets in and refuses what AuthorizationPolicies say, by itself and by asking a judge. */

import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, createServer as createHttp1, get, type IncomingMessage, type Server } from 'node:http';
import { createServer as createHttp2, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import type { Endpoint } from '../../src/model/instance.js';
import { certificatesIn } from '../support/certificates.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { freePort } from '../support/mesh-process.js';
import { endpoint, yamls } from '../support/mesh-world.js';
import { type OneSidecar, startOneSidecar } from '../support/one-sidecar.js';
import { until } from '../support/until.js';

const service = (name: string, ports: string): string => `apiVersion: mesh/v1
kind: Service
metadata: { name: ${name} }
spec: { ports: [${ports}] }
---
apiVersion: mesh/v1
kind: Version
metadata: { name: ${name}-v1 }
spec: { service: ${name}, version: v1, container: { image: "demo:1" } }`;

function policy(spec: string, name = 'a', annotations = ''): string {
  return `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: ${name}, annotations: { ${annotations} } }
spec: { ${spec} }`;
}

const to = (operation: string, action = 'DENY'): string =>
  policy(`action: ${action}, rules: [{ to: [{ operation: { ${operation} } }] }]`);

/** Envoy's gRPC of external authorization, as far as it is needed: a check, answered by `google.rpc.Status`. */
const GRPC_OK = Buffer.from([0, 0, 0, 0, 0]);
const GRPC_DENIED = Buffer.from([0, 0, 0, 0, 4, 0x0a, 0x02, 0x08, 0x07]);

describe.skipIf(isEnvoyMissing())('AuthorizationPolicies at a sidecar', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'authorization-'));
  let sidecar: OneSidecar;
  const apps: Running[] = [];
  let judgeByHttp: Server;
  let judgeByGrpc: Http2Server;
  let endpoints: readonly Endpoint[];
  const mesh = yamls(
    service('productpage', '{ name: http, port: 9080, protocol: http }, { name: raw, port: 9081, protocol: tcp }'),
    service('judge', '{ name: http, port: 80, protocol: http }'),
    service('grpc-judge', '{ name: grpc, port: 9000, protocol: grpc }'),
    `apiVersion: mesh/v1
kind: Mesh
metadata: { name: mesh }
spec:
  extensionProviders:
    - name: judge
      envoyExtAuthzHttp:
        service: judge.default.svc.cluster.local
        port: 80
        pathPrefix: /check
        statusOnError: 503
        includeRequestHeadersInCheck: [x-user]
        headersToUpstreamOnAllow: [x-verdict]
        headersToDownstreamOnDeny: ["x-*"]
    - name: grpc-judge
      envoyExtAuthzGrpc: { service: grpc-judge.default.svc.cluster.local, port: 9000 }`,
  );

  beforeAll(async () => {
    const ports = {
      app: { http: await freePort(), raw: await freePort() },
      inbound: { http: await freePort(), raw: await freePort() },
      proxy: await freePort(),
      metrics: await freePort(),
      upstreams: {},
    };
    const servicePorts = [
      { name: 'http', port: 9080, protocol: 'http' },
      { name: 'raw', port: 9081, protocol: 'tcp' },
    ] as const;
    sidecar = await startOneSidecar({ ports, servicePorts });
    for (const port of Object.values(ports.app))
      apps.push(await startApp({ PORT: String(port), MESH_SERVICE: 'productpage', MESH_VERSION: 'v1' }));
    judgeByHttp = createHttp1((request, response) => {
      const isKnown = request.headers['x-user'] === 'ann';
      response.writeHead(isKnown ? 200 : 401, { 'x-verdict': `of ${request.url}`, 'y-other': 'kept' }).end();
    });
    judgeByGrpc = createHttp2();
    judgeByGrpc.on('stream', (stream) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        // Of a connection the check has no path.
        const text = Buffer.concat(parts).toString('latin1');
        stream.end(text.includes('/let-me-in') ? GRPC_OK : GRPC_DENIED);
      });
    });
    const portOf = async (server: Server | Http2Server): Promise<number> => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return (server.address() as AddressInfo).port;
    };
    endpoints = [
      endpoint(`judge/v1@127.0.0.1:${await portOf(judgeByHttp)}`),
      endpoint(`grpc-judge/v1@127.0.0.1:${await portOf(judgeByGrpc)}`),
    ];
  });

  afterAll(async () => {
    await sidecar.stop();
    for (const app of apps) await app.close();
    judgeByHttp.close();
    judgeByGrpc.close();
    rmSync(folder, { recursive: true });
  });

  const apply = (...yaml: readonly string[]): Promise<void> => sidecar.apply(yamls(mesh, ...yaml), endpoints);

  /** Head and body of the answer; `ended` for a connection that was closed without any. */
  async function ask(at: string, ...args: readonly string[]): Promise<string> {
    return sidecar.curl('--path-as-is', ...args, `http://127.0.0.1:${sidecar.scope.ports.inbound['http']}${at}`);
  }

  async function status(at: string, ...args: readonly string[]): Promise<number> {
    return Number((await ask(at, ...args)).split(' ')[1]);
  }

  async function isConnectionServed(): Promise<boolean> {
    try {
      return (await sidecar.curl(`http://127.0.0.1:${sidecar.scope.ports.inbound['raw']}/`)).includes('200 OK');
    } catch (error) {
      if (/(52|56)/.test(String((error as { code?: number }).code))) return false; // empty reply, or reset
      throw error;
    }
  }

  test('paths are what they mean, however they are written', async () => {
    await apply(to('paths: ["/admin*", "/users/{*}/orders", "/files/{**}", "*.bak", "/slash/{*}/"]'));
    const refused = [
      '/admin',
      '//admin',
      '/x/../admin',
      '/%61dmin',
      '/admin?x=1',
      '/users/7/orders',
      '/users/7/orders?x',
      '/files/a/b',
      '/x.bak',
      '/slash/a/',
    ];
    for (const at of refused) expect([at, await status(at)]).toEqual([at, 403]);
    for (const at of ['/', '/x/admin', '/users/7/8/orders', '/users//orders', '/file/a', '/slash/a'])
      expect([at, await status(at)]).toEqual([at, 200]);
  });

  test('a port is the one of the service, and of connections too', async () => {
    await apply(to('ports: ["9080"]'));
    expect([await status('/'), await isConnectionServed()]).toEqual([403, true]);
    await apply(to('ports: ["9081"]'));
    expect([await status('/'), await isConnectionServed()]).toEqual([200, false]);
  });

  test('what asks for requests lets no connection in when it allows, and refuses all when it denies', async () => {
    await apply(to('methods: [GET]', 'ALLOW'));
    expect([await status('/'), await status('/', '-X', 'PUT'), await isConnectionServed()]).toEqual([200, 403, false]);
    await apply(to('methods: [PUT]'));
    expect([await status('/'), await status('/', '-X', 'PUT'), await isConnectionServed()]).toEqual([200, 403, false]);
  });

  test('every condition is one that Envoy takes, and those of a plain connection hold', async () => {
    const keys = [
      'request.headers[x-user]',
      'request.auth.principal',
      'request.auth.audiences',
      'request.auth.presenter',
      'request.auth.claims[a][b]',
      'source.namespace',
      'source.principal',
      'source.trustDomain',
      'connection.sni',
      'experimental.envoy.filters.http.lua[x]',
    ];
    const values = 'values: ["a", "a*", "*a", "*"], notValues: ["b"]';
    const never = keys.map((key) => `{ when: [{ key: "${key}", ${values} }] }`).join(', ');
    const known =
      '{ when: [{ key: source.ip, values: [127.0.0.0/8] }, { key: remote.ip, values: [127.0.0.1] }, { key: destination.ip, values: [127.0.0.1] }, { key: destination.port, values: ["9080"] }, { key: source.serviceAccount, notValues: [a, b/c] }] }';
    await apply(policy(`action: DENY, rules: [${never}]`));
    expect([await status('/'), await status('/', '-H', 'x-user: ann')]).toEqual([200, 403]);
    await apply(policy(`action: DENY, rules: [${never}, ${known}]`));
    expect(await status('/')).toBe(403);
  });

  test('who calls is read out of certificates, and the server name out of TLS that ends here', async () => {
    const authority = certificatesIn(folder);
    const server = authority.sign('server');
    const callers = {
      cart: authority.sign('cart', 'URI:spiffe://cluster.local/ns/shop/sa/cart'),
      bill: authority.sign('bill', 'URI:spiffe://old.example/ns/default/sa/bill'),
      dns: authority.sign('dns', 'DNS:cart.shop'),
    };
    const port = await freePort();
    const ingress = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default }
spec:
  ingress:
    - port: { number: ${port}, protocol: HTTPS, name: https }
      defaultEndpoint: 127.0.0.1:${sidecar.scope.ports.app['http']}
      tls: { mode: MUTUAL, serverCertificate: ${server.cert}, privateKey: ${server.key}, caCertificates: ${authority.ca} }`;
    const letIn = async (): Promise<string> => {
      const all = await Promise.all(
        Object.entries(callers).map(async ([name, { cert, key }]) => {
          const answer = await sidecar.curl(
            '-k',
            '--cert',
            cert,
            '--key',
            key,
            '--connect-to',
            `::127.0.0.1:${port}`,
            `https://${name}.example/`,
          );
          return answer.startsWith('HTTP/2 200') ? [name] : [];
        }),
      );
      return all.flat().join();
    };
    const rules: readonly (readonly [rule: string, lets: string])[] = [
      ['from: [{ source: { principals: [cluster.local/ns/shop/sa/cart] } }]', 'cart'],
      ['from: [{ source: { principals: ["*/sa/bill", "cluster.local/ns/shop*"] } }]', 'cart,bill'],
      ['from: [{ source: { principals: ["*"] } }]', 'cart,bill,dns'],
      ['from: [{ source: { notPrincipals: ["cluster.local/*"] } }]', 'bill,dns'],
      ['from: [{ source: { namespaces: [default] } }]', 'bill'],
      ['from: [{ source: { namespaces: ["sh*"] } }]', 'cart'],
      ['from: [{ source: { serviceAccounts: [bill, shop/cart] } }]', 'cart,bill'],
      ['from: [{ source: { serviceAccounts: [cart] } }]', ''],
      ['from: [{ source: { trustDomains: ["*.example"] } }]', 'bill'],
      ['from: [{ source: { trustDomains: [cluster.local] } }]', 'cart'],
      ['when: [{ key: connection.sni, values: ["cart.*", dns.example] }]', 'cart,dns'],
    ];
    for (const [rule, lets] of rules) {
      await apply(ingress, policy(`rules: [{ ${rule} }]`));
      expect([rule, await letIn()]).toEqual([rule, lets]);
    }
  });

  test('who asks for another is that other to remoteIpBlocks, and itself to ipBlocks', async () => {
    await apply(policy('rules: [{ from: [{ source: { remoteIpBlocks: [9.9.9.0/24] } }] }]'));
    expect(await status('/')).toBe(403);
    expect(await status('/', '-H', 'x-forwarded-for: 1.2.3.4, 9.9.9.9')).toBe(200);
    await apply(policy('rules: [{ from: [{ source: { ipBlocks: [9.9.9.0/24] } }] }]'));
    expect(await status('/', '-H', 'x-forwarded-for: 9.9.9.9')).toBe(403);
  });

  /** Over connections that are kept open. */
  function asker(connections: number) {
    const agent = new Agent({ keepAlive: true, maxSockets: connections });
    const port = sidecar.scope.ports.inbound['http'] as number;
    return {
      ask: async (path: string): Promise<number | undefined> => {
        const asked = get({ agent, host: '127.0.0.1', port, path });
        const [answer] = (await once(asked, 'response')) as [IncomingMessage];
        await text(answer);
        return answer.statusCode;
      },
      close: () => agent.destroy(),
    };
  }

  test('a connection that is kept open meets a new rule after one more request at most', async () => {
    await sidecar.apply(yamls(mesh), endpoints);
    const { ask, close } = asker(1);
    expect([await ask('/admin'), await ask('/admin')]).toEqual([200, 200]);
    await sidecar.apply(yamls(mesh, to('paths: [/admin]')), endpoints);
    await ask('/admin');
    expect([await ask('/admin'), await ask('/admin')]).toEqual([403, 403]);
    close();
  });

  test('no request is lost while policies change', async () => {
    const { ask, close } = asker(4);
    const seen = new Map<number | undefined, number>();
    let isOver = false;
    const busy = async (): Promise<void> => {
      while (!isOver) {
        const status = await ask('/open');
        seen.set(status, (seen.get(status) ?? 0) + 1);
      }
    };
    const load = Promise.all([busy(), busy(), busy(), busy()]);
    for (let i = 0; i < 20; i++) await sidecar.apply(yamls(mesh, to(`paths: [/closed-${i}]`)), endpoints);
    isOver = true;
    await load;
    expect([...seen.keys()]).toEqual([200]);
    expect(seen.get(200)).toBeGreaterThan(100);
    close();
  });

  test('a caller without a sidecar does not steer Envoy by headers', async () => {
    await apply();
    const steering = ['-H', 'x-envoy-upstream-rq-timeout-ms: 20', '-H', 'x-want-delay: 0.1'];
    for (const header of [
      'x-other: 1',
      'x-forwarded-for: 9.9.9.9',
      'x-forwarded-for: 10.0.0.1',
      'x-envoy-internal: true',
    ])
      expect([header, await status('/', ...steering, '-H', header)]).toEqual([header, 200]);
  });

  test('a dry run refuses nothing, and is counted', async () => {
    await apply(policy('action: DENY, rules: [{}]', 'a', 'istio.io/dry-run: "true"'));
    expect(await status('/')).toBe(200);
    expect(await sidecar.envoy.stat(/^http\.inbound\.rbac\.istio_dry_run_deny_\.shadow_denied$/)).toBe(1);
    const prometheus = await sidecar.envoy.adminGet('/stats/prometheus?filter=shadow_denied');
    expect(prometheus).toContain('envoy_http_rbac_shadow_denied{envoy_rbac_http_prefix="istio_dry_run_deny_"');
  });

  test('what is noted stands in the access log, and the rule that refused', async () => {
    await apply(
      policy('action: AUDIT, rules: [{ to: [{ operation: { paths: ["/noted"] } }] }]'),
      policy('action: DENY, rules: [{ to: [{ operation: { paths: ["/refused"] } }] }]', 'b'),
    );
    for (const at of ['/noted', '/plain', '/refused']) await ask(at);
    await ask('/[1-300]', '-o', '/dev/null'); // Envoy writes its log when there is enough of it
    const log = await until('the log', () => {
      const text = readFileSync(sidecar.envoy.logFile, 'utf8');
      return text.includes('"/refused"') && text;
    });
    const lines = log
      .split('\n')
      .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []));
    const of = (at: string) => lines.find((line) => line['path'] === at);
    expect([of('/noted')?.['audit'], of('/plain')?.['audit']]).toEqual([true, false]);
    expect(of('/refused')?.['details']).toBe('rbac_access_denied_matched_policy[ns[default]-policy[b]-rule[0]]');
  });

  test('a judge is asked about the requests of its rules, by HTTP', async () => {
    const custom =
      'action: CUSTOM, provider: { name: judge }, rules: [{ to: [{ operation: { paths: ["/judged*"] } }] }]';
    await apply(policy(custom));
    expect(await status('/')).toBe(200);
    const refusal = await ask('/judged');
    expect(refusal).toMatch(/^HTTP\/1.1 401 /);
    expect(refusal).toMatch(/^x-verdict: of \/check\/judged\r$/m);
    expect(refusal).not.toContain('y-other');
    const answer = await ask('/judged', '-H', 'x-user: ann');
    expect(answer).toContain('200 OK');
    expect(answer).toContain('"x-verdict":"of /check/judged"');
    await sidecar.apply(yamls(mesh, policy(custom)), []);
    expect(await status('/judged', '-H', 'x-user: ann')).toBe(503);
    expect(await status('/')).toBe(200);
  });

  test('and by gRPC, about connections too; rules of another judge are none of its business', async () => {
    const custom = (name: string, provider: string, operation: string): string =>
      policy(
        `action: CUSTOM, provider: { name: ${provider} }, rules: [{ to: [{ operation: { ${operation} } }] }]`,
        name,
      );
    await apply(
      custom('a', 'grpc-judge', 'paths: ["/let*", "/stop"], ports: ["9080"]'),
      custom('b', 'judge', 'paths: ["/judged"], ports: ["9080"]'),
    );
    expect([await status('/let-me-in'), await status('/stop'), await status('/judged')]).toEqual([200, 403, 401]);
    expect(await isConnectionServed()).toBe(true);
    await apply(custom('a', 'grpc-judge', 'ports: ["9081"]'));
    expect([await status('/stop'), await isConnectionServed()]).toEqual([200, false]);
  });
});
