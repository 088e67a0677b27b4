/** What Telemetries make of the resources of a proxy: access logs and tracing of its listeners, and the Envoy clusters to report to. */
import { peerOf } from '../../dsl/provider.js';
import { telemetryKind } from '../../dsl/telemetry.js';
import type { CustomTag } from '../../dsl/telemetry-shape.js';
import type { ExtensionProvider } from '../../model/extension-provider.js';
import { defaultMesh, MESH_NAME, meshKind } from '../../model/mesh.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import { outboundClusterName } from '../../model/names.js';
import { any } from '../../xds/envoy-any.js';
import type {
  AccessLogJson,
  CustomTagJson,
  FilterJson,
  HttpConnectionManager_TracingJson,
  HttpConnectionManagerJson,
  ListenerJson,
  SubstitutionFormatStringJson,
} from '../../xds/envoy-json.js';
import { audienceOf } from './audience.js';
import { byName } from './by-name.js';
import type { Callee } from './envoy-clusters.js';
import { indexOf } from './mesh-index.js';
import type { ProxyScope } from './proxy.js';
import { findPeer, grpcTo, hostOf, reaching } from './reaching.js';
import { remember, sameContent } from './remember.js';
import type { TranslatedResources } from './resources.js';
import { type LogTo, type Reports, reportingProviders, reportsOf, type TraceTo, telemetriesFor } from './telemetry.js';

export function reporting(
  snapshot: MeshSnapshot,
  scope: ProxyScope,
  resources: TranslatedResources,
): TranslatedResources {
  const { definitions } = snapshot;
  const audience = audienceOf(scope);
  const { caller } = audience;
  const index = indexOf(definitions);
  const levels = telemetriesFor(definitions.all(telemetryKind), caller, index.rootNamespace);
  if (levels.length === 0) return resources;
  const { extensionProviders } = definitions.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh;
  const [client, server] = [
    reportsOf(levels, extensionProviders, 'CLIENT'),
    reportsOf(levels, extensionProviders, 'SERVER'),
  ];
  const collectors = new Map<string, Callee>();
  const known: Record<string, string> = {};
  for (const provider of reportingProviders([client, server])) {
    const collector = peerOf(provider);
    if (collector === undefined) continue;
    const peer = findPeer(snapshot, audience, collector);
    if (peer === undefined) continue;
    collectors.set(peer.entry.host, peer);
    known[provider.name] = outboundClusterName(collector.port, '', peer.entry.host);
  }
  const listeners = reportingListeners(scope, resources.listeners, client, server, sameContent(known));
  const reported = resources.listeners === listeners ? resources : withListeners(resources, listeners);
  return reaching(snapshot, audience, reported, [...collectors.values()]);
}

const withListeners = remember(
  (resources: TranslatedResources, listeners: TranslatedResources['listeners']): TranslatedResources => ({
    ...resources,
    listeners,
  }),
);

/** By the name of the provider: the Envoy cluster that it reports to. */
type ClusterNames = Readonly<Record<string, string>>;

const reportingListeners = remember(
  (
    scope: ProxyScope,
    listeners: TranslatedResources['listeners'],
    client: Reports,
    server: Reports,
    clusters: ClusterNames,
  ): TranslatedResources['listeners'] =>
    byName(
      [...listeners.values()].map((listener) => {
        const isServer = listener.trafficDirection === 'INBOUND' && !scope.isGateway;
        return reportingListener(listener, isServer ? server : client, clusters, scope);
      }),
      ({ name }) => name,
    ),
);

const reportingListener = remember(
  (listener: ListenerJson, reports: Reports, clusters: ClusterNames, scope: ProxyScope): ListenerJson => {
    if (reports.logs === undefined && reports.trace === undefined) return listener;
    const changed = (filter: FilterJson): FilterJson => sameContent(reportingFilter(filter, reports, clusters, scope));
    const filterChains = listener.filterChains?.map((chain) => ({
      ...chain,
      filters: chain.filters?.map(changed) ?? [],
    }));
    return filterChains === undefined ? listener : { ...listener, filterChains };
  },
);

