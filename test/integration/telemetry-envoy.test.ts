/** Goal: a real Envoy logs and reports what Telemetries say: lines by a filter, spans to Zipkin and OpenTelemetry, log records. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttp1, type Server } from 'node:http';
import { createServer as createHttp2, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import type { Endpoint } from '../../src/model/instance.js';
import { isEnvoyMissing } from '../support/envoy.js';
import { endpoint, serviceYaml, yamls } from '../support/mesh-world.js';
import { type OneSidecar, startOneSidecar } from '../support/one-sidecar.js';
import { until } from '../support/until.js';

const TRACES = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const LOGS = '/opentelemetry.proto.collector.logs.v1.LogsService/Export';

describe.skipIf(isEnvoyMissing())('Telemetries at a sidecar', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'telemetry-'));
  const log = path.join(folder, 'access.log');
  /** What collectors were sent, by path. */
  const received = new Map<string, string>();
  const note = (url: string, body: Buffer): void =>
    void received.set(url, (received.get(url) ?? '') + body.toString('latin1'));
  let sidecar: OneSidecar;
  let app: Running;
  let zipkin: Server;
  let otel: Http2Server;
  let endpoints: readonly Endpoint[];

  beforeAll(async () => {
    const upstream = {
      mode: 'proxy',
      name: 'reviews',
      namespace: 'default',
      service: 'reviews',
      port: 9080,
      protocol: 'http',
      listener: undefined,
    } as const;
    sidecar = await startOneSidecar({ upstreams: [upstream] });
    app = await startApp({ PORT: '0', MESH_SERVICE: 'reviews', MESH_VERSION: 'v1', MESH_INSTANCE: 'r' });
    zipkin = createHttp1((request, response) => {
      request
        .on('data', (part: Buffer) => note(request.url ?? '', part))
        .on('end', () => response.writeHead(202).end());
    });
    otel = createHttp2();
    otel.on('stream', (stream, headers) => {
      stream.on('data', (part: Buffer) => note(headers[':path'] ?? '', part));
      stream.on('end', () => {
        stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.alloc(5));
      });
    });
    const portOf = async (server: Server | Http2Server): Promise<number> => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return (server.address() as AddressInfo).port;
    };
    endpoints = [
      endpoint(`reviews/v1@127.0.0.1:${app.ports[0]}`),
      endpoint(`zipkin/v1@127.0.0.1:${await portOf(zipkin)}`),
      endpoint(`otel/v1@127.0.0.1:${await portOf(otel)}`),
    ];
  });

  afterAll(async () => {
    await sidecar.stop();
    await app.close();
    zipkin.close();
    otel.close();
    rmSync(folder, { recursive: true });
  });

  const providers = [
    `{ name: file, envoyFileAccessLog: { path: ${log}, logFormat: { text: "%REQ(:PATH)% %CEL(request.method)%" } } }`,
    '{ name: zipkin, zipkin: { service: zipkin.default.svc.cluster.local, port: 9411 } }',
    '{ name: otel, opentelemetry: { service: otel.default.svc.cluster.local, port: 4317 } }',
    '{ name: otel-logs, envoyOtelAls: { service: otel.default.svc.cluster.local, port: 4317, logFormat: { text: "%REQ(:PATH)%", labels: { verb: "%REQ(:METHOD)%" } } } }',
  ];
  const mesh = (spec: string): string =>
    yamls(
      `apiVersion: mesh/v1\nkind: Mesh\nmetadata: { name: mesh }\nspec: { extensionProviders: [${providers.join(', ')}] }`,
      serviceYaml('productpage', ['v1']),
      serviceYaml('reviews', ['v1']),
      serviceYaml('zipkin', ['v1']).replaceAll('9080', '9411'),
      serviceYaml('otel', ['v1']).replaceAll('9080', '4317').replace('protocol: http', 'protocol: grpc'),
      `apiVersion: telemetry.istio.io/v1\nkind: Telemetry\nmetadata: { name: t }\nspec: ${spec}`,
    );
  const call = (at: string, ...more: readonly string[]): Promise<string> =>
    sidecar.curl('-H', 'host: reviews:9080', ...more, `${sidecar.proxyUrl()}${at}`);

  /** Spans are sent when there are five of them, or after 5 s. */
  const fill = async (at: string): Promise<void> => {
    for (let i = 0; i < 5; i++) await call(at);
  };

  test('lines are written of the requests that the filter takes', async () => {
    await sidecar.apply(
      mesh('{ accessLogging: [{ providers: [{ name: file }], filter: { expression: "response.code >= 500" } }] }'),
      endpoints,
    );
    expect(await call('/good')).toMatch(/^HTTP\/1.1 200/);
    expect(await call('/bad', '-H', 'x-want-status: 503')).toMatch(/^HTTP\/1.1 503/);
    await until('the line of the bad one', () => readFileSync(log, 'utf8').includes('/bad GET\n'), 15_000);
    expect(readFileSync(log, 'utf8')).toBe('/bad GET\n');
  });

  test('spans go to Zipkin, with their tags', async () => {
    await sidecar.apply(
      mesh(
        '{ tracing: [{ providers: [{ name: zipkin }], randomSamplingPercentage: 100, customTags: { color: { literal: { value: teal } }, at: { formatter: { value: "%REQ(:PATH)%" } } } }] }',
      ),
      endpoints,
    );
    expect(await call('/traced')).toContain('x-b3-traceid');
    await fill('/traced');
    const spans = await until('a span', () => received.get('/api/v2/spans'), 15_000);
    expect(spans).toContain('"color":"teal"');
    expect(spans).toContain('"at":"/traced"');
    expect(spans).toContain('"istio.canonical_service":"productpage"');
  });

  test('spans are reported, and their headers left as they are', async () => {
    await sidecar.apply(
      mesh(
        '{ tracing: [{ providers: [{ name: zipkin }], randomSamplingPercentage: 100, disableContextPropagation: true }] }',
      ),
      endpoints,
    );
    expect(await call('/alone')).not.toContain('x-b3-traceid');
  });

  test('spans and log records go to OpenTelemetry', async () => {
    await sidecar.apply(
      mesh(
        '{ accessLogging: [{ providers: [{ name: otel-logs }] }], tracing: [{ providers: [{ name: otel }], randomSamplingPercentage: 100 }] }',
      ),
      endpoints,
    );
    await fill('/observed');
    const spans = await until('a span', () => received.get(TRACES), 15_000);
    expect(spans).toContain('productpage.default');
    expect(await until('a record', () => received.get(LOGS), 15_000)).toContain('/observed');
  });
});
