/** envoy.service.load_stats.v3.LoadReportingService: proxies count what they send where, and tell us every interval. */
import { messageOf } from '../runtime/mesh-error.js';
import type { AdsServer, ClusterLoad, LoadReport, ProxyNode } from './ads-host.js';
import { encodeMessage } from './encode.js';
import { readNode } from './read-request.js';
import { type Call, type CallHandler, grpcCode } from './transport/transport.js';
import { fieldsOf, Pieces } from './wire.js';

export const LOAD_STATS = '/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats';

export interface LoadReports {
  readonly open: (call: Call) => CallHandler;
  readonly cut: AdsServer['cutLoadWindow'];
}

/** Asks each proxy for all its clusters once and hands on each report. An empty interval is reported too, as zeros. */
export function createLoadReports(
  intervalMs: number,
  report: (node: ProxyNode, report: LoadReport) => void,
): LoadReports {
  const loadReportingInterval = `${intervalMs / 1000}s`;
  const everything = questionOf({ sendAllClusters: true, loadReportingInterval });
  const streams = new Map<string, Set<LoadStream>>();

  const join = (stream: LoadStream): LoadStream => {
    const siblings = streams.get(stream.node.id) ?? new Set();
    streams.set(stream.node.id, siblings.add(stream));
    return stream;
  };
  const leave = (stream: LoadStream): void => {
    const siblings = streams.get(stream.node.id);
    siblings?.delete(stream);
    if (siblings?.size === 0) streams.delete(stream.node.id);
  };

  const open = (call: Call): CallHandler => {
    let stream: LoadStream | undefined;
    return {
      received(message) {
        try {
          const received = readLoadStats(message);
          if (!stream) {
            if (!received.node) throw new RangeError('the first message of a stream must carry a node');
            stream = join({ call, node: readNode(received.node, call.peer), clusters: [] });
            call.write(everything);
            // A proxy that comes back brings in its first message what it has counted meanwhile.
            if (received.report.length === 0) return;
          }
          stream.clusters = received.report.map((load) => load.cluster);
          report(stream.node, received.report);
        } catch (error) {
          call.end(grpcCode.INVALID_ARGUMENT, messageOf(error));
        }
      },
      ended() {
        if (stream) leave(stream);
        call.end();
      },
    };
  };

  return {
    open,
    // Envoy keeps the counters of a cluster that it was asked for before, and resets those of one that it was not
    // (`LoadStatsReporterImpl::startLoadReportPeriod`). So it is asked for the others alone, and at once for all again.
    cut(proxyId, isCut) {
      for (const { call, clusters } of streams.get(proxyId) ?? []) {
        call.write(questionOf({ clusters: clusters.filter((cluster) => !isCut(cluster)), loadReportingInterval }));
        call.write(everything);
      }
    },
  };
}

interface LoadStream {
  readonly call: Call;
  readonly node: ProxyNode;
  /** Of the last report: all that the proxy had, whether they had requests or not. */
  clusters: readonly string[];
}

function questionOf(response: object): Pieces {
  return new Pieces([encodeMessage('envoy.service.load_stats.v3.LoadStatsResponse', response)]);
}

/** envoy.service.load_stats.v3.LoadStatsRequest. By hand: it comes every second from every proxy. */
export function readLoadStats(message: Buffer): { node: Buffer | undefined; report: LoadReport } {
  let node: Buffer | undefined;
  const report: ClusterLoad[] = [];
  for (const { number, bytes } of fieldsOf(message)) {
    if (number === 1) node = bytes;
    else if (number === 2) report.push(readClusterStats(bytes));
  }
  return { node, report };
}

/** envoy.config.endpoint.v3.ClusterStats, summed over its localities. */
function readClusterStats(message: Buffer): ClusterLoad {
  let cluster = '';
  let service = '';
  let dropped = 0;
  let intervalMs = 0;
  const sums = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (const { number, value, bytes } of fieldsOf(message)) {
    if (number === 1) cluster = bytes.toString();
    else if (number === 2) addLocality(sums, bytes);
    else if (number === 3) dropped = value;
    else if (number === 4) intervalMs = readDurationMs(bytes);
    else if (number === 6) service = bytes.toString();
  }
  const [, , successes = 0, inProgress = 0, errors = 0, , , , issued = 0] = sums;
  return { cluster, service, intervalMs, successes, errors, issued, inProgress, dropped };
}

/** envoy.config.endpoint.v3.UpstreamLocalityStats: successful 2, in progress 3, errors 4, issued 8. */
function addLocality(sums: number[], message: Buffer): void {
  for (const { number, value } of fieldsOf(message)) {
    const sum = sums[number];
    if (sum !== undefined) sums[number] = sum + value;
  }
}

/** google.protobuf.Duration: seconds 1, nanos 2. */
function readDurationMs(message: Buffer): number {
  let ms = 0;
  for (const { number, value } of fieldsOf(message)) ms += number === 1 ? value * 1000 : value / 1e6;
  return Math.round(ms);
}
