/** The NACK drill: what only Envoy's own code can refuse meets one proxy, is undone and named, and holds up nobody else. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { List, ProxyItem } from '../../src/model/api.js';
import type { ProxyScope } from '../../src/pilot/translate/index.js';
import { type CliResult, cli } from '../support/cli-io.js';
import { type Envoy, isEnvoyMissing, startEnvoy } from '../support/envoy.js';
import { freePort, temporaryFolder } from '../support/mesh-process.js';
import { proxy, serviceYaml, yamls } from '../support/mesh-world.js';
import { bootstrapOf } from '../support/one-sidecar.js';
import { openPilotHouse, type PilotHouse } from '../support/pilot-house.js';
import { until } from '../support/until.js';

const GOOD = 'function envoy_on_response(handle) handle:headers():add("x-lua", "good") end';
/** Lua of its own kind: no descriptor tells that it does not parse. */
const BAD = 'function envoy_on_response(handle) this is no Lua';
const UNDONE_WITHIN_MS = 15_000;
/** Some 50 ms on an idle machine. */
const NOT_DELAYED_MS = 2_000;

function filter(name: string, code: string): string {
  return `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: ${name}, namespace: istio-system }
spec:
  configPatches:
    - applyTo: HTTP_FILTER
      match: { listener: { filterChain: { filter: { name: envoy.filters.network.http_connection_manager, subFilter: { name: envoy.filters.http.router } } } } }
      patch: { operation: INSERT_BEFORE, value: { name: ${name}, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua, inline_code: '${code}' } } }`;
}

