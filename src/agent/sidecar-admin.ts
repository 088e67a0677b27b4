/** Asks a sidecar's admin interface, which listens on a unix socket that only this machine can reach. */
import { request } from 'node:http';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import { throughShortPath } from './short-path.js';

const CALL_LIMIT_MS = 2000;
const statsLimits = { maxBytes: 1024 * 1024 };
/** 20,000 endpoints are about 10 MB. */
const MAX_CONFIG_BYTES = 64 * 1024 * 1024;
/** What comes in for the app: HTTP requests, and connections where the port is plain TCP. */
const IN_FLIGHT_STATS = '^(http\\.inbound.*\\.downstream_rq_active|tcp\\.inbound.*\\.downstream_cx_active)$';
/** One line per subscription: when it took over something last, in milliseconds since the epoch, and how often. */
const UPDATE_STATS = '^(server\\.state|(cluster|http|cluster_manager|listener_manager)\\..*\\.update_(success|time))$';
const LIVE = /^server\.state: 0$/m;

/** Requests (TCP: connections) that callers have open through this sidecar's inbound listeners. */
export async function requestsInFlight(socketPath: string, signal: AbortSignal): Promise<number> {
  const text = await get(socketPath, `/stats?format=json&filter=${encodeURIComponent(IN_FLIGHT_STATS)}`, signal);
  // Shape: Envoy's admin interface, `GET /stats?format=json`; counters and gauges have a value, histograms do not.
  const { stats } = JSON.parse(text) as { readonly stats: readonly { readonly value?: number }[] };
  return stats.reduce((sum, stat) => sum + (stat.value ?? 0), 0);
}

/** Another text whenever the sidecar has taken over an update. Undefined while it is still starting, or draining. */
export async function updateMark(socketPath: string, signal: AbortSignal): Promise<string | undefined> {
  const text = await get(socketPath, `/stats?filter=${encodeURIComponent(UPDATE_STATS)}`, signal);
  return LIVE.test(text) ? text : undefined;
}

/** The parts of Envoy's configuration that come from a control plane, as `/config_dump?resource=` names them. */
export type DumpPart =
  | 'dynamic_active_clusters'
  | 'dynamic_endpoint_configs'
  | 'dynamic_listeners'
  | 'dynamic_route_configs';

/** JSON in the field names of Envoy's protos. */
export async function configDump(socketPath: string, part: DumpPart, signal: AbortSignal): Promise<readonly object[]> {
  const include = part === 'dynamic_endpoint_configs' ? '&include_eds' : '';
  const limits = { maxBytes: MAX_CONFIG_BYTES, whenNotFound: '{}' };
  // 404: Envoy has nothing of that part.
  const text = await get(socketPath, `/config_dump?resource=${part}${include}`, signal, limits);
  // Shape: envoy.admin.v3.ConfigDump.
  return (JSON.parse(text) as { readonly configs?: readonly object[] }).configs ?? [];
}

interface Limits {
  readonly maxBytes: number;
  /** The answer when there is no such thing. Default: that fails. */
  readonly whenNotFound?: string;
}

function get(socketPath: string, path: string, signal: AbortSignal, limits: Limits = statsLimits): Promise<string> {
  return throughShortPath(socketPath, (short) => getFrom(short, path, signal, limits));
}

function getFrom(socketPath: string, path: string, signal: AbortSignal, limits: Limits): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void =>
      reject(
        new MeshError('MESH2009', `could not ask the sidecar at ${socketPath}: ${messageOf(error)}`, { cause: error }),
      );
    const call = request({ socketPath, path, agent: false, signal, timeout: CALL_LIMIT_MS });
    call.on('timeout', () => call.destroy(new Error(`no answer within ${CALL_LIMIT_MS} ms`)));
    call.on('error', fail);
    call.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (text.length > limits.maxBytes) call.destroy(new Error('the answer is too long'));
      });
      response.on('error', fail);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(text);
        else if (response.statusCode === 404 && limits.whenNotFound !== undefined) resolve(limits.whenNotFound);
        else fail(new Error(`HTTP status ${response.statusCode}`));
      });
    });
    call.end();
  });
}
