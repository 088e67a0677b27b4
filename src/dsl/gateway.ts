import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { labelsOfVersion, selects } from '../model/labels.js';
import { serviceKind } from '../model/service.js';
import { type ServiceSpec, servicePorts } from '../model/service-shape.js';
import { versionKind } from '../model/version.js';
import { networkingVersions } from './fields.js';
import { type GatewaySpec, gatewaySchema } from './gateway-shape.js';
import { ingressRule } from './retired-kinds.js';
import { unreadTls } from './server-tls.js';

export const gatewayKind = defineKind<GatewaySpec>({
  kind: 'Gateway',
  plural: 'gateways',
  aliases: ['gw'],
  apiVersions: networkingVersions,
  formerly: [ingressRule],
  namespaced: true,
  summary: "Istio's kind: ports, hosts and TLS of the edge, a Service with gateway: true.",
  schema: gatewaySchema,
  columns: [
    { header: 'PORTS', value: (d) => [...new Set(d.spec.servers.map((server) => server.port.number))].join(',') },
    { header: 'HOSTS', value: (d) => [...new Set(d.spec.servers.flatMap((server) => server.hosts))].join(',') },
  ],
  check: checkGateway,
});

/** A Gateway configures Envoys that are there. Without any, or on a port that none of them has, nobody listens. */
function checkGateway({ spec }: Definition<GatewaySpec>, view: DefinitionView, report: Report): void {
  checkTls(spec, report);
  const edges = edgesOf(spec, view);
  if (edges.length === 0) {
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: ['spec', 'selector'],
      message: 'no Service with gateway: true has a Version with these labels: nobody serves it',
      hint: 'define one, or select it by app: NAME',
    });
    return;
  }
  const ports = new Set(edges.flatMap((edge) => servicePorts(edge.spec).map(({ port }) => port)));
  for (const [i, { port }] of spec.servers.entries()) {
    if (ports.has(port.number)) continue;
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: ['spec', 'servers', i, 'port', 'number'],
      message: `none of ${edges.map(({ name }) => name).join(', ')} has port ${port.number}: nobody listens there`,
      hint: `its ports are ${[...ports].join(', ')}; add it to the Service`,
    });
  }
}

function checkTls({ servers }: GatewaySpec, report: Report): void {
  for (const [i, { tls }] of servers.entries()) {
    const message = tls && unreadTls(tls);
    if (message === undefined) continue;
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: ['spec', 'servers', i, 'tls', 'caCertificates'],
      message,
      hint: 'write mode: MUTUAL or OPTIONAL_MUTUAL, or leave it out',
    });
  }
}

function edgesOf({ selector }: GatewaySpec, view: DefinitionView): readonly Definition<ServiceSpec>[] {
  return view
    .all(serviceKind)
    .filter(
      (service) =>
        service.spec.gateway &&
        view
          .all(versionKind)
          .some(
            (version) =>
              version.namespace === service.namespace &&
              version.spec.service === service.name &&
              selects(selector, labelsOfVersion(version)),
          ),
    );
}
