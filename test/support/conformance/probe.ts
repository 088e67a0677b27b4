/** Sends the requests of a probe one after the other on one connection, as they were sent when Istio was measured. */
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { until } from '../until.js';
import { PROBE_HEADER } from './backends.js';
import type { ProbeRequest } from './cases.js';
import type { Answer } from './compare.js';

const TIMEOUT_MS = 20_000;

export async function sendProbe(
  wish: ProbeRequest,
  { n, id, proxyPort }: { readonly n: number; readonly id: string; readonly proxyPort: number },
): Promise<readonly Answer[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    if (wish.to !== undefined) await listens(wish.to, wish.toPort ?? 80);
    const answers: Answer[] = [];
    for (let i = 0; i < n; i++) answers.push(await send(numbered(wish, i), id, proxyPort, agent));
    return answers;
  } finally {
    agent.destroy();
  }
}

/** Envoy acknowledges a listener before its threads have taken it over. */
async function listens(host: string, port: number): Promise<void> {
  await until(`${host}:${port} listens`, () => {
    return new Promise<boolean>((resolve) => {
      const socket = connect({ host, port }, () => resolve(true));
      socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
    });
  });
}

function numbered(wish: ProbeRequest, i: number): ProbeRequest {
  const put = (value: string): string => value.replaceAll('{i}', String(i));
  return {
    ...wish,
    url: put(wish.url),
    headers: Object.fromEntries(Object.entries(wish.headers).map(([name, value]) => [name, put(value)])),
    ...(wish.body === undefined ? {} : { body: put(wish.body) }),
  };
}

async function send(wish: ProbeRequest, id: string, proxyPort: number, agent: Agent): Promise<Answer> {
  const start = performance.now();
  try {
    const response = await respond(wish, id, proxyPort, agent);
    const body = await text(response);
    const latencyMs = performance.now() - start;
    const backend = response.headers['x-backend']?.toString();
    const saw = backend === undefined ? undefined : (JSON.parse(body) as { path: string; headers: { host: string } });
    return {
      outcome: `${response.statusCode} ${backend ?? '-'}`,
      latencyMs,
      location: response.headers.location,
      path: saw?.path,
      host: saw?.headers.host,
    };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const outcome = code === 'ECONNRESET' ? 'ERR RemoteDisconnected' : `ERR ${code ?? message}`;
    return { outcome, latencyMs: performance.now() - start, location: undefined, path: undefined, host: undefined };
  }
}

/** The URL goes out as it was written and whole, as to any proxy: its dots, slashes and escapes are what some cases are about. */
function respond(wish: ProbeRequest, id: string, proxyPort: number, agent: Agent): Promise<IncomingMessage> {
  const host = /^http:\/\/([^/?]+)/.exec(wish.url)?.[1];
  if (host === undefined) throw new Error(`${wish.url}: only http:// is known`);
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: wish.to ?? '127.0.0.1',
        port: wish.to === undefined ? proxyPort : (wish.toPort ?? 80),
        method: wish.method,
        path: wish.url,
        headers: { host, [PROBE_HEADER]: id, ...wish.headers },
        agent,
        timeout: TIMEOUT_MS,
      },
      resolve,
    );
    call.on('error', reject);
    call.on('timeout', () => call.destroy(new Error('timeout')));
    call.end(wish.body);
  });
}
