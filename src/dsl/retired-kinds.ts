/**
 * Istio's kinds of 2017 (config.istio.io/v1alpha2, up to Istio 0.8): refused, with the modern text that says the same as far as
 * their fields go. Pure, and never surprised: what is written there may have any shape.
 */
import type { Modern, RetiredKind } from '../model/kind.js';

type Fields = Readonly<Record<string, unknown>>;

const VERSION = 'config.istio.io/v1alpha2';
const NETWORKING = 'networking.istio.io/v1';

export const routeRule: RetiredKind = { kind: 'RouteRule', apiVersion: VERSION, modern: modernRoute };
export const destinationPolicy: RetiredKind = { kind: 'DestinationPolicy', apiVersion: VERSION, modern: modernPolicy };
export const egressRule: RetiredKind = { kind: 'EgressRule', apiVersion: VERSION, modern: modernEgress };
export const ingressRule: RetiredKind = { kind: 'IngressRule', apiVersion: VERSION, modern: modernIngress };

function modernRoute(spec: unknown, name: string): Modern {
  const rule = reader(spec);
  const host = hostOf(rule.map('destination'));
  rule.skip('precedence'); // the order of the rules in one VirtualService
  const subsets: Subset[] = [];
  const http = httpRule(rule, host, subsets);
  const documents = [
    document('VirtualService', name, { hosts: [host], http: [http] }),
    // A version is a subset by itself; other labels need one.
    ...(subsets.length === 0 ? [] : [document('DestinationRule', name, { host, subsets })]),
  ];
  return {
    documents,
    lost: rule.lost(),
    note: 'all rules of one host stand in one VirtualService, the most precise first',
  };
}

interface Subset {
  readonly name: string;
  readonly labels: Fields;
}

function httpRule(rule: Reader, host: string, subsets: Subset[]): object {
  const match = matchOf(rule.map('match'));
  const timeout = rule.map('httpReqTimeout');
  const retries = rule.map('httpReqRetries');
  const fault = rule.map('httpFault');
  const mirror = rule.map('mirror');
  const redirect = rule.map('redirect');
  return defined({
    match: match && [match],
    ...(redirect === undefined ? { route: routesOf(rule, host, subsets) } : { redirect: redirect.rest() }),
    rewrite: rule.map('rewrite')?.rest(),
    timeout: timeout?.map('simpleTimeout')?.text('timeout'),
    retries: retries?.map('simpleRetry')?.rest(),
    fault: fault && defined({ delay: faultOf(fault.map('delay')), abort: faultOf(fault.map('abort')) }),
    mirror: mirror && defined({ host: hostOf(mirror), subset: subsetOf(mirror.map('labels')?.rest(), subsets) }),
    corsPolicy: corsOf(rule.map('corsPolicy')),
    headers: headersOf(rule.map('appendHeaders')?.rest()),
  });
}

function routesOf(rule: Reader, host: string, subsets: Subset[]): object[] {
  const own = rule.map('destination')?.map('labels')?.rest();
  const routes = rule.list('route');
  if (routes.length === 0) return [{ destination: defined({ host, subset: subsetOf(own, subsets) }) }];
  return routes.map((route) => {
    const other = route.map('destination');
    const labels = route.map('labels')?.rest() ?? other?.map('labels')?.rest();
    const destination = defined({
      host: other === undefined ? host : hostOf(other),
      subset: subsetOf(labels, subsets),
    });
    return defined({ destination, weight: routes.length === 1 ? undefined : route.number('weight') });
  });
}

function subsetOf(labels: Fields | undefined, subsets: Subset[]): string | undefined {
  const entries = Object.entries(labels ?? {});
  if (labels === undefined || entries.length === 0) return undefined;
  const name = entries.map(([, value]) => String(value)).join('-');
  const isVersion = entries.length === 1 && entries[0]?.[0] === 'version';
  if (!isVersion && !subsets.some((subset) => subset.name === name)) subsets.push({ name, labels });
  return name;
}

