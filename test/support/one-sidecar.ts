/** One real Envoy as the sidecar of `productpage`, fed with what our translators make of a YAML text. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Endpoint } from '../../src/model/instance.js';
import { encodeResources } from '../../src/pilot/encode-resources.js';
import { type ProxyScope, readProxy, translate } from '../../src/pilot/translate/index.js';
import { MeshError } from '../../src/runtime/mesh-error.js';
import type { ProxyNode } from '../../src/xds/ads-host.js';
import type { View } from '../../src/xds/resource-cache.js';
import { type Envoy, startEnvoy } from './envoy.js';
import { freePort } from './mesh-process.js';
import { proxy, serviceYaml, world } from './mesh-world.js';
import { until } from './until.js';
import { startXds } from './xds-test-host.js';

const run = promisify(execFile);

export interface OneSidecar {
  readonly scope: ProxyScope;
  readonly envoy: Envoy;
  /** Waits until Envoy has taken it all; throws when it refuses anything. `reader` is whose configuration it is given, by default its own. */
  apply(yaml: string, endpoints?: readonly Endpoint[], reader?: ProxyScope): Promise<void>;
  /** Waits until Envoy has refused a part of it, and answers what it says; the rest goes on its way. */
  refusal(yaml: string, endpoints?: readonly Endpoint[]): Promise<string>;
  /** curl, with the answer's head. */
  curl(...args: readonly string[]): Promise<string>;
  /** Through the explicit proxy. */
  proxyUrl(): string;
  stop(): Promise<void>;
}

export async function startOneSidecar(over: Partial<ProxyScope> = {}): Promise<OneSidecar> {
  const views = new Map<string, View>();
  let revision = 0n;
  const xds = await startXds({ host: { connect } });
  const ports = {
    app: { http: await freePort() },
    inbound: { http: await freePort() },
    proxy: await freePort(),
    metrics: await freePort(),
    upstreams: {},
  };
  const scope = proxy(over.upstreams ?? [], { address: '127.0.0.1', ports, ...over });
  publish(serviceYaml('productpage', ['v1']));
  const envoy = await startEnvoy({ bootstrap: bootstrapOf(scope, xds.address) });
  await until('the sidecar has its first configuration', acked);

  async function connect(node: ProxyNode) {
    const reading = readProxy(node);
    if (reading.kind === 'refused') throw new MeshError('MESH2007', reading.reason);
    return { view: () => views.get(reading.scope.id) as View, closed: () => undefined };
  }

  function publish(yaml: string, endpoints: readonly Endpoint[] = [], reader = scope): void {
    const { byType, failures } = encodeResources(translate(world({ yaml, endpoints }), reader), undefined);
    if (failures.length > 0) throw new Error(failures.map(({ message }) => message).join('\n'));
    views.set(scope.id, { storeRevision: (revision += 1n), byType });
    xds.server.changed();
  }

  function refused(): string | undefined {
    const types = xds.server.proxies().flatMap((one) => Object.values(one.types));
    return types.find(({ state }) => state === 'NACK')?.error;
  }

  async function acked(): Promise<boolean> {
    const proxies = xds.server.proxies();
    const error = refused();
    if (error !== undefined) throw new Error(error);
    return proxies.length === 1 && proxies.every(({ ackedRevision }) => ackedRevision === revision);
  }

  return {
    scope,
    envoy,
    async apply(yaml, endpoints, reader) {
      publish(yaml, endpoints, reader);
      await until(`revision ${revision} acknowledged`, acked);
    },
    async refusal(yaml, endpoints) {
      publish(yaml, endpoints);
      await until(`a refusal of revision ${revision}`, async () => refused() !== undefined);
      return refused() ?? '';
    },
    async curl(...args) {
      const { stdout } = await run('curl', ['-sS', '-i', '--max-time', '5', ...args]);
      return stdout;
    },
    proxyUrl: () => `http://127.0.0.1:${scope.ports.proxy}`,
    async stop() {
      await envoy.stop();
      await xds.stop();
    },
  };
}

/** All over ADS, without what the planner's bootstrap adds for a life on a node. */
export function bootstrapOf({ id, isGateway, locality, ...mesh }: ProxyScope, xdsAddress: string): object {
  const [address = '', port = ''] = xdsAddress.split(':');
  const configSource = { ads: {}, resourceApiVersion: 'V3', initialFetchTimeout: '0s' };
  return {
    node: {
      id,
      cluster: mesh.service,
      locality: { ...locality },
      metadata: { mesh: { ...mesh, ...(isGateway ? { gateway: true } : {}) } },
    },
    dynamicResources: {
      adsConfig: {
        apiType: 'DELTA_GRPC',
        transportApiVersion: 'V3',
        grpcServices: [{ envoyGrpc: { clusterName: 'pilot' } }],
      },
      cdsConfig: configSource,
      ldsConfig: configSource,
    },
    layeredRuntime: { layers: [{ name: 'mesh', rtdsLayer: { name: 'mesh', rtdsConfig: configSource } }] },
    staticResources: {
      clusters: [
        {
          name: 'pilot',
          type: 'STATIC',
          connectTimeout: '1s',
          typedExtensionProtocolOptions: {
            'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
              '@type': 'type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions',
              explicitHttpConfig: { http2ProtocolOptions: {} },
            },
          },
          loadAssignment: {
            clusterName: 'pilot',
            endpoints: [
              { lbEndpoints: [{ endpoint: { address: { socketAddress: { address, portValue: Number(port) } } } }] },
            ],
          },
        },
      ],
    },
  };
}
