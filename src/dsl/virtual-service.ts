import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { routeKind } from '../model/route.js';
import { servicePorts } from '../model/service-shape.js';
import { suggestion } from '../model/suggestion.js';
import { type IstioDestination, isExportedTo, networkingVersions } from './fields.js';
import { gatewayKey, MESH } from './gateway-name.js';
import { isWildcard, wildcardCovers } from './host.js';
import { findKnownHost, fullHostIn, hostNames, naming } from './known-host.js';
import { routeRule } from './retired-kinds.js';
import { subsetNames } from './subsets.js';
import {
  type HttpRule,
  isForSidecars,
  type VirtualServiceSpec,
  virtualServiceSchema,
} from './virtual-service-shape.js';

export const virtualServiceKind = defineKind<VirtualServiceSpec>({
  kind: 'VirtualService',
  plural: 'virtualservices',
  aliases: ['vs'],
  apiVersions: networkingVersions,
  formerly: [routeRule],
  namespaced: true,
  summary: "Istio's kind: how requests to hosts are matched, split, delayed, mirrored and rewritten.",
  schema: virtualServiceSchema,
  columns: [
    { header: 'HOSTS', value: (d) => d.spec.hosts.join(',') || '(delegate)' },
    { header: 'GATEWAYS', wide: true, value: (d) => d.spec.gateways?.join(',') ?? MESH },
    { header: 'RULES', value: (d) => String(d.spec.http.length + d.spec.tls.length + d.spec.tcp.length) },
  ],
  check: checkVirtualService,
});

type Path = readonly PropertyKey[];

function checkVirtualService(definition: Definition<VirtualServiceSpec>, view: DefinitionView, report: Report): void {
  for (const [i, host] of definition.spec.hosts.entries())
    checkHost(host, ['spec', 'hosts', i], definition, view, report);
  checkHasCallers(definition, view, report);
  checkGateways(definition, view, report);
  checkStreams(definition, view, report);
  let taken: number | undefined;
  for (const [i, rule] of definition.spec.http.entries()) {
    const path: Path = ['spec', 'http', i];
    for (const [target, below] of destinationsOf(rule))
      checkDestination(target, [...path, ...below], definition, view, report);
    checkDelegate(rule, path, definition, view, report);
    checkRedirect(rule, path, report);
    checkFault(rule, path, report);
    if (taken !== undefined) {
      report({
        code: 'MESH1005',
        severity: 'warning',
        path,
        message: `no request reaches this rule: spec.http[${taken}] takes them all`,
        hint: 'put the rule without conditions last',
      });
    } else if (rule.match === undefined) taken = i;
  }
}

/** Without hosts and without anybody who delegates to it, it routes nothing: perhaps its hosts were forgotten. */
function checkHasCallers(definition: Definition<VirtualServiceSpec>, view: DefinitionView, report: Report): void {
  if (definition.spec.hosts.length > 0) return;
  const isDelegate = view
    .all(virtualServiceKind)
    .some((other) =>
      other.spec.http.some(
        ({ delegate }) =>
          delegate?.name === definition.name && (delegate.namespace ?? other.namespace) === definition.namespace,
      ),
    );
  if (isDelegate) return;
  report({
    code: 'MESH1005',
    severity: 'warning',
    path: ['spec'],
    message: 'it has no hosts, and no VirtualService delegates to it: it routes nothing',
    hint: 'write its hosts, or delegate to it from a rule of another',
  });
}

/** A name that nobody has keeps nothing from working elsewhere, so it is no error. */
function checkGateways(
  { namespace = '', spec }: Definition<VirtualServiceSpec>,
  view: DefinitionView,
  report: Report,
): void {
  for (const [i, name] of (spec.gateways ?? []).entries()) {
    const key = gatewayKey(name, namespace);
    const [owner = '', gateway = ''] = key.split('/');
    if (key === MESH || view.has('Gateway', owner, gateway)) continue;
    report({
      code: 'MESH1010',
      severity: 'warning',
      path: ['spec', 'gateways', i],
      message: `there is no Gateway "${key}": until there is, nobody serves these rules there`,
      hint: suggestion(gateway, view.names('Gateway', owner)),
    });
  }
}

