/** Telemetries, seen in the listeners that they change. */
import { describe, expect, it } from 'vitest';
import { translate } from '../../../src/pilot/translate/index.js';
import type { AccessLogJson, HttpConnectionManagerJson } from '../../../src/xds/envoy-json.js';
import { endpoint, problemsIn, proxy, serviceYaml, world, yamls } from '../../support/mesh-world.js';
import { checkResources } from '../../support/simulate.js';

function telemetry(name: string, spec: string): string {
  const [own, namespace = 'default'] = name.split('.');
  return `apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: ${own}, namespace: ${namespace} }
spec: ${spec}`;
}

const providers = [
  '{ name: file, envoyFileAccessLog: { path: /tmp/x.log, logFormat: { text: "%PROTOCOL% %CEL(request.host)%" } } }',
  '{ name: labels, envoyFileAccessLog: { logFormat: { labels: { p: "%PROTOCOL%" } }, omitEmptyValues: true } }',
  '{ name: als, envoyHttpAls: { service: collector.default.svc.cluster.local, port: 9080 } }',
  '{ name: otel-logs, envoyOtelAls: { service: default/collector, port: 9080, logFormat: { text: "%PROTOCOL%", labels: { a: "%DURATION%" } } } }',
  '{ name: otel, opentelemetry: { service: collector.default.svc.cluster.local, port: 9080 } }',
  '{ name: otel-http, opentelemetry: { service: collector.default.svc.cluster.local, port: 9080, maxTagLength: 99, http: { path: /v1/traces } } }',
  '{ name: zipkin, zipkin: { service: collector.default.svc.cluster.local, port: 9080 } }',
];
const mesh = yamls(
  `apiVersion: mesh/v1\nkind: Mesh\nmetadata: { name: mesh }\nspec: { extensionProviders: [${providers.join(', ')}] }`,
  serviceYaml('productpage', ['v1']),
  serviceYaml('reviews', ['v1']),
  serviceYaml('collector', ['v1']),
);
const endpoints = [endpoint('reviews/v1@10.1.0.1:1'), endpoint('collector/v1@10.1.0.9:1')];
const caller = proxy([{ service: 'reviews' }]);

function translated(...telemetries: readonly string[]) {
  const resources = translate(world({ yaml: yamls(mesh, ...telemetries), endpoints }), caller);
  checkResources(resources);
  const manager = (name: string): HttpConnectionManagerJson =>
    resources.listeners.get(name)?.filterChains?.[0]?.filters?.[0]?.typedConfig as unknown as HttpConnectionManagerJson;
  return { resources, inbound: manager('inbound'), outbound: manager('outbound') };
}

const COLLECTOR = 'outbound|9080||collector.default.svc.cluster.local';

/** In short: `stdout`, `file(/tmp/x)`, with `if EXPRESSION`. */
function logs({ accessLog = [] }: HttpConnectionManagerJson): readonly string[] {
  return accessLog.map((log: AccessLogJson) => {
    const config = log.typedConfig as { path?: string } | undefined;
    const filter = log.filter?.extensionFilter?.typedConfig as { expression?: string } | undefined;
    const name = log.name?.replace('envoy.access_loggers.', '');
    return `${name}${config?.path === undefined ? '' : `(${config.path})`}${filter === undefined ? '' : ` if ${filter.expression}`}`;
  });
}

