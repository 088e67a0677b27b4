/** Gateway: what may stand in it (reference: 1.6). */
import { z } from 'zod';
import { labelsField, portField } from '../model/fields.js';
import { addressField } from './fields.js';
import { notYet, refusedValue } from './not-yet.js';
import { isPassedThrough, type ServerTls, serverTlsSchema } from './server-tls.js';

/** By what a connection carries, as far as a gateway looks into it. */
const http = ['HTTP', 'HTTP2', 'GRPC'] as const;
const tls = ['HTTPS', 'TLS'] as const;
const tcp = ['TCP', 'MONGO', 'MYSQL', 'REDIS'] as const;
const others = ['GRPC-WEB', 'HBONE', 'UDP'] as const;
const known: readonly string[] = [...http, ...tls, ...tcp, ...others];

const protocolField = refusedValue(
  z
    .string()
    .refine((name) => known.includes(name.toUpperCase()), `one of ${[...http, ...tls, ...tcp].join(', ')}`)
    .transform((name) => name.toUpperCase()),
  (name) => others.some((other) => other === name),
  'GRPC-WEB, HBONE and UDP are not served: write GRPC, HTTPS or TCP',
);

const LABEL = '[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?';
const HOST = new RegExp(`^((\\*|\\.|${LABEL})/)?(\\*|(\\*\\.)?${LABEL}(\\.${LABEL})+)$`);

const serverSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .optional()
      .describe('Name of its statistics. Plain HTTP servers of one port have those of the first with a name'),
    port: z
      .strictObject({
        number: portField.describe('One of the ports of the gateway Service'),
        name: z.string().min(1).describe('Name of the port, unique in the Gateway'),
        protocol: protocolField.describe(`${[...http, ...tls, ...tcp].join(', ')}, in any case`),
        targetPort: notYet('Istio refuses it too'),
      })
      .describe('Where it listens'),
    bind: refusedValue(
      z.string(),
      (text) => text.startsWith('unix:'),
      'a socket would stand in the container of the gateway, where nobody finds it: bind an IP address',
    )
      .pipe(addressField)
      .optional()
      .describe('Address of the node. Default: that of the gateway instance'),
    hosts: z
      .array(z.string().regex(HOST, 'a host is a full name, *.NAME or *, after NAMESPACE/, ./ or */ if need be'))
      .min(1)
      .describe(
        'Hosts that VirtualServices may serve here: HOST, or NAMESPACE/HOST for those of one namespace (. is its own)',
      ),
    tls: serverTlsSchema.optional().describe('TLS of the port, or the redirect to it'),
    defaultEndpoint: notYet('Istio does not read it'),
  })
  .superRefine((server, context) => {
    const message = tlsMisfit(server.port.protocol, server.tls);
    if (message !== undefined) context.addIssue({ code: 'custom', path: ['tls'], message, input: server });
  });
export type GatewayServer = z.output<typeof serverSchema>;

function tlsMisfit(protocol: string, settings: ServerTls | undefined): string | undefined {
  const isTls = tls.some((name) => name === protocol);
  if (isTls && settings === undefined)
    return `${protocol} needs tls: with a mode and certificates, or mode: PASSTHROUGH`;
  if (isTls && settings?.httpsRedirect === true) return 'httpsRedirect belongs to a plain HTTP port';
  if (isTls || settings === undefined) return undefined;
  if (!isPassedThrough(settings)) return `${protocol} is plain: write HTTPS or TLS to have TLS there`;
  return settings.httpsRedirect && !http.some((name) => name === protocol)
    ? 'httpsRedirect belongs to a plain HTTP port'
    : undefined;
}

export const gatewaySchema = z.strictObject({
  selector: labelsField
    .default({})
    .describe(
      'Labels of the gateway instances that serve it: app (the service), version, and those of the Version. {} is all',
    ),
  servers: z
    .array(serverSchema)
    .min(1)
    .refine(
      (servers) => new Set(servers.map(({ port }) => port.name)).size === servers.length,
      'a port name stands twice',
    )
    .describe('Ports, and the hosts that are served there'),
});
export type GatewaySpec = z.output<typeof gatewaySchema>;

/** How a server's connections are dealt with. */
export type ServerNature = 'http' | 'https' | 'tls' | 'passthrough' | 'tcp';

export function natureOf({ port: { protocol }, tls: settings }: GatewayServer): ServerNature {
  if (http.some((name) => name === protocol)) return 'http';
  if (settings === undefined || tcp.some((name) => name === protocol)) return 'tcp';
  if (isPassedThrough(settings)) return 'passthrough';
  return protocol === 'HTTPS' ? 'https' : 'tls';
}

/** A host of a server, and the namespace whose VirtualServices may serve it; undefined: any. */
export function serverHost(text: string, gatewayNamespace: string): { host: string; namespace: string | undefined } {
  const [first = '', host] = text.split('/');
  if (host === undefined) return { host: first, namespace: undefined };
  return { host, namespace: first === '*' ? undefined : first === '.' ? gatewayNamespace : first };
}