function checkStreams(definition: Definition<VirtualServiceSpec>, view: DefinitionView, report: Report): void {
  checkHasConnections(definition, view, report);
  for (const layer of ['tls', 'tcp'] as const) {
    for (const [i, rule] of definition.spec[layer].entries()) {
      for (const [j, { destination }] of rule.route.entries()) {
        checkDestination(destination, ['spec', layer, i, 'route', j, 'destination'], definition, view, report);
      }
    }
  }
}

/** Requests to an HTTP port are decided by http rules: in the mesh, rules for connections are for ports that carry something else. */
function checkHasConnections(
  { namespace = '', spec }: Definition<VirtualServiceSpec>,
  view: DefinitionView,
  report: Report,
): void {
  const [layer] = (['tls', 'tcp'] as const).filter((one) => spec[one].length > 0);
  if (layer === undefined || !isForSidecars(spec)) return;
  const services = spec.hosts.map((host) => findKnownHost(view, host, namespace)?.service);
  const areAllHttp = services.every(
    (service) => service !== undefined && servicePorts(service.spec).every(({ protocol }) => protocol !== 'tcp'),
  );
  if (!areAllHttp) return;
  report({
    code: 'MESH1005',
    severity: 'warning',
    path: ['spec', layer],
    message: 'none of its hosts has a port of protocol tcp: in the mesh nothing meets these rules',
    hint: 'write http rules, or give the port the protocol tcp',
  });
}

/** Only one level deep: what is delegated to has neither hosts nor delegates, or it would be served twice or for ever. */
function checkDelegate(
  rule: HttpRule,
  path: Path,
  definition: Definition<VirtualServiceSpec>,
  view: DefinitionView,
  report: Report,
): void {
  if (rule.delegate === undefined) return;
  const { name, namespace = definition.namespace as string } = rule.delegate; // the kind is namespaced
  const found = view.get(virtualServiceKind, namespace, name);
  if (found === undefined) {
    report({
      code: 'MESH1010',
      path: [...path, 'delegate', 'name'],
      message: `there is no VirtualService "${namespace}/${name}"`,
      hint: suggestion(name, view.names('VirtualService', namespace)),
    });
  } else if (found.spec.hosts.length > 0) {
    report({
      code: 'MESH1016',
      path: [...path, 'delegate', 'name'],
      message: `VirtualService "${namespace}/${name}" has hosts of its own`,
      hint: 'one that others delegate to has none',
    });
  } else if (!isExportedTo(found.spec.exportTo, namespace, definition.namespace as string)) {
    report({
      code: 'MESH1016',
      path: [...path, 'delegate', 'name'],
      message: `VirtualService "${namespace}/${name}" is not exported to ${definition.namespace}`,
      hint: 'see its exportTo',
    });
  }
}

function checkHost(
  host: string,
  path: Path,
  definition: Definition<VirtualServiceSpec>,
  view: DefinitionView,
  report: Report,
): void {
  const namespace = definition.namespace as string; // the kind is namespaced
  if (definition.spec.hosts.indexOf(host) !== path.at(-1)) {
    report({ code: 'MESH1009', path, message: `host "${host}" stands twice`, hint: 'keep one of them' });
  }
  const wider = definition.spec.hosts.find(
    (other) => other !== host && isWildcard(other) && wildcardCovers(other, host),
  );
  if (wider !== undefined) {
    report({
      code: 'MESH1009',
      path,
      message: `host "${host}" is among those of "${wider}"`,
      hint: 'keep one of them',
    });
  }
  if (isWildcard(host)) return;
  const known = findKnownHost(view, host, namespace);
  // At a gateway a host is what clients of the edge type.
  if (known === undefined && definition.spec.gateways?.some((name) => name !== MESH)) return;
  if (known === undefined) {
    // A single word can only be a service. Any other name may be one of its own, which callers write as they do a service's.
    const isWord = !host.includes('.');
    report({
      code: 'MESH1010',
      severity: isWord ? 'error' : 'warning',
      path,
      message: `host "${host}" is no service${isWord ? '' : ', and is routed as a name of its own, for port 80'}`,
      hint: suggestion(host, hostNames(view, namespace)),
    });
  }
  if (!isForSidecars(definition.spec)) return;
  const full = fullHostIn(view, host, namespace);
  const rival = naming(view, virtualServiceKind, hostsOf)
    .exact.get(full)
    ?.find(
      (other) =>
        precedes(other, definition) &&
        isForSidecars(other.spec) &&
        isExportedTo(other.spec.exportTo, other.namespace as string, namespace),
    );
  if (rival !== undefined) {
    report({
      code: 'MESH1009',
      severity: 'warning',
      path,
      message: `VirtualService ${rival.namespace}/${rival.name} already routes "${host}" and wins, whole`,
      hint: 'put the rules into one VirtualService',
    });
  }
  const service = known?.service;
  if (service === undefined) return;
  const route = view.all(routeKind).find((r) => r.namespace === service.namespace && r.spec.service === service.name);
  if (route !== undefined) {
    report({
      code: 'MESH1009',
      severity: 'warning',
      path,
      message: `${service.name} also has the Route "${route.name}", which this VirtualService replaces`,
      hint: 'keep one of them',
    });
  }
}