describe('access logs', () => {
  it.each([
    ['{}', ['stdout'], ['stdout']],
    ['{ accessLogging: [{ providers: [{ name: envoy }] }] }', ['stdout'], ['stdout']],
    ['{ accessLogging: [{ disabled: true }] }', [], []],
    ['{ accessLogging: [{ match: { mode: CLIENT }, disabled: true }] }', ['stdout'], []],
    ['{ accessLogging: [{ match: { mode: SERVER }, disabled: true }] }', [], ['stdout']],
    [
      '{ accessLogging: [{ filter: { expression: "response.code >= 500" } }] }',
      ['stdout if response.code >= 500'],
      ['stdout if response.code >= 500'],
    ],
    ['{ accessLogging: [{ providers: [{ name: file }] }] }', ['file(/tmp/x.log)'], ['file(/tmp/x.log)']],
    [
      '{ accessLogging: [{ providers: [{ name: envoy }, { name: als }] }] }',
      ['stdout', 'http_grpc'],
      ['stdout', 'http_grpc'],
    ],
    [
      '{ accessLogging: [{ providers: [{ name: envoy }] }, { match: { mode: SERVER }, providers: [{ name: otel-logs }], filter: { expression: a } }] }',
      ['stdout', 'open_telemetry if a'],
      ['stdout'],
    ],
  ])('%s', (spec, onTheWayIn, onTheWayOut) => {
    const { inbound, outbound } = translated(telemetry('t', spec));
    expect(logs(inbound)).toEqual(onTheWayIn);
    expect(logs(outbound)).toEqual(onTheWayOut);
  });

  it('are said by the narrowest level that says something', () => {
    const root = telemetry('root.istio-system', '{ accessLogging: [{ providers: [{ name: als }] }] }');
    const namespace = telemetry('ns', '{ accessLogging: [{ providers: [{ name: file }] }] }');
    const own = telemetry(
      'own',
      '{ selector: { matchLabels: { app: productpage } }, accessLogging: [{ disabled: true }] }',
    );
    const other = telemetry(
      'other',
      '{ selector: { matchLabels: { app: reviews } }, accessLogging: [{ providers: [{ name: labels }] }] }',
    );
    expect(logs(translated(root).outbound)).toEqual(['http_grpc']);
    expect(logs(translated(root, namespace, other).outbound)).toEqual(['file(/tmp/x.log)']);
    expect(logs(translated(root, own).outbound)).toEqual([]);
    expect(
      logs(translated(root, telemetry('elsewhere.shop', '{ accessLogging: [{ disabled: true }] }')).outbound),
    ).toEqual(['http_grpc']);
  });

  it('have the format of their provider', () => {
    const formatOf = (name: string): unknown => {
      const { outbound } = translated(telemetry('t', `{ accessLogging: [{ providers: [{ name: ${name} }] }] }`));
      return (outbound.accessLog?.[0]?.typedConfig as { logFormat?: unknown } | undefined)?.logFormat;
    };
    expect(formatOf('labels')).toEqual({ jsonFormat: { p: '%PROTOCOL%' }, omitEmptyValues: true });
    expect(formatOf('file')).toMatchObject({
      textFormatSource: { inlineString: '%PROTOCOL% %CEL(request.host)%\n' },
      formatters: [{ name: 'envoy.formatter.cel' }],
    });
    expect(formatOf('envoy')).toMatchObject({ jsonFormat: { method: '%REQ(:METHOD)%' } });
  });
});

describe('tracing', () => {
  it('reports to a service that the caller has not named', () => {
    const { resources, inbound, outbound } = translated(
      telemetry('t', '{ tracing: [{ providers: [{ name: otel }], randomSamplingPercentage: 50 }] }'),
    );
    expect(resources.clusters.get(COLLECTOR)?.type).toBe('EDS');
    expect(resources.endpoints.get(COLLECTOR)?.endpoints).toHaveLength(1);
    expect(inbound.tracing).toEqual(outbound.tracing);
    expect(outbound.tracing).toMatchObject({
      randomSampling: { value: 50 },
      provider: {
        name: 'envoy.tracers.opentelemetry',
        typedConfig: { serviceName: 'productpage.default', grpcService: { envoyGrpc: { clusterName: COLLECTOR } } },
      },
    });
    expect(translated().resources.clusters.has(COLLECTOR)).toBe(false);
  });

  it('by HTTP and by Zipkin as well', () => {
    const tracer = (name: string): unknown =>
      translated(telemetry('t', `{ tracing: [{ providers: [{ name: ${name} }] }] }`)).outbound.tracing;
    expect(tracer('otel-http')).toMatchObject({
      randomSampling: { value: 1 },
      maxPathTagLength: 99,
      provider: {
        typedConfig: {
          httpService: { httpUri: { uri: 'http://collector.default.svc.cluster.local/v1/traces', cluster: COLLECTOR } },
        },
      },
    });
    expect(tracer('zipkin')).toMatchObject({
      provider: { typedConfig: { collectorCluster: COLLECTOR, collectorEndpoint: '/api/v2/spans' } },
    });
  });

  it('tags spans', () => {
    const tags = (more: string): unknown =>
      translated(telemetry('t', `{ tracing: [{ providers: [{ name: zipkin }], ${more} }] }`)).outbound.tracing
        ?.customTags;
    expect(tags('')).toEqual([
      { tag: 'istio.canonical_service', literal: { value: 'productpage' } },
      { tag: 'istio.canonical_revision', literal: { value: 'v1' } },
      { tag: 'istio.namespace', literal: { value: 'default' } },
    ]);
    expect(
      tags(
        'enableIstioTags: false, customTags: { a: { literal: { value: x } }, b: { header: { name: x-b, defaultValue: d } }, c: { environment: { name: C } }, d: { formatter: { value: "%REQ(:PATH)%" } } }',
      ),
    ).toEqual([
      { tag: 'a', literal: { value: 'x' } },
      { tag: 'b', requestHeader: { name: 'x-b', defaultValue: 'd' } },
      { tag: 'c', environment: { name: 'C', defaultValue: '' } },
      { tag: 'd', value: '%REQ(:PATH)%' },
    ]);
  });

  it('is overridden field by field, and switched off', () => {
    const root = telemetry(
      'root.istio-system',
      '{ tracing: [{ providers: [{ name: zipkin }], randomSamplingPercentage: 10 }] }',
    );
    const sampling = telemetry(
      'ns',
      '{ tracing: [{ randomSamplingPercentage: 100, useRequestIdForTraceSampling: false }] }',
    );
    const off = telemetry(
      'own',
      '{ selector: { matchLabels: { app: productpage } }, tracing: [{ match: { mode: CLIENT }, disableSpanReporting: true }] }',
    );
    const { inbound, outbound } = translated(root, sampling, off);
    expect(inbound.tracing).toMatchObject({
      randomSampling: { value: 100 },
      provider: { name: 'envoy.tracers.zipkin' },
    });
    expect(inbound.requestIdExtension?.typedConfig).toMatchObject({ useRequestIdForTraceSampling: false });
    expect(outbound.tracing).toBeUndefined();
  });
});

