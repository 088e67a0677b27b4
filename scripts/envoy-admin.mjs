// What a real Envoy has, asked on its admin socket: for the demo and the tests, which believe nobody else.
import http from 'node:http';

/**
 * @param {string} socketPath
 * @param {string} path
 * @returns {Promise<string>}
 */
export function adminGet(socketPath, path) {
  return new Promise((resolve, reject) => {
    const call = http.get({ socketPath, path, timeout: 2000 }, (answer) => {
      /** @type {Buffer[]} */
      const body = [];
      answer.on('data', (part) => body.push(part));
      answer.on('end', () => resolve(Buffer.concat(body).toString()));
      answer.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error(`no answer from ${socketPath}`)));
    call.on('error', reject);
  });
}

/**
 * Addresses that an Envoy would send requests to, by Envoy cluster: those whose EDS health is HEALTHY.
 * @param {string} socketPath
 */
export async function healthyEndpoints(socketPath) {
  return healthyIn(await adminGet(socketPath, CLUSTERS_PAGE));
}

export const CLUSTERS_PAGE = '/clusters?format=json';

/**
 * The same, of a page that was read already.
 * @param {string} page
 * @returns {Map<string, Set<string>>}
 */
export function healthyIn(page) {
  const { cluster_statuses: clusters = [] } = JSON.parse(page);
  return new Map(
    clusters.map((/** @type {any} */ cluster) => [
      cluster.name,
      new Set(
        (cluster.host_statuses ?? [])
          .filter((/** @type {any} */ host) => (host.health_status?.eds_health_status ?? 'HEALTHY') === 'HEALTHY')
          .map(
            (/** @type {any} */ host) =>
              `${host.address.socket_address?.address}:${host.address.socket_address?.port_value}`,
          ),
      ),
    ]),
  );
}
