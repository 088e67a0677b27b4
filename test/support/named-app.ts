/** An app of reviews that answers with its version's name, and the question to it through a sidecar. */
import { type Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { PlannedInstance } from '../../src/model/node-plan.js';
import { plannedInstance } from './node-plans.js';

/** Its server joins `servers`, whose owner closes them. */
export async function startNamedApp(version: string, servers: Server[]): Promise<PlannedInstance> {
  const server = createServer((_request, response) => response.end(version));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.keepAliveTimeout = 120_000; // a connection that closes by itself would look like a lost request
  const { port } = server.address() as AddressInfo; // a TCP server has one
  const ports = { app: { http: port }, inbound: { http: port }, proxy: 1, metrics: 2, upstreams: {} };
  return plannedInstance({ instance: `reviews-${version}-1`, ports });
}

/** The version that answers, or `status 503`. */
export function askReviews(
  proxyPort: number,
  agent: Agent | false,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { port: proxyPort, agent, headers: { host: 'reviews:9080', ...headers } };
    const call = request(options, (response) => {
      let body = '';
      response.on('data', (chunk) => (body += chunk));
      response.on('end', () => resolve(response.statusCode === 200 ? body : `status ${response.statusCode}`));
    });
    call.on('error', reject);
    call.end();
  });
}
