/** The gRPC server: ADS in both flavours, load reports, health. Knows streams and proxies; what is sent is decided below. */
import type { Clock } from '../runtime/clock.js';
import type { Logger } from '../runtime/logger.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import { type AdmissionLimits, createAdmission } from './admission.js';
import { type AdsHost, type AdsServer, noMetrics, type ProxyStatus, type XdsMetrics } from './ads-host.js';
import { ADS, discoveryMethods } from './discovery-services.js';
import { fanOut } from './fan-out.js';
import { HEALTH_CHECK, healthCheck } from './health.js';
import { createLoadReports, LOAD_STATS } from './load-reports.js';
import { TooMuch } from './read-request.js';
import { AdsStream, firstRequestLimitMs } from './stream.js';
import { lower, togetherOf } from './stream-status.js';
import { grpcJsTransport } from './transport/grpc-js.js';
import { http2Transport } from './transport/http2.js';
import { type Call, type CallHandler, grpcCode, unary } from './transport/transport.js';

/** One proxy needs one, or one per type; as many more live side by side while it reconnects. */
const MAX_STREAMS_PER_PROXY = 16;
/** A cold proxy costs about a millisecond: half of the processor is left for those that are served already. */
const ADMISSION: AdmissionLimits = { perSecond: 500, burst: 250 };
/** Give or take a fifth, so that streams that began together do not end together. */
const MAX_AGE_MS = 30 * 60_000;
const AGE_SPREAD = 0.2;
const TICK_MS = 250;
const DRAIN_MS = 2_000;
/** Streams that end together come back together: 200 a second, but all of them within 6 s. */
const END_SPACING_MS = 5;
const MAX_ENDING_MS = 6_000;

const transports = { http2: http2Transport, 'grpc-js': grpcJsTransport } as const;
export type TransportName = keyof typeof transports;
const DEFAULT_TRANSPORT: TransportName = 'http2';

export interface AdsServerOptions {
  readonly host: AdsHost;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: XdsMetrics;
  /** How many streams may begin in a second. Default 500, after 250 at once. */
  readonly admission?: AdmissionLimits;
  /** How old a stream may be, give or take a fifth. Default half an hour. */
  readonly maxAgeMs?: number;
  /** How often proxies report their load. Default 1000. */
  readonly loadReportIntervalMs?: number;
  /** What speaks gRPC. Default http2. */
  readonly transport?: TransportName | undefined;
  /** What the health service answers. Default yes. */
  readonly isServing?: () => boolean;
}