/** In v1alpha2 uri, method, scheme and authority were headers. */
const headerFields = ['uri', 'scheme', 'method', 'authority'];

function matchOf(match: Reader | undefined): object | undefined {
  if (match === undefined) return undefined;
  const headers = Object.entries(match.map('request')?.map('headers')?.rest() ?? {});
  const source = match.map('source');
  const sourceLabels =
    source?.map('labels')?.rest() ?? (source?.has('name') === true ? { app: source.text('name') } : undefined);
  const found = defined({
    ...Object.fromEntries(headers.filter(([name]) => headerFields.includes(name))),
    headers: filled(Object.fromEntries(headers.filter(([name]) => !headerFields.includes(name)))),
    sourceLabels,
  });
  source?.skip('namespace');
  return filled(found);
}

function faultOf(fault: Reader | undefined): object | undefined {
  if (fault === undefined) return undefined;
  const percent = fault.number('percent');
  return { ...fault.rest(), percentage: { value: percent ?? 100 } };
}

function corsOf(cors: Reader | undefined): object | undefined {
  if (cors === undefined) return undefined;
  const origins = cors.texts('allowOrigin');
  return defined({
    allowOrigins: origins.length === 0 ? undefined : origins.map((exact) => ({ exact })),
    ...cors.rest(),
  });
}

function headersOf(add: Fields | undefined): object | undefined {
  return add === undefined ? undefined : { request: { add } };
}

function modernPolicy(spec: unknown, name: string): Modern {
  const policy = reader(spec);
  const destination = policy.map('destination');
  const labels = destination?.map('labels')?.rest();
  const host = hostOf(destination);
  const trafficPolicy = trafficPolicyOf(policy);
  const subset = labels && Object.values(labels).map(String).join('-');
  const modern =
    subset === undefined || subset === ''
      ? { host, trafficPolicy }
      : { host, subsets: [{ name: subset, labels, trafficPolicy }] };
  return { documents: [document('DestinationRule', name, modern)], lost: policy.lost() };
}

function trafficPolicyOf(policy: Reader): object {
  const balancing = policy.map('loadBalancing')?.text('name');
  const breaker = policy.map('circuitBreaker')?.map('simpleCb');
  const tcp = defined({ maxConnections: breaker?.number('maxConnections') });
  const http = defined({
    http1MaxPendingRequests: breaker?.number('httpMaxPendingRequests'),
    http2MaxRequests: breaker?.number('httpMaxRequests'),
    maxRequestsPerConnection: breaker?.number('httpMaxRequestsPerConnection'),
    maxRetries: breaker?.number('httpMaxRetries'),
  });
  const outlierDetection = defined({
    consecutive5xxErrors: breaker?.number('httpConsecutiveErrors'),
    interval: breaker?.text('httpDetectionInterval'),
    baseEjectionTime: breaker?.text('sleepWindow'),
    maxEjectionPercent: breaker?.number('httpMaxEjectionPercent'),
  });
  return defined({
    loadBalancer: balancing && { simple: balancing === 'LEAST_CONN' ? 'LEAST_REQUEST' : balancing },
    connectionPool: filled(defined({ tcp: filled(tcp), http: filled(http) })),
    outlierDetection: filled(outlierDetection),
  });
}

function modernEgress(spec: unknown, name: string): Modern {
  const egress = reader(spec);
  const host = egress.map('destination')?.text('service') ?? HOST;
  const ports = egress.list('ports').map((port) => {
    const [number, protocol] = [port.number('port') ?? 80, (port.text('protocol') ?? 'http').toUpperCase()];
    return { number, name: `${protocol.toLowerCase()}-${number}`, protocol };
  });
  const isAddress = /^[\d.]+(\/\d+)?$/.test(host);
  const modern = isAddress
    ? { hosts: [`${name}.external`], addresses: [host], ports, location: 'MESH_EXTERNAL', resolution: 'NONE' }
    : { hosts: [host], ports, location: 'MESH_EXTERNAL', resolution: host.startsWith('*') ? 'NONE' : 'DNS' };
  return { documents: [document('ServiceEntry', name, modern)], lost: egress.lost() };
}