describe('a Telemetry', () => {
  it('is one object for all proxies that it says the same of', () => {
    const snapshot = world({
      yaml: yamls(mesh, telemetry('t', '{ tracing: [{ providers: [{ name: otel }] }] }')),
      endpoints,
    });
    expect(translate(snapshot, caller)).toBe(translate(snapshot, caller));
    const other = translate(snapshot, proxy([{ service: 'reviews' }], { instance: 'productpage-v1-2' }));
    expect(other.clusters.get(COLLECTOR)).toBe(translate(snapshot, caller).clusters.get(COLLECTOR));
  });

  it.each([
    ['{ tracing: [{ providers: [{ name: zipkn }] }] }', 'there is no provider "zipkn"', 'zipkin'],
    ['{ tracing: [{ providers: [{ name: envoy }] }] }', 'provider "envoy" is not for tracing', 'opentelemetry, zipkin'],
    [
      '{ accessLogging: [{ providers: [{ name: prometheus }] }] }',
      'provider "prometheus" is not for accessLogging',
      'envoyFileAccessLog',
    ],
    ['{ tracing: [{ providers: [{ name: otel }] }, {}] }', 'the first counts', 'keep one'],
    ['{ metrics: [{ overrides: [] }] }', 'overrides is not supported yet', ''],
    ['{ tracing: [{ customTags: { a: {} } }] }', 'one of literal, environment, header, formatter', ''],
  ])('%s is told', (spec, message, hint) => {
    const problems = problemsIn(yamls(mesh, telemetry('t', spec)));
    expect(problems.map((problem) => problem.message).join('; ')).toContain(message);
    expect(problems.map((problem) => problem.hint).join('; ')).toContain(hint);
  });

  it('reports to hosts that are there', () => {
    const lost =
      'apiVersion: mesh/v1\nkind: Mesh\nmetadata: { name: mesh }\nspec: { extensionProviders: [{ name: z, zipkin: { service: nobody, port: 1 } }] }';
    const problems = problemsIn(yamls(lost, telemetry('t', '{ tracing: [{ providers: [{ name: z }] }] }')));
    expect(problems.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'MESH1010 provider "z" reports to "nobody", which is no host of the mesh',
    ]);
  });

  it('is told when another is for the same proxies', () => {
    const problems = problemsIn(
      yamls(
        telemetry('a', '{ accessLogging: [{ disabled: true }] }'),
        telemetry('b', '{ accessLogging: [{ disabled: true }] }'),
      ),
    );
    expect(problems.map(({ severity, message }) => `${severity}: ${message}`)).toEqual([
      'warning: Telemetry default/a is for the same proxies, and one of the two says nothing',
    ]);
  });
});
