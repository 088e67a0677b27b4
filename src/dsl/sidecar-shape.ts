/** Sidecar: what may stand in it (reference: 1.7). */
import { z } from 'zod';
import { portField } from '../model/fields.js';
import { connectionPoolField } from '../model/traffic-limits.js';
import { hostField, wildcardHostField } from './fields.js';

import { notYet, refusedValue } from './not-yet.js';
import { protocolOf, protocolWordField, protocolWords } from './protocol.js';
import { isOfMesh, type ServerTls, serverTlsSchema, unreadTls } from './server-tls.js';
import {
  isIpAddress,
  isUnixAddress,
  portNameField,
  unixAddressField,
  workloadSelectorField,
} from './workload-shape.js';

const egressHostField = z.string().superRefine((text, context) => {
  const message = egressHostProblem(text);
  if (message !== undefined) context.addIssue({ code: 'custom', message, input: text });
});

function egressHostProblem(text: string): string | undefined {
  const slash = text.indexOf('/');
  if (slash === -1) return 'write NAMESPACE/HOST, such as ./* or */api.example.com';
  const [namespace, host] = [text.slice(0, slash), text.slice(slash + 1)];
  if (!/^(\*|\.|~|~?[a-z0-9]([a-z0-9-]*[a-z0-9])?)$/.test(namespace))
    return 'a namespace is its name, * for all, . for its own, or one of these to leave out after a ~';
  if (host !== '*' && !wildcardHostField.safeParse(host).success) return 'a host is a DNS name, *.NAME or *';
  if (!host.includes('.') && host !== '*') return 'a host is a full name, such as reviews.default.svc.cluster.local';
  return /^\*[^.]/.test(host) ? 'write *.NAME for the names below it' : undefined;
}

const captureModeField = refusedValue(
  z.enum(['DEFAULT', 'NONE', 'IPTABLES']),
  (mode) => mode === 'IPTABLES',
  'captureMode IPTABLES is not supported: nothing is intercepted, every listener has an address of its own',
)
  .optional()
  .describe('Both say the same: the listener is opened');

const bindField = z
  .string()
  .refine(
    (bind) => (isUnixAddress(bind) ? unixAddressField.safeParse(bind).success : isIpAddress(bind)),
    'an IP address, unix:///ABSOLUTE/PATH or unix://@NAME',
  );

const egressSchema = z.strictObject({
  port: z
    .strictObject({
      number: z.int().min(0).max(65_535).default(0).describe('Where it listens; 0 for a unix socket'),
      protocol: protocolWordField(['HTTP_PROXY'])
        .optional()
        .describe(`What the app speaks there: ${protocolWords}, or HTTP_PROXY for a proxy of its own. Left out: TCP`),
      name: portNameField.optional().describe('For readers'),
      targetPort: notYet('a listener has no target'),
    })
    .optional()
    .describe('Opens a listener for these hosts alone. Without it, they are what the shared proxy port reaches'),
  bind: bindField.optional().describe('Where it listens. Default: 127.0.0.1'),
  captureMode: captureModeField,
  hosts: z
    .array(egressHostField)
    .min(1)
    .describe(
      'NAMESPACE/HOST, such as ./*, */api.example.com or shop/*.svc.cluster.local; ~ before it leaves out, ~/* is none',
    ),
});

const LOCAL_ENDPOINT = /^(127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|):(\d{1,5})$/;

const ingressSchema = z.strictObject({
  port: z
    .strictObject({
      number: portField.describe('Where it listens'),
      protocol: protocolWordField().optional().describe(`What is spoken there: ${protocolWords}. Left out: TCP`),
      name: portNameField.optional().describe('For readers'),
      targetPort: notYet('write defaultEndpoint'),
    })
    .describe('The port that others call'),
  bind: z
    .string()
    .refine(isIpAddress, 'an IP address')
    .optional()
    .describe("Where it listens. Default: the address of the instance's node"),
  captureMode: captureModeField,
  defaultEndpoint: z
    .string()
    .refine(
      (text) =>
        isUnixAddress(text)
          ? unixAddressField.safeParse(text).success
          : portField.safeParse(Number(LOCAL_ENDPOINT.exec(text)?.[2])).success,
      '127.0.0.1:PORT, [::1]:PORT, 0.0.0.0:PORT, [::]:PORT, :PORT or unix:///PATH',
    )
    .optional()
    .describe(
      "Where the app listens. Default: its port of that number on 127.0.0.1. 0.0.0.0, [::] and an empty host are the node's address",
    ),
  tls: serverTlsSchema
    .optional()
    .describe('TLS that ends here, with files that the sidecar reads; of a port with protocol HTTPS or TLS'),
  connectionPool: connectionPoolField.optional().describe('Limits of what is open towards the app'),
});
export type SidecarIngress = z.output<typeof ingressSchema>;
export type SidecarEgress = z.output<typeof egressSchema>;

