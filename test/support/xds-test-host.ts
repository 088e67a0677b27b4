/** A host whose view a test sets by hand. */

import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import type { LoadReport, ProxyNode, Rejection } from '../../src/xds/ads-host.js';
import { type AdsServerOptions, createAdsServer } from '../../src/xds/ads-server.js';
import type { View } from '../../src/xds/resource-cache.js';
import { createXdsClient, type XdsClient } from './xds-client.js';
import { viewOf } from './xds-resources.js';

export async function startXds(options: Partial<AdsServerOptions> = {}, address = '127.0.0.1:0') {
  let view = viewOf(0, []);
  const connected: ProxyNode[] = [];
  const closed: string[] = [];
  const rejections: Rejection[] = [];
  const reports: { node: ProxyNode; report: LoadReport }[] = [];
  const server = createAdsServer({
    clock: systemClock,
    logger: silentLogger,
    host: {
      connect: async (node) => {
        connected.push(node);
        return { view: () => view, closed: () => void closed.push(node.id) };
      },
      rejected: (_node, rejection) => void rejections.push(rejection),
      loadReport: (node, report) => void reports.push({ node, report }),
    },
    ...options,
  });
  const bound = await server.listen(address);
  const clients: XdsClient[] = [];
  return {
    server,
    address: bound,
    connected,
    closed,
    rejections,
    reports,
    client(): XdsClient {
      const client = createXdsClient(bound);
      clients.push(client);
      return client;
    },
    show(next: View): void {
      view = next;
      server.changed();
    },
    async stop(): Promise<void> {
      for (const client of clients) client.close();
      await server.close({ drainMs: 500 });
    },
  };
}

export type TestXds = Awaited<ReturnType<typeof startXds>>;
