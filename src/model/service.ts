import type { Definition, DefinitionView } from './definition.js';
import { defineKind, type Report } from './kind.js';
import { nodeKind, type PortRange, portRange } from './node.js';
import {
  type ServiceSpec,
  servicePorts,
  serviceSchema,
  splitServiceName,
  type Upstream,
  upstreamName,
} from './service-shape.js';
import { suggestion } from './suggestion.js';
import { type VersionSpec, versionsOfService } from './version.js';

export const serviceKind = defineKind<ServiceSpec>({
  kind: 'Service',
  plural: 'services',
  aliases: ['svc'],
  apiVersions: ['mesh/v1'],
  namespaced: true,
  summary: 'A named workload: the ports its callers name, what it calls, its health check and its stable version.',
  schema: serviceSchema,
  columns: [
    {
      header: 'PORTS',
      value: (d) =>
        servicePorts(d.spec)
          .map((p) => `${p.port}/${p.protocol}`)
          .join(','),
    },
    { header: 'STABLE', value: (d) => d.spec.stable ?? '-' },
    { header: 'UPSTREAMS', value: (d) => d.spec.upstreams.map(upstreamName).join(',') || '-' },
    { header: 'OWNER', wide: true, value: (d) => d.spec.owner ?? '-' },
  ],
  check(definition, view, report) {
    checkPorts(definition, report);
    checkFixedPorts(definition, view, report);
    checkGatewayPorts(definition, view, report);
    const versions = versionsOfService(view, definition.namespace, definition.name);
    checkContainers(definition, versions, report);
    checkStable(definition, versions, report);
    for (const [i, upstream] of definition.spec.upstreams.entries()) {
      const target = upstream.service ?? upstream.domain;
      if (target === undefined) continue;
      const path = ['spec', 'upstreams', i, upstream.service === undefined ? 'domain' : 'service'];
      checkUpstream(target, upstream, path, definition, view.all(serviceKind), report);
    }
  },
});

function checkPorts({ spec }: Definition<ServiceSpec>, report: Report): void {
  const seen = new Map<string | number, string>();
  for (const [i, { name, port }] of (spec.ports ?? []).entries()) {
    for (const [key, value] of [
      ['port', port],
      ['name', name],
    ] as const) {
      const before = seen.get(value);
      if (before !== undefined) {
        report({
          code: 'MESH1012',
          path: ['spec', 'ports', i, key],
          message: `${key} ${value} is taken by ${before}`,
          hint: 'give each port its own number and name',
        });
      }
      seen.set(value, `spec.ports[${i}]`);
    }
  }
  const names = new Set<string>();
  const fixed = new Map<number, string>();
  for (const [i, upstream] of spec.upstreams.entries()) {
    const name = upstreamName(upstream);
    if (names.has(name)) {
      report({
        code: 'MESH1009',
        path: ['spec', 'upstreams', i],
        message: `a second upstream named "${name}"`,
        hint: 'give one of them another name',
      });
    }
    names.add(name);
    if (typeof upstream.proxyPort !== 'number') continue;
    const before = fixed.get(upstream.proxyPort);
    if (before !== undefined) {
      report({
        code: 'MESH1012',
        path: ['spec', 'upstreams', i, 'proxyPort'],
        message: `proxyPort ${upstream.proxyPort} is taken by upstream "${before}"`,
        hint: 'choose another, or write auto',
      });
    }
    fixed.set(upstream.proxyPort, name);
  }
}

/** The planner gives the ports of a node's range to whom it likes, so a fixed one must lie outside. */
function checkGatewayPorts({ spec }: Definition<ServiceSpec>, view: DefinitionView, report: Report): void {
  if (!spec.gateway) return;
  for (const [i, { port }] of servicePorts(spec).entries()) {
    const node = view.all(nodeKind).find(({ spec: node }) => isIn(portRange(node), port));
    if (node === undefined) continue;
    report({
      code: 'MESH1012',
      path: spec.ports === undefined ? ['spec', 'port'] : ['spec', 'ports', i, 'port'],
      message: `port ${port} of this gateway lies in the range ${node.spec.ports} of node "${node.name}"`,
      hint: 'a gateway listens on its ports as they are: choose one outside of every range',
    });
  }
}

function checkFixedPorts({ spec }: Definition<ServiceSpec>, view: DefinitionView, report: Report): void {
  for (const [i, { proxyPort }] of spec.upstreams.entries()) {
    if (typeof proxyPort !== 'number') continue;
    const node = view.all(nodeKind).find(({ spec: node }) => isIn(portRange(node), proxyPort));
    if (node === undefined) continue;
    report({
      code: 'MESH1012',
      path: ['spec', 'upstreams', i, 'proxyPort'],
      message: `proxyPort ${proxyPort} lies in the range ${node.spec.ports} of node "${node.name}"`,
      hint: 'choose one outside, or write auto',
    });
  }
}

function isIn({ first, last }: PortRange, port: number): boolean {
  return port >= first && port <= last;
}

/** A gateway is an Envoy alone; everything else is an app beside one. */
function checkContainers(
  { spec }: Definition<ServiceSpec>,
  versions: readonly Definition<VersionSpec>[],
  report: Report,
): void {
  for (const version of versions) {
    if (spec.gateway === (version.spec.container === undefined)) continue;
    report({
      code: 'MESH1016',
      path: ['spec', 'gateway'],
      message: spec.gateway
        ? `a gateway has no app, but its Version "${version.name}" has a container`
        : `its Version "${version.name}" has no container`,
      hint: spec.gateway
        ? 'leave container out there; its labels, by which Gateways select it, stay'
        : 'write container: { image: … } there, or gateway: true here for an Envoy without an app',
    });
  }
}

function checkStable(
  definition: Definition<ServiceSpec>,
  own: readonly Definition<VersionSpec>[],
  report: Report,
): void {
  const { stable } = definition.spec;
  if (stable === undefined) return;
  // A service without any Version runs outside (it registers itself): its versions are not known here.
  if (own.length === 0 || own.some((v) => v.spec.version === stable)) return;
  const names = own.map((v) => v.spec.version);
  report({
    code: 'MESH1010',
    path: ['spec', 'stable'],
    message: `version "${stable}" of ${definition.name} does not exist`,
    hint: suggestion(stable, names),
  });
}

function checkUpstream(
  target: string,
  upstream: Upstream,
  path: readonly PropertyKey[],
  definition: Definition<ServiceSpec>,
  services: readonly Definition<ServiceSpec>[],
  report: Report,
): void {
  const wanted = splitServiceName(target, definition.namespace as string);
  const found = services.find((s) => s.name === wanted.service && s.namespace === wanted.namespace);
  if (found === undefined) {
    const names = services.map((s) => (s.namespace === definition.namespace ? s.name : `${s.name}.${s.namespace}`));
    report({ code: 'MESH1010', path, message: `Service "${target}" does not exist`, hint: suggestion(target, names) });
    return;
  }
  const ports = servicePorts(found.spec).map((p) => p.port);
  if (upstream.port !== undefined && !ports.includes(upstream.port)) {
    report({
      code: 'MESH1010',
      path: [...path.slice(0, -1), 'port'],
      message: `${target} has no port ${upstream.port}`,
      hint: `its ports are ${ports.join(', ')}`,
    });
  }
}
