/**
 * The demo backends of the conformance material: HTTP/1.1 only, they say who they are and what they saw. One for every loopback
 * endpoint of a ServiceEntry, named by its labels `app` and `version`.
 */
import { createServer, type Server } from 'node:http';
import { isIPv4 } from 'node:net';
import { parseAllDocuments } from 'yaml';

/** Requests carry it, so that each counts for the probe that sent it, copies and retries too. */
export const PROBE_HEADER = 'x-conformance-probe';

const INBOUND_APP = { address: '127.0.0.1', port: 9091, name: 'app/local' };

export interface Backends {
  /** Until the next call: who answers with which status. */
  fail(statuses: Readonly<Record<string, number>>): void;
  hits(probe: string): Readonly<Record<string, number>>;
  close(): Promise<void>;
}

interface Place {
  readonly address: string;
  readonly port: number;
  readonly name: string;
}

export async function startBackends(texts: readonly string[]): Promise<Backends> {
  const servers: Server[] = [];
  const hits = new Map<string, Record<string, number>>();
  let failing: Readonly<Record<string, number>> = {};
  const places = new Map(
    [INBOUND_APP, ...texts.flatMap(placesIn)].map((place) => [`${place.address}:${place.port}`, place]),
  );
  for (const { address, port, name } of places.values()) {
    const server = createServer((request, response) => {
      const { headers, method, url } = request;
      const probe = String(headers[PROBE_HEADER]);
      const own = hits.get(probe) ?? {};
      hits.set(probe, own);
      own[name] = (own[name] ?? 0) + 1;
      const status = failing[name] ?? Number(headers['x-want-status'] ?? 200);
      const body = JSON.stringify({ backend: name, path: url, method, headers });
      request.resume();
      setTimeout(
        () => response.writeHead(status, { 'content-type': 'application/json', 'x-backend': name }).end(body),
        Number(headers['x-want-delay'] ?? 0) * 1000,
      );
    });
    server.keepAliveTimeout = 120_000; // a connection that closes by itself would look like a lost request
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, address, resolve);
    });
    servers.push(server);
  }
  return {
    fail: (statuses) => (failing = statuses),
    hits: (probe) => hits.get(probe) ?? {},
    async close() {
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

interface EntrySpec {
  readonly ports?: readonly { readonly name: string; readonly number: number; readonly targetPort?: number }[];
  readonly endpoints?: readonly {
    readonly address?: string;
    readonly ports?: Readonly<Record<string, number>>;
    readonly labels?: Readonly<Record<string, string>>;
  }[];
}

function placesIn(text: string): readonly Place[] {
  const documents = parseAllDocuments(text).map(
    (document) => document.toJS() as { kind?: string; spec?: EntrySpec } | null,
  );
  return documents.flatMap((document) => {
    if (document?.kind !== 'ServiceEntry') return [];
    const { ports = [], endpoints = [] } = document.spec ?? {};
    return endpoints.flatMap(({ address = '', labels = {}, ports: own = {} }) => {
      if (!isIPv4(address) || !address.startsWith('127.')) return [];
      const name = `${labels['app']}/${labels['version']}`;
      return ports.map((port) => ({ address, name, port: own[port.name] ?? port.targetPort ?? port.number }));
    });
  });
}
