// A small HTTP load generator: requests to a service through a sidecar's proxy port, counted by the version that answered.
import http from 'node:http';

/**
 * @typedef {object} LoadOptions
 * @property {string} proxy          host:port of a sidecar's outbound proxy
 * @property {string} authority      the service, as callers name it: `reviews:9080`
 * @property {string} [path]
 * @property {Record<string, string>} [headers]
 * @property {number} [concurrency]  requests in flight at most, default 8
 * @property {number} [total]        stop after so many, default endless
 * @property {number} [perSecond]    steady rate at most, default as fast as answers come
 * @property {number} [timeoutMs]    of one request, default 5000
 */

/**
 * @typedef {object} LoadResult
 * @property {number} sent
 * @property {number} failed
 * @property {Map<string, number>} byBackend   answers by `x-backend`: `reviews/v1`
 * @property {Map<string, number>} byInstance  answers by `x-instance`
 * @property {Map<string, number>} lastSeenMs  by backend, on the monotonic clock
 * @property {string[]} failures               the first twenty, with the time since the start
 * @property {number} seconds
 */

/**
 * Starts at once. `done` resolves when `total` requests are answered, or after `stop()` and the last answer.
 * @param {LoadOptions} options
 * @returns {{ result: LoadResult, done: Promise<LoadResult>, stop(): Promise<LoadResult> }}
 */
export function startLoad(options) {
  const { concurrency = 8, total = Number.POSITIVE_INFINITY, perSecond = Number.POSITIVE_INFINITY } = options;
  const agent = new http.Agent({ keepAlive: true, maxSockets: concurrency });
  const started = performance.now();
  /** @type {LoadResult} */
  const result = {
    sent: 0,
    failed: 0,
    byBackend: new Map(),
    byInstance: new Map(),
    lastSeenMs: new Map(),
    failures: [],
    seconds: 0,
  };
  let stopped = false;

  async function worker() {
    while (!stopped && result.sent < total) {
      const dueMs = (result.sent / perSecond) * 1000 - (performance.now() - started);
      result.sent++;
      if (dueMs > 0) await new Promise((resolve) => setTimeout(resolve, dueMs));
      const answer = await request(options, agent);
      if (answer.status === 200) count(result, answer.headers);
      else
        fail(
          result,
          `${Math.round(performance.now() - started)}ms ${answer.error ?? answer.status} ${answer.detail ?? ''}`,
        );
    }
  }

  const done = Promise.all(Array.from({ length: Math.min(concurrency, total) }, worker)).then(() => {
    agent.destroy();
    result.seconds = (performance.now() - started) / 1000;
    return result;
  });
  return {
    result,
    done,
    stop() {
      stopped = true;
      return done;
    },
  };
}

/** @param {LoadOptions} options */
export function load(options) {
  return startLoad(options).done;
}

/** @param {LoadResult} result @param {http.IncomingHttpHeaders} headers */
function count(result, headers) {
  const backend = String(headers['x-backend'] ?? 'unknown');
  const instance = String(headers['x-instance'] ?? 'unknown');
  result.byBackend.set(backend, (result.byBackend.get(backend) ?? 0) + 1);
  result.byInstance.set(instance, (result.byInstance.get(instance) ?? 0) + 1);
  result.lastSeenMs.set(backend, performance.now());
}

/** @param {LoadResult} result @param {string} what */
function fail(result, what) {
  result.failed++;
  if (result.failures.length < 20) result.failures.push(what);
}

/**
 * @param {LoadOptions} options
 * @param {http.Agent} agent
 * @returns {Promise<{ status: number, headers: http.IncomingHttpHeaders, error?: string, detail?: string }>}
 */
function request({ proxy, authority, path = '/', headers = {}, timeoutMs = 5000 }, agent) {
  const [host, port] = proxy.split(':');
  return new Promise((resolve) => {
    const call = http.request(
      {
        host,
        port,
        agent,
        path: `http://${authority}${path}`,
        headers: { ...headers, host: authority },
        timeout: timeoutMs,
      },
      (answer) => {
        /** @type {Buffer[]} */
        const body = [];
        answer.on('data', (part) => body.push(part));
        answer.on('end', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            detail: Buffer.concat(body).toString().slice(0, 100),
          }),
        );
        answer.on('error', (error) => resolve({ status: 0, headers: {}, error: error.message }));
      },
    );
    call.on('timeout', () => call.destroy(new Error(`no answer in ${timeoutMs} ms`)));
    call.on('error', (error) => resolve({ status: 0, headers: {}, error: error.message }));
    call.end();
  });
}
