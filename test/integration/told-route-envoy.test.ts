/** Goal: an answer tells the route when it is asked, and `mesh resolve` names the same one as a real Envoy. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { translate } from '../../src/pilot/translate/index.js';
import { decide } from '../../src/resolve/decide.js';
import { requestOf } from '../../src/resolve/request.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { serviceYaml, world } from '../support/mesh-world.js';
import { type OneSidecar, startOneSidecar } from '../support/one-sidecar.js';

/** Each takes a part of the requests and answers them itself. */
const matches = [
  'uri: { exact: /Exact }, ignoreUriCase: true',
  'uri: { regex: "/(?i:re)/[^/]+-(\\\\d{2}|x)" }',
  'headers: { x-a: { exact: "1" } }, withoutHeaders: { x-b: {} }',
  'headers: { x-a: { prefix: "2" } }, withoutHeaders: { x-b: { regex: "b+" } }',
  'headers: { x-b: {} }, queryParams: { q: { exact: "a%20b" } }',
  'queryParams: { q: { regex: "[a-c]+" } }, method: { exact: PUT }',
  'queryParams: { flag: {} }',
  'authority: { prefix: "ratings." }, uri: { prefix: /a }',
  'uri: { prefix: /a/b }',
];
const rules = matches.map((match, i) => `{ name: r${i}, match: [{ ${match} }], directResponse: { status: 200 } }`);
const yaml = `${serviceYaml('ratings', ['v1'])}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ratings }
spec: { hosts: [ratings], http: [${rules.join(', ')}] }
---
${serviceYaml('productpage', ['v1']).replace('spec: {', 'spec: { upstreams: [{ service: ratings }],')}`;

const paths = [
  '/',
  '/exact',
  '/EXACT?flag',
  '/RE/a-12',
  '/re/a/-x',
  '/a',
  '/a/../a/b',
  '/a/%62',
  '/x?q=a%20b',
  '/x?q=abc&q=z',
  '/x?q=z&q=abc',
  '/x?flag=',
];
const headers: readonly Readonly<Record<string, string>>[] = [
  {},
  { 'x-a': '1' },
  { 'x-a': '2', 'x-b': 'bb' },
  { 'x-a': '22', 'x-b': 'c' },
  { 'x-b': 'b' },
];
const hosts = ['ratings:9080', 'ratings.default', 'RATINGS.default.svc.cluster.local:9080', 'nowhere'];

describe.skipIf(isEnvoyMissing())('through a sidecar', () => {
  let sidecar: OneSidecar;
  const upstream = {
    mode: 'proxy',
    name: 'ratings',
    namespace: 'default',
    service: 'ratings',
    port: 9080,
    protocol: 'http',
    listener: undefined,
  } as const;

  beforeAll(async () => {
    sidecar = await startOneSidecar({ upstreams: [upstream] });
    await sidecar.apply(yaml);
  });

  afterAll(() => sidecar.stop());

  const answer = (
    host: string,
    path: string,
    method: string,
    sent: Readonly<Record<string, string>>,
  ): Promise<string> =>
    sidecar.curl(
      '--path-as-is',
      '-X',
      method,
      '-H',
      `host: ${host}`,
      ...Object.entries(sent).flatMap(([name, value]) => ['-H', `${name}: ${value}`]),
      `${sidecar.proxyUrl()}${path}`,
    );

  test('every answer names the route that mesh resolve names', async () => {
    const resources = translate(world({ yaml }), sidecar.scope);
    const seen = new Set<string>();
    for (const path of paths) {
      for (const [i, sent] of headers.entries()) {
        const method = i % 2 === 0 ? 'GET' : 'PUT';
        const host = hosts[(i + path.length) % hosts.length] as string;
        const told =
          /^x-mesh-route: (.*?)\r?$/im.exec(await answer(host, path, method, { ...sent, 'x-mesh-route': '?' }))?.[1] ??
          'none';
        const { taken } = decide(resources, 'outbound', requestOf({ host, path, method, headers: sent }));
        expect({ host, path, method, sent, told }).toEqual({
          host,
          path,
          method,
          sent,
          told: taken[0]?.route.name ?? 'none',
        });
        seen.add(told);
      }
    }
    expect(seen.size).toBeGreaterThan(matches.length);
  });

  test('and none that has not asked', async () => {
    expect(await answer('ratings', '/a/b', 'GET', {})).not.toContain('x-mesh-route');
  });
});