function hostsOf({ hosts }: VirtualServiceSpec): readonly string[] {
  return hosts;
}

/** Of two definitions for one host the older one wins, then the first by name, then by namespace. */
export function precedes(one: Ranked, other: Ranked): boolean {
  const [first, second] = [createdAt(one), createdAt(other)];
  if (first !== second) return first < second;
  if (one.name !== other.name) return one.name < other.name;
  return (one.namespace ?? '') < (other.namespace ?? '');
}

type Ranked = Pick<Definition, 'name' | 'namespace' | 'document'>;

/** In ms; what does not say when it was made counts as new. */
function createdAt({ document }: Ranked): number {
  return document.metadata.creationTimestamp === undefined ? Infinity : Date.parse(document.metadata.creationTimestamp);
}

/** Every destination of a rule, mirrors included, with its place below the rule. */
export function destinationsOf(rule: HttpRule): readonly (readonly [IstioDestination, Path])[] {
  return [
    ...(rule.route ?? []).map((route, i) => [route.destination, ['route', i, 'destination']] as const),
    ...(rule.mirror === undefined ? [] : [[rule.mirror, ['mirror']] as const]),
    ...(rule.mirrors ?? []).map((mirror, i) => [mirror.destination, ['mirrors', i, 'destination']] as const),
  ];
}

function checkDestination(
  destination: IstioDestination,
  path: Path,
  definition: Definition<VirtualServiceSpec>,
  view: DefinitionView,
  report: Report,
): void {
  const namespace = definition.namespace as string; // the kind is namespaced
  const known = findKnownHost(view, destination.host, namespace);
  if (known === undefined) {
    // Istio takes it, and the host may come later: what is sent there until then fails, and nothing else does.
    report({
      code: 'MESH1010',
      severity: 'warning',
      path: [...path, 'host'],
      message: `host "${destination.host}" is no service: until it is, nothing can be sent there`,
      hint: suggestion(destination.host, hostNames(view, namespace)),
    });
    return;
  }
  const { subset, port } = destination;
  const names = subsetNames(view, known, namespace);
  if (subset !== undefined && !names.includes(subset)) {
    report({
      code: 'MESH1010',
      path: [...path, 'subset'],
      message: `"${known.name}" has no subset or version "${subset}"`,
      hint: names.length === 0 ? 'a DestinationRule or a Version makes one' : `there is: ${names.join(', ')}`,
    });
  }
  const { ports } = known;
  if (port !== undefined && !ports.includes(port.number)) {
    report({
      code: 'MESH1010',
      severity: 'warning',
      path: [...path, 'port', 'number'],
      message: `${known.name} has no port ${port.number}: until it has, nothing can be sent there`,
      hint: `there is: ${ports.join(', ')}`,
    });
  }
}

function checkRedirect(rule: HttpRule, path: Path, report: Report): void {
  if (rule.redirect?.prefixRewrite === undefined) return;
  // A match without uri takes every path: its prefix is /.
  if ((rule.match ?? []).every(({ uri }) => uri === undefined || uri.prefix !== undefined)) return;
  report({
    code: 'MESH1016',
    path: [...path, 'redirect', 'prefixRewrite'],
    message: 'prefixRewrite goes only with matches of a uri by prefix',
    hint: 'write uri: { prefix: … } in every match, or redirect.uri',
  });
}

/** Istio's default for an absent percentage is 0 %, which is hardly ever what was meant. */
function checkFault(rule: HttpRule, path: Path, report: Report): void {
  for (const part of ['delay', 'abort'] as const) {
    const fault = rule.fault?.[part];
    if (fault === undefined || fault.percentage !== undefined) continue;
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: [...path, 'fault', part],
      message: `without a percentage this ${part} touches no request`,
      hint: 'write percentage: { value: 100 }',
    });
  }
}