export function createAdsServer(options: AdsServerOptions): AdsServer {
  const { host, clock, logger, metrics = noMetrics, loadReportIntervalMs = 1_000, isServing = () => true } = options;
  const { admission = ADMISSION, maxAgeMs = MAX_AGE_MS, transport = DEFAULT_TRANSPORT } = options;
  const streams = new Set<AdsStream>();
  const streamsByProxy = new Map<string, Set<AdsStream>>();
  const ackedCallbacks = new Set<() => void>();
  const closing = new AbortController();

  const changes = fanOut<AdsStream>((stream) => stream.refresh(), clock);
  const noteAcked = (): void => {
    for (const callback of ackedCallbacks) callback();
  };
  const around = {
    host,
    clock,
    logger,
    metrics,
    admission: createAdmission(admission, clock),
    ageLimitMs: () => maxAgeMs * (1 + AGE_SPREAD * (2 * Math.random() - 1)),
    acked: (stream: AdsStream): void => {
      const siblings = stream.node && streamsByProxy.get(stream.node.id);
      if (siblings) host.acked?.(stream.node, ackedRevisionOf(siblings));
      noteAcked();
    },
    joined: (stream: AdsStream): void => {
      const id = stream.node?.id ?? '';
      const siblings = streamsByProxy.get(id) ?? new Set();
      if (siblings.size >= MAX_STREAMS_PER_PROXY) throw new TooMuch(`${siblings.size} streams of proxy ${id} are open`);
      streamsByProxy.set(id, siblings.add(stream));
    },
    left: (stream: AdsStream): void => {
      streams.delete(stream);
      changes.delete(stream);
      const id = stream.node?.id ?? '';
      const siblings = streamsByProxy.get(id);
      siblings?.delete(stream);
      if (siblings?.size === 0) streamsByProxy.delete(id);
      noteAcked();
    },
  };
  const discovery = discoveryMethods((call, kind, only) => {
    const stream = new AdsStream(call, kind, only, around);
    streams.add(stream);
    return stream;
  });
  const loads = createLoadReports(loadReportIntervalMs, (node, report) => host.loadReport?.(node, report));
  const methods = new Map<string, (call: Call) => CallHandler>([
    ...discovery,
    [HEALTH_CHECK, unary(healthCheck([ADS], isServing))],
    ...(host.loadReport ? [[LOAD_STATS, loads.open] as const] : []),
  ]);
  const server = transports[transport](methods, clock);

  const tick = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await clock.sleep(TICK_MS, closing.signal).catch(() => undefined); // aborted: the loop ends
      const silentLimitMs = firstRequestLimitMs([...streams].filter(({ isSilent }) => isSilent).length);
      for (const stream of streams) stream.tick(clock.monotonic(), silentLimitMs);
    }
  };

  /** In an order that nobody planned: neighbours in the list are neighbours on a machine. */
  const endAll = async (all: readonly AdsStream[]): Promise<void> => {
    const spacingMs = Math.min(END_SPACING_MS, MAX_ENDING_MS / Math.max(all.length, 1));
    const shuffled = all.map((stream) => ({ stream, at: Math.random() })).sort((a, b) => a.at - b.at);
    const startedMs = clock.monotonic();
    for (const [i, { stream }] of shuffled.entries()) {
      const waitMs = startedMs + i * spacingMs - clock.monotonic();
      if (waitMs > 0) await clock.sleep(waitMs);
      stream.end('shutdown', grpcCode.UNAVAILABLE, 'this control plane is going away');
    }
  };

  let ticking: Promise<void> | undefined;
  return {
    async listen(address) {
      const bound = await server.listen(address).catch((error: unknown) => {
        throw notBound(address, error);
      });
      ticking ??= tick();
      return bound;
    },
    changed(proxyIds) {
      changes.add(proxyIds ? [...proxyIds].flatMap((id) => [...(streamsByProxy.get(id) ?? [])]) : streams);
    },
    proxies() {
      return [...streamsByProxy.values()]
        .flatMap((siblings) => statusOfProxy(siblings) ?? [])
        .sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
    },
    acknowledged: () => [...streamsByProxy].map(([id, siblings]) => ({ id, ackedRevision: ackedRevisionOf(siblings) })),
    onAcked(callback) {
      ackedCallbacks.add(callback);
      return () => ackedCallbacks.delete(callback);
    },
    sendAway(proxyId) {
      const details = 'another control plane answers again';
      for (const stream of streamsByProxy.get(proxyId) ?? []) stream.end('sent away', grpcCode.UNAVAILABLE, details);
    },
    cutLoadWindow: (proxyId, isCut) => loads.cut(proxyId, isCut),
    async close({ drainMs = DRAIN_MS } = {}) {
      const drained = new AbortController();
      void server.drain().then(() => drained.abort(new Error('drained')));
      await endAll([...streams]);
      closing.abort(new Error('server closes'));
      await clock.sleep(drainMs, drained.signal).catch(() => undefined); // drained in time
      server.destroy();
    },
  };
}

/** The newest stream counts; of a proxy with a stream per type, the newest of each. */
function countingStreams(siblings: ReadonlySet<AdsStream>): AdsStream[] {
  const all = [...siblings];
  const newest = all.at(-1);
  if (!newest?.only) return newest ? [newest] : [];
  return [...new Map(all.map((stream) => [stream.only, stream])).values()].filter(({ only }) => only !== undefined);
}

function statusOfProxy(siblings: ReadonlySet<AdsStream>): ProxyStatus | undefined {
  return togetherOf(countingStreams(siblings).flatMap((stream) => stream.status() ?? []));
}

function ackedRevisionOf(siblings: ReadonlySet<AdsStream>): bigint {
  return countingStreams(siblings)
    .map(({ ackedRevision }) => ackedRevision)
    .reduce(lower);
}

function notBound(address: string, cause: unknown): MeshError {
  const isTaken = /EADDRINUSE|address already in use/i.test(messageOf(cause));
  return new MeshError(isTaken ? 'MESH2010' : 'MESH2000', `could not listen on ${address} for xDS`, { cause });
}