const HTTP = 'envoy.filters.network.http_connection_manager';
const TCP = 'envoy.filters.network.tcp_proxy';

function reportingFilter(
  filter: FilterJson,
  { logs, trace }: Reports,
  clusters: ClusterNames,
  scope: ProxyScope,
): FilterJson {
  const { name, typedConfig } = filter;
  if (typedConfig === undefined || (name !== HTTP && name !== TCP)) return filter;
  const config = typedConfig as HttpConnectionManagerJson; // or a TcpProxy, which has the same field
  const accessLog = logs?.flatMap((log) => accessLogs(log, config.accessLog ?? [], clusters));
  const tracing = name === HTTP && trace ? tracingOf(trace, clusters, scope) : undefined;
  const more = { ...(accessLog === undefined ? {} : { accessLog }), ...tracing };
  return { ...filter, typedConfig: { ...typedConfig, ...more } as typeof typedConfig };
}

/** `own`: what a sidecar logs anyway. */
function accessLogs(
  { provider, filter }: LogTo,
  own: readonly AccessLogJson[],
  clusters: ClusterNames,
): readonly AccessLogJson[] {
  const logs = providerLogs(provider, own, clusters[provider.name]);
  return filter === undefined ? logs : logs.map((log) => ({ ...log, filter: celFilter(filter) }));
}

function celFilter(expression: string): NonNullable<AccessLogJson['filter']> {
  return {
    extensionFilter: {
      name: 'envoy.access_loggers.extension_filters.cel',
      typedConfig: any('envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter', { expression }),
    },
  };
}

function providerLogs(
  { envoyFileAccessLog: file, envoyHttpAls: als, envoyOtelAls: otel }: ExtensionProvider,
  own: readonly AccessLogJson[],
  cluster: string | undefined,
): readonly AccessLogJson[] {
  if (file !== undefined) return fileLogs(file, own);
  if (cluster === undefined) return [];
  const grpcService = { envoyGrpc: grpcTo(cluster) };
  if (als !== undefined) {
    const commonConfig = { logName: als.logName, grpcService, transportApiVersion: 'V3' as const };
    const typedConfig = any('envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig', { commonConfig });
    return [{ name: 'envoy.access_loggers.http_grpc', typedConfig }];
  }
  if (otel === undefined) return [];
  const { logName, logFormat } = otel;
  const attributes = Object.entries(logFormat?.labels ?? {}).map(([key, stringValue]) => ({
    key,
    value: { stringValue },
  }));
  return [
    {
      name: 'envoy.access_loggers.open_telemetry',
      typedConfig: any('xds.type.v3.TypedStruct', {
        typeUrl: 'type.googleapis.com/envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig',
        value: {
          commonConfig: { logName, grpcService, transportApiVersion: 'V3' },
          ...(logFormat?.text === undefined ? {} : { body: { stringValue: logFormat.text } }),
          attributes: { values: attributes },
        },
      }),
    },
  ];
}

function fileLogs(
  { path, logFormat, omitEmptyValues }: NonNullable<ExtensionProvider['envoyFileAccessLog']>,
  own: readonly AccessLogJson[],
): readonly AccessLogJson[] {
  const format = logFormat && formatOf(logFormat);
  if (format === undefined && !omitEmptyValues && path === '/dev/stdout') return own;
  return own.slice(0, 1).map((log) => {
    const before = (log.typedConfig as { logFormat?: SubstitutionFormatStringJson } | undefined)?.logFormat;
    const all = { ...(format ?? before), ...(omitEmptyValues ? { omitEmptyValues } : {}) };
    return path === '/dev/stdout'
      ? { ...log, typedConfig: any('envoy.extensions.access_loggers.stream.v3.StdoutAccessLog', { logFormat: all }) }
      : {
          name: 'envoy.access_loggers.file',
          typedConfig: any('envoy.extensions.access_loggers.file.v3.FileAccessLog', { path, logFormat: all }),
        };
  });
}