export const sidecarSchema = z
  .strictObject({
    workloadSelector: workloadSelectorField
      .optional()
      .describe('For the sidecars of these instances. Without labels: for all of the namespace'),
    egress: z.array(egressSchema).default([]).describe('What the app can call'),
    ingress: z
      .array(ingressSchema)
      .default([])
      .describe('Listeners for calls from outside, beside those of the ports of the service'),
    outboundTrafficPolicy: z
      .strictObject({
        mode: z
          .enum(['REGISTRY_ONLY', 'ALLOW_ANY'])
          .default('REGISTRY_ONLY')
          .describe('What becomes of a host that nobody knows: answered 404, or sent to the very host'),
        egressProxy: z
          .strictObject({
            host: hostField.describe('A service, or a host of a ServiceEntry'),
            subset: z.string().min(1).optional().describe('A subset of it'),
            port: z.strictObject({ number: portField.describe('Its number') }).describe('Which of its ports'),
          })
          .optional()
          .describe('With ALLOW_ANY: whom unknown hosts are sent to, instead of to themselves'),
      })
      .optional()
      .describe('For hosts that nobody knows. Default: REGISTRY_ONLY'),
    inboundConnectionPool: connectionPoolField
      .optional()
      .describe('Limits of what is open towards the app, on every port'),
  })
  .refine(
    (sidecar) =>
      sidecar.egress.length + sidecar.ingress.length > 0 ||
      sidecar.outboundTrafficPolicy !== undefined ||
      sidecar.inboundConnectionPool !== undefined,
    'one of egress, ingress, outboundTrafficPolicy or inboundConnectionPool',
  )
  .superRefine((sidecar, context) => {
    for (const { path, message } of [...egressMisfits(sidecar.egress), ...ingressMisfits(sidecar.ingress)])
      context.addIssue({ code: 'custom', path: [...path], message, input: sidecar });
    if (sidecar.outboundTrafficPolicy?.egressProxy !== undefined && sidecar.outboundTrafficPolicy.mode !== 'ALLOW_ANY')
      context.addIssue({
        code: 'custom',
        path: ['outboundTrafficPolicy', 'egressProxy'],
        message: 'egressProxy goes with mode: ALLOW_ANY',
        input: sidecar,
      });
  });
export type SidecarSpec = z.output<typeof sidecarSchema>;

interface Misfit {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

function egressMisfits(egress: readonly SidecarEgress[]): readonly Misfit[] {
  const taken = new Set<string>();
  return egress.flatMap(({ port, bind = '' }, i) => {
    const path = ['egress', i];
    if (port === undefined)
      return i === egress.length - 1
        ? []
        : [{ path, message: 'the one without a port comes last, and is the only one' }];
    if ((port.number === 0) !== isUnixAddress(bind))
      return [{ path: [...path, 'port'], message: 'a port has a number, or 0 with a unix socket in bind' }];
    const key = isUnixAddress(bind) ? bind : String(port.number);
    if (taken.has(key)) return [{ path: [...path, 'port'], message: `two listeners at ${key}` }];
    taken.add(key);
    return [];
  });
}

function ingressMisfits(ingress: readonly SidecarIngress[]): readonly Misfit[] {
  return ingress.flatMap(({ port, tls }, i) => {
    const path = ['ingress', i];
    const isSecond = ingress.findIndex((other) => other.port.number === port.number) !== i;
    const message = tls && tlsMisfit(port.protocol, tls);
    return [
      ...(isSecond ? [{ path: [...path, 'port', 'number'], message: `two listeners at ${port.number}` }] : []),
      ...(message === undefined ? [] : [{ path: [...path, 'tls'], message }]),
    ];
  });
}

function tlsMisfit(protocol: string | undefined, tls: ServerTls): string | undefined {
  if (!/^(HTTPS|TLS)$/i.test(protocol ?? '')) return 'tls is for a port with protocol HTTPS or TLS';
  if (isOfMesh(tls)) return 'callers of the mesh are asked by a PeerAuthentication: say STRICT for the port there';
  if (tls.httpsRedirect) return 'there is no plain port to redirect from: leave httpsRedirect out';
  if (tls.tlsCertificates !== undefined) return 'write serverCertificate and privateKey in place of tlsCertificates';
  if (tls.subjectAltNames !== undefined) return 'who may call is said by an AuthorizationPolicy, not here';
  return unreadTls(tls);
}

/** Requests of a Sidecar's listener are routed; of anything else the bytes go on. */
export function isRequestPort(protocol: string | undefined): boolean {
  return protocol?.toUpperCase() === 'HTTP_PROXY' || (protocolOf(protocol) ?? 'tcp') !== 'tcp';
}

/** Where the app listens: an IP or nothing (the node's address), and a port; or a unix socket. */
export function localEndpoint(text: string): { readonly address: string; readonly port: number } {
  if (isUnixAddress(text)) return { address: text, port: 0 };
  const [, host = '', port] = LOCAL_ENDPOINT.exec(text) ?? [];
  const isLoopback = host === '127.0.0.1' || host === '[::1]';
  return { address: isLoopback ? host.replaceAll(/[[\]]/g, '') : '', port: Number(port) };
}

/** An entry of `egress[].hosts`, read. */
export interface EgressHost {
  readonly isLeftOut: boolean;
  /** `*` for all. */
  readonly namespace: string;
  readonly host: string;
}

export function egressHostOf(text: string, ownNamespace: string): EgressHost {
  const slash = text.indexOf('/');
  const [written, host] = [text.slice(0, slash), text.slice(slash + 1).toLowerCase()];
  const isLeftOut = written.startsWith('~');
  const namespace = isLeftOut ? written.slice(1) || '*' : written;
  return { isLeftOut, namespace: namespace === '.' ? ownNamespace : namespace, host };
}
