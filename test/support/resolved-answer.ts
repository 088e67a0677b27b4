/** Is what Envoy answered what `mesh resolve` says? */
import { type Agent, createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Resolution } from '../../src/resolve/resolution.js';
import type { RandomRequest } from './random-rules.js';

export interface EnvoyAnswer {
  readonly status: number;
  /** As the route is called; empty where there is none. */
  readonly route: string;
  readonly location: string;
  /** Of the backend that answered; empty when Envoy did. */
  readonly address: string;
  /** The host that the backend saw. */
  readonly host: string;
}

export interface AddressApp {
  readonly port: number;
  close(): Promise<void>;
}

/** One server for all loopback addresses; it answers by which of them it was reached. */
export async function startAddressApp(): Promise<AddressApp> {
  const server = createServer((request, response) => {
    request.resume();
    const { localAddress = '' } = request.socket;
    response.writeHead(200, { 'x-address': localAddress, 'x-host': request.headers.host ?? '' }).end();
  });
  server.keepAliveTimeout = 120_000; // a connection that closes by itself would look like a failure
  await new Promise<void>((done) => server.listen(0, '0.0.0.0', done));
  return {
    port: (server.address() as AddressInfo).port, // a port was asked for
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

export async function askEnvoy(agent: Agent, port: number, asked: RandomRequest): Promise<EnvoyAnswer> {
  const { host, path, method } = asked;
  const headers = { ...asked.headers, host, 'x-mesh-route': '1' };
  return new Promise((resolve, reject) => {
    httpRequest({ agent, host: '127.0.0.1', port, path, method, headers }, (response) => {
      const header = (name: string): string => String(response.headers[name] ?? '');
      response.resume().once('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          route: header('x-mesh-route'),
          location: header('location'),
          address: header('x-address'),
          host: header('x-host'),
        }),
      );
    })
      .once('error', reject)
      .end();
  });
}

/** In words; empty when they agree. */
export function disagreement({ route, destinations, effects }: Resolution, answer: EnvoyAnswer): string | undefined {
  if (route === undefined)
    return answer.status === 404 && answer.address === '' ? undefined : 'resolve: no rule takes it';
  const name = `${route.kind}/${route.name}/${route.rule}`;
  if (answer.route !== name) return `resolve: ${name}`;
  const effect = (wanted: string): string | undefined => effects.find((one) => one.name === wanted)?.value;
  const own = effect('answer');
  if (own !== undefined) return String(answer.status) === own ? undefined : `resolve: it answers ${own}`;
  const redirect = effect('redirect');
  if (redirect !== undefined) return isRedirectedAs(redirect, answer) ? undefined : `resolve: redirect ${redirect}`;
  const [aborted, share] = (effect('abort') ?? 'none for 0 %').split(' for ');
  if (share === '100 %' || (share !== '0 %' && answer.address === ''))
    return String(answer.status) === aborted ? undefined : `resolve: abort ${aborted} for ${share}`;
  const possible = destinations.filter(({ weight }) => weight > 0).flatMap(({ endpoints }) => endpoints);
  if (possible.some(({ address }) => address.startsWith('the host'))) return undefined; // nobody has such a name
  if (!possible.some(({ address }) => address.split(':')[0] === answer.address))
    return `resolve: ${possible.map(({ address }) => address).join()}`;
  const authority = effect('host becomes') ?? answer.host;
  return answer.host === authority ? undefined : `resolve: the host becomes ${authority}`;
}

const redirectStatus: Readonly<Record<string, number>> = {
  moved_permanently: 301,
  found: 302,
  temporary_redirect: 307,
  permanent_redirect: 308,
};

/** `found to http://elsewhere.example.com<path>`, see src/resolve. */
function isRedirectedAs(words: string, { status, location }: EnvoyAnswer): boolean {
  const [code = '', place = ''] = words.split(' to ');
  return status === redirectStatus[code] && place.split(/<\w+>/).every((part) => location.includes(part));
}