const celFormatter = { name: 'envoy.formatter.cel', typedConfig: any('envoy.extensions.formatter.cel.v3.Cel', {}) };

function formatOf({
  text,
  labels,
}: NonNullable<NonNullable<ExtensionProvider['envoyFileAccessLog']>['logFormat']>): SubstitutionFormatStringJson {
  const isCelUsed = [text ?? '', ...Object.values(labels ?? {})].some((one) => one.includes('%CEL('));
  const formatters = isCelUsed ? { formatters: [celFormatter] } : {};
  if (labels !== undefined) return { jsonFormat: labels, ...formatters };
  return { textFormatSource: { inlineString: text?.endsWith('\n') ? text : `${text}\n` }, ...formatters };
}

function tracingOf(
  trace: TraceTo,
  clusters: ClusterNames,
  scope: ProxyScope,
): Pick<HttpConnectionManagerJson, 'tracing' | 'requestIdExtension'> {
  const { provider, samplingPercent, isByRequestId } = trace;
  const cluster = clusters[provider.name];
  if (cluster === undefined) return {};
  const maxTagLength = provider.opentelemetry?.maxTagLength ?? provider.zipkin?.maxTagLength;
  return {
    tracing: {
      clientSampling: { value: 100 },
      randomSampling: { value: samplingPercent },
      overallSampling: { value: 100 },
      customTags: [...(trace.hasIstioTags ? istioTags(scope) : []), ...Object.entries(trace.tags).map(tagOf)],
      ...(maxTagLength === undefined ? {} : { maxPathTagLength: maxTagLength }),
      ...(trace.isPassedOn ? {} : { noContextPropagation: true }),
      provider: tracerOf(provider, cluster, scope),
    },
    requestIdExtension: {
      typedConfig: any('envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig', {
        useRequestIdForTraceSampling: isByRequestId,
      }),
    },
  };
}

function istioTags({ service, version, namespace }: ProxyScope): readonly CustomTagJson[] {
  const tags = { canonical_service: service, canonical_revision: version, namespace };
  return Object.entries(tags).flatMap(([tag, value]) =>
    value === '' ? [] : [{ tag: `istio.${tag}`, literal: { value } }],
  );
}

function tagOf([tag, { literal, environment, header, formatter }]: readonly [string, CustomTag]): CustomTagJson {
  if (formatter !== undefined) return { tag, value: formatter.value };
  if (literal !== undefined) return { tag, literal };
  if (environment !== undefined) return { tag, environment };
  return { tag, ...(header === undefined ? {} : { requestHeader: header }) };
}

function tracerOf(
  { opentelemetry, zipkin }: ExtensionProvider,
  cluster: string,
  { service, namespace }: ProxyScope,
): NonNullable<HttpConnectionManager_TracingJson['provider']> {
  if (zipkin !== undefined)
    return {
      name: 'envoy.tracers.zipkin',
      typedConfig: any('envoy.config.trace.v3.ZipkinConfig', {
        collectorCluster: cluster,
        collectorEndpoint: zipkin.path,
        collectorEndpointVersion: 'HTTP_JSON',
        collectorHostname: hostOf(cluster),
        traceId128bit: !zipkin.enable64bitTraceId,
        sharedSpanContext: false,
      }),
    };
  const http = opentelemetry?.http;
  return {
    name: 'envoy.tracers.opentelemetry',
    typedConfig: any('envoy.config.trace.v3.OpenTelemetryConfig', {
      serviceName: `${service}.${namespace}`,
      ...(http === undefined
        ? { grpcService: { envoyGrpc: grpcTo(cluster), timeout: '1s' } }
        : {
            httpService: {
              httpUri: { uri: `http://${hostOf(cluster)}${http.path}`, cluster, timeout: http.timeout },
            },
          }),
    }),
  };
}
