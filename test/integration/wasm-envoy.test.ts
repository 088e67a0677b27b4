/** Goal: a real Envoy runs a module out of a file on the way in and on the way out, and one that is broken costs nobody else. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isEnvoyMissing } from '../support/envoy.js';
import { serviceYaml, yamls } from '../support/mesh-world.js';
import { type OneSidecar, startOneSidecar } from '../support/one-sidecar.js';
import { until } from '../support/until.js';
import { headerModule } from '../support/wasm-module.js';

describe.skipIf(isEnvoyMissing())('WasmPlugins at a sidecar', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'wasm-'));
  const module = path.join(folder, 'header.wasm');
  const broken = path.join(folder, 'broken.wasm');
  let sidecar: OneSidecar;

  beforeAll(async () => {
    writeFileSync(module, headerModule('x-wasm', 'ran'));
    writeFileSync(broken, 'no module');
    sidecar = await startOneSidecar();
  });

  afterAll(async () => {
    await sidecar.stop();
    rmSync(folder, { recursive: true });
  });

  const plugin = (name: string, spec: string): string =>
    `apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: { name: ${name} }\nspec: ${spec}`;
  const mesh = (...plugins: readonly string[]): string => yamls(serviceYaml('productpage', ['v1']), ...plugins);
  const outbound = (): Promise<string> => sidecar.curl('-H', 'host: nobody', sidecar.proxyUrl());
  const inbound = (): Promise<string> => sidecar.curl(`http://127.0.0.1:${sidecar.scope.ports.inbound['http']}/`);

  test('the module runs where it is to run', async () => {
    await sidecar.apply(
      mesh(
        plugin(
          'both',
          `{ url: "file://${module}", pluginConfig: { a: 1 }, failStrategy: FAIL_RELOAD, vmConfig: { env: [{ name: A, value: b }, { name: HOME, valueFrom: HOST }] } }`,
        ),
      ),
    );
    expect(await outbound()).toContain('x-wasm: ran');
    expect(await inbound()).toContain('x-wasm: ran');
    await sidecar.apply(
      mesh(
        plugin('in', `{ url: "file://${module}", phase: AUTHN, match: [{ mode: SERVER, ports: [{ number: 9080 }] }] }`),
      ),
    );
    expect(await outbound()).not.toContain('x-wasm');
    expect(await inbound()).toContain('x-wasm: ran');
  });

  test.each(['broken.wasm', 'absent.wasm'])('%s: that listener stays as it is, and others change', async (file) => {
    await sidecar.apply(mesh());
    const good = plugin('good', `{ url: "file://${module}", match: [{ mode: SERVER }] }`);
    const error = await sidecar.refusal(
      mesh(good, plugin('bad', `{ url: "file://${path.join(folder, file)}", match: [{ mode: CLIENT }] }`)),
    );
    expect(error).toMatch(/Unable to create Wasm plugin|Invalid path/);
    await until('the other listener runs its module', async () => (await inbound()).includes('x-wasm: ran'));
    expect(await outbound()).toMatch(/^HTTP\/1.1 404/);
  });
});
