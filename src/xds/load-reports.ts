/** envoy.service.load_stats.v3.LoadReportingService: proxies count what they send where, and tell us every interval. */
import { type ServerDuplexStream, type ServiceDefinition, status } from '@grpc/grpc-js';
import { messageOf } from '../runtime/mesh-error.js';
import type { ClusterLoad, LoadReport, ProxyNode } from './ads-host.js';
import { encodeMessage } from './encode.js';
import { bidirectional } from './raw-service.js';
import { readNode } from './read-request.js';
import { fieldsOf } from './wire.js';

export const loadReportingService: ServiceDefinition = {
  StreamLoadStats: bidirectional('/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats'),
};

type Call = ServerDuplexStream<Buffer, Buffer>;

/** A handler that asks for all clusters once and hands on each report. An empty interval is reported too, as an empty list. */
export function loadReportHandler(
  intervalMs: number,
  report: (node: ProxyNode, report: LoadReport) => void,
): (call: Call) => void {
  const question = Buffer.from(
    encodeMessage('envoy.service.load_stats.v3.LoadStatsResponse', {
      sendAllClusters: true,
      loadReportingInterval: `${intervalMs / 1000}s`,
    }),
  );
  return (call) => {
    let node: ProxyNode | undefined;
    call.on('data', (message: Buffer) => {
      try {
        const received = readLoadStats(message);
        if (node) return report(node, received.report);
        if (!received.node) throw new RangeError('the first message of a stream must carry a node');
        node = readNode(received.node, call.getPeer());
        call.write(question);
      } catch (error) {
        call.emit('error', { code: status.INVALID_ARGUMENT, details: messageOf(error) });
      }
    });
    call.on('end', () => call.end());
    call.on('error', () => undefined); // the client has gone; it will open a new stream
  };
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