const HTTP = 80;

function modernIngress(spec: unknown, name: string): Modern {
  const ingress = reader(spec);
  ingress.skip('precedence');
  const destination = ingress.map('destination');
  const host = hostOf(destination);
  const number = ingress.number('port') ?? HTTP;
  const backend = ingress.number('destinationServicePort');
  const match = matchOf(ingress.map('match'));
  const servers = [{ port: { number, name: `http-${number}`, protocol: 'HTTP' }, hosts: ['*'] }];
  const rule = defined({
    match: match && [match],
    route: [{ destination: defined({ host, port: backend === undefined ? undefined : { number: backend } }) }],
  });
  return {
    documents: [
      document('Gateway', name, { selector: { app: 'edge' }, servers }),
      document('VirtualService', name, { hosts: ['*'], gateways: [name], http: [rule] }),
    ],
    lost: ingress.lost(),
    note: 'edge stands for your Service with gateway: true',
  };
}

function document(kind: string, name: string, spec: object): object {
  return { apiVersion: NETWORKING, kind, metadata: { name }, spec };
}

/** Stands where a host is missing. */
const HOST = 'HOST';

/** `{name, namespace, domain}` or `{service}` */
function hostOf(destination: Reader | undefined): string {
  const service = destination?.text('service');
  if (service !== undefined) return service;
  const [name, namespace, domain] = ['name', 'namespace', 'domain'].map((key) => destination?.text(key));
  if (name === undefined) return HOST;
  if (domain !== undefined) return `${name}.${namespace ?? 'default'}.${domain}`;
  return namespace === undefined ? name : `${name}.${namespace}.svc.cluster.local`;
}

/** Fields of a map of any shape; it remembers which of them nobody has asked for. */
interface Reader {
  has(key: string): boolean;
  text(key: string): string | undefined;
  number(key: string): number | undefined;
  texts(key: string): readonly string[];
  map(key: string): Reader | undefined;
  list(key: string): readonly Reader[];
  /** All that nobody has asked for, as it is. */
  rest(): Fields;
  skip(key: string): void;
  /** Paths that nobody has asked for. */
  lost(): readonly string[];
}

function reader(value: unknown): Reader {
  const fields = isMap(value) ? value : {};
  const left = new Set(Object.keys(fields));
  const maps = new Map<string, Reader>();
  const below: (readonly [string, Reader])[] = [];
  const take = (key: string): unknown => {
    left.delete(key);
    return fields[key];
  };
  return {
    has: (key) => fields[key] !== undefined,
    text(key) {
      const found = take(key);
      return typeof found === 'string' ? found : undefined;
    },
    number(key) {
      const found = take(key);
      return typeof found === 'number' ? found : undefined;
    },
    texts(key) {
      const found = take(key);
      return Array.isArray(found) ? found.filter((one) => typeof one === 'string') : [];
    },
    map(key) {
      const found = take(key);
      if (!isMap(found)) return undefined;
      const inner = maps.get(key) ?? reader(found);
      if (!maps.has(key)) below.push([key, inner]);
      maps.set(key, inner);
      return inner;
    },
    list(key) {
      const found = take(key);
      if (!Array.isArray(found)) return [];
      const readers = found.map(reader);
      below.push(...readers.map((inner) => [key, inner] as const));
      return readers;
    },
    rest() {
      const entries = [...left].map((key) => [key, fields[key]] as const);
      left.clear();
      return Object.fromEntries(entries);
    },
    skip: (key) => void left.delete(key),
    lost: () => [...left, ...below.flatMap(([key, inner]) => inner.lost().map((path) => `${key}.${path}`))],
  };
}

function isMap(value: unknown): value is Fields {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function defined(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function filled(fields: Fields): Fields | undefined {
  return Object.keys(fields).length === 0 ? undefined : fields;
}