const answers = (status: number): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ directResponse: { status: ${status} } }] }`;

interface Sidecar {
  readonly scope: ProxyScope;
  envoy: Envoy;
}

describe.skipIf(isEnvoyMissing())('a definition that Envoy refuses', () => {
  let house: PilotHouse;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const sidecars: Sidecar[] = [];

  beforeAll(async () => {
    house = await openPilotHouse();
    folder = await temporaryFolder('refused');
    expect(
      await apply(yamls(serviceYaml('productpage', ['v1']), serviceYaml('reviews', ['v1']), filter('tag', GOOD))),
    ).toMatchObject({ exit: 0 });
    for (const instance of ['one', 'two', 'three']) {
      const scope = await scopeOf(instance);
      sidecars.push({ scope, envoy: await startEnvoy({ bootstrap: bootstrapOf(scope, house.pilot.xdsAddress) }) });
    }
    await Promise.all(sidecars.map(({ scope }) => tagged(scope)));
  });

  afterAll(async () => {
    await Promise.all(sidecars.map(({ envoy }) => envoy.stop()));
    await house.close();
    await folder.remove();
  });

  async function scopeOf(instance: string): Promise<ProxyScope> {
    const port = freePort;
    const ports = {
      app: { http: await port() },
      inbound: { http: await port() },
      proxy: await port(),
      metrics: await port(),
      upstreams: {},
    };
    return proxy([{ service: 'reviews' }, { service: 'productpage' }], { instance, address: '127.0.0.1', ports });
  }

  const ask = (...argv: readonly string[]): Promise<CliResult> =>
    cli([...argv, '--server', `http://${house.pilot.httpAddress}`], { fetch });

  async function apply(text: string): Promise<CliResult> {
    const file = `${folder.path}/change.yaml`;
    await writeFile(file, text);
    return ask('apply', '-f', file, '--wait');
  }

  function call({ ports }: ProxyScope): Promise<Response | undefined> {
    return fetch(`http://127.0.0.1:${ports.inbound['http']}/`).catch(() => undefined); // it does not listen yet
  }

  /** Nobody listens behind the sidecar, but its filters work on its own answers too. */
  async function tagged(scope: ProxyScope): Promise<void> {
    await until(`the tag of ${scope.id}`, async () => (await call(scope))?.headers.get('x-lua') === 'good');
  }

  /** Through its proxy, as its app calls; fetch has no say in the host. */
  async function statusAt({ ports }: ProxyScope): Promise<string> {
    const url = `http://127.0.0.1:${ports.proxy}/`;
    const flags = ['-sS', '-o', '/dev/null', '-w', '%{http_code}', '-H', 'host: reviews:9080', url];
    return (await promisify(execFile)('curl', flags)).stdout;
  }

  async function refusedBy(): Promise<readonly string[]> {
    const counts = await Promise.all(
      sidecars.map(({ envoy }) => envoy.stat(/(lds|cds|rds)\.(?:.*\.)?update_rejected$/)),
    );
    return sidecars.filter((_, i) => (counts[i] ?? 0) > 0).map(({ scope }) => scope.id);
  }

  test('meets one Envoy, is undone, and apply --wait says whose words they are', async () => {
    const began = performance.now();
    const done = await apply(filter('tag', BAD));
    expect(performance.now() - began).toBeLessThan(UNDONE_WITHIN_MS);
    expect(done).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/MESH2018.*EnvoyFilter tag.*script load error/s),
    });
    const refused = await refusedBy();
    expect(refused).toHaveLength(1);
    for (const { scope } of sidecars) await tagged(scope);
    const { items } = await house.get<List<ProxyItem>>('/v1/proxies');
    expect(items.filter((item) => item.refused !== undefined).map(({ proxy: id }) => id)).toEqual(refused);
    const states = items.flatMap(({ types }) => [types['CDS'], types['LDS'], types['RDS']].map((type) => type?.state));
    expect(new Set(states)).toEqual(new Set(['SYNCED']));
  });

  test('is shown wherever its owner looks', async () => {
    const words = /EnvoyFilter.*script load error/s;
    expect((await ask('status')).stdout).toMatch(words);
    expect((await ask('proxy', 'status')).stdout).toMatch(words);
    expect((await ask('describe', 'envoyfilter', 'tag', '-n', 'istio-system')).stdout).toMatch(words);
    expect((await ask('events', '-n', 'istio-system')).stdout).toMatch(/refused.*script load error/s);
  });

  test('is out of the way of every other change, and of a proxy that starts', async () => {
    const began = performance.now();
    expect(await apply(answers(418))).toMatchObject({ exit: 0 });
    expect(performance.now() - began).toBeLessThan(NOT_DELAYED_MS);
    const [first] = sidecars as [Sidecar];
    await first.envoy.stop();
    first.envoy = await startEnvoy({ bootstrap: bootstrapOf(first.scope, house.pilot.xdsAddress) });
    await tagged(first.scope);
    for (const { scope } of sidecars) {
      expect(await statusAt(scope)).toBe('418');
    }
  });

  test('of any other kind is found out and undone, with what came at the same time left in effect', async () => {
    const route = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: productpage }
spec: { hosts: [productpage], http: [{ headers: { request: { set: { x-mine: '%NO_SUCH_WORD%' } } }, route: [{ destination: { host: productpage } }] }] }`;
    const done = await apply(yamls(route, answers(404)));
    expect(done).toMatchObject({
      exit: 1,
      stderr: expect.stringMatching(/MESH2018.*VirtualService productpage.*NO_SUCH_WORD/s),
    });
    for (const { scope } of sidecars) expect(await statusAt(scope)).toBe('404');
  });

  test('is told again when nothing of it was corrected, and forgotten when it was', async () => {
    expect(await apply(filter('tag', BAD))).toMatchObject({ exit: 1, stderr: expect.stringContaining('MESH2018') });
    expect(await apply(filter('tag', `${GOOD} `))).toMatchObject({ exit: 0 });
    const { items } = await house.get<List<ProxyItem>>('/v1/proxies');
    expect(items.flatMap(({ refused = [] }) => refused.filter(({ kind }) => kind === 'EnvoyFilter'))).toEqual([]);
  });
});
