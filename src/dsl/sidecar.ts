import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { suggestion } from '../model/suggestion.js';
import { networkingVersions } from './fields.js';
import { findKnownHost, hostNames } from './known-host.js';
import { protocolOf } from './protocol.js';
import { type SidecarSpec, sidecarSchema } from './sidecar-shape.js';
import { subsetNames } from './subsets.js';
import { isUnixAddress, selectorText, unixPath } from './workload-shape.js';

export const sidecarKind = defineKind<SidecarSpec>({
  kind: 'Sidecar',
  plural: 'sidecars',
  aliases: [],
  apiVersions: networkingVersions,
  namespaced: true,
  summary: "Istio's kind: what the sidecars of a namespace see and open.",
  schema: sidecarSchema,
  columns: [
    { header: 'SELECTS', value: (d) => selectorText(d.spec.workloadSelector?.labels) },
    { header: 'EGRESS', value: (d) => d.spec.egress.flatMap(({ hosts }) => hosts).join(',') || '-' },
    { header: 'INGRESS', value: (d) => d.spec.ingress.map(({ port }) => port.number).join(',') || '-' },
  ],
  check: checkSidecar,
});

function checkSidecar(definition: Definition<SidecarSpec>, view: DefinitionView, report: Report): void {
  checkRivals(definition, view, report);
  checkEgressProxy(definition, view, report);
  for (const [i, { hosts }] of definition.spec.egress.entries()) {
    if (!hosts.includes('*/*') || hosts.every((host) => host === '*/*' || host.startsWith('~'))) continue;
    report({
      code: 'MESH1009',
      severity: 'warning',
      path: ['spec', 'egress', i, 'hosts'],
      message: '*/* takes every host, so the others say nothing',
      hint: 'keep one of them',
    });
  }
  for (const [i, { bind = '' }] of definition.spec.egress.entries()) {
    if (!isUnixAddress(bind) || unixPath(bind).startsWith('@')) continue;
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: ['spec', 'egress', i, 'bind'],
      message: `${bind} is made where the sidecar runs: in a container of its own the app does not find it`,
      hint: 'write unix://@NAME, which all processes of the machine find',
    });
  }
  for (const [i, { port, connectionPool }] of definition.spec.ingress.entries()) {
    if (connectionPool?.http === undefined || (protocolOf(port.protocol) ?? 'tcp') !== 'tcp') continue;
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: ['spec', 'ingress', i, 'connectionPool', 'http'],
      message: `port ${port.number} carries bytes: limits of HTTP do nothing there`,
      hint: 'write protocol: HTTP, or limits of tcp',
    });
  }
}

/** Which of two would hold is a matter of their names: certainly not what somebody meant. */
function checkRivals(definition: Definition<SidecarSpec>, view: DefinitionView, report: Report): void {
  if (definition.spec.workloadSelector !== undefined) return;
  const rival = view
    .all(sidecarKind)
    .find(
      (other) =>
        other.namespace === definition.namespace &&
        other.name < definition.name &&
        other.spec.workloadSelector === undefined,
    );
  if (rival === undefined) return;
  report({
    code: 'MESH1009',
    severity: 'warning',
    path: ['spec'],
    message: `Sidecar ${rival.namespace}/${rival.name} is for the whole namespace already, and wins`,
    hint: 'write a workloadSelector, or keep one of them',
  });
}

function checkEgressProxy(definition: Definition<SidecarSpec>, view: DefinitionView, report: Report): void {
  const proxy = definition.spec.outboundTrafficPolicy?.egressProxy;
  if (proxy === undefined) return;
  const namespace = definition.namespace as string; // the kind is namespaced
  const path = ['spec', 'outboundTrafficPolicy', 'egressProxy'];
  const known = findKnownHost(view, proxy.host, namespace);
  if (known === undefined) {
    report({
      code: 'MESH1010',
      path: [...path, 'host'],
      message: `host "${proxy.host}" is no service`,
      hint: suggestion(proxy.host, hostNames(view, namespace)),
    });
    return;
  }
  if (!known.ports.includes(proxy.port.number))
    report({
      code: 'MESH1010',
      path: [...path, 'port', 'number'],
      message: `${known.name} has no port ${proxy.port.number}`,
      hint: `there is: ${known.ports.join(', ')}`,
    });
  const names = subsetNames(view, known, namespace);
  if (proxy.subset !== undefined && !names.includes(proxy.subset))
    report({
      code: 'MESH1010',
      path: [...path, 'subset'],
      message: `"${known.name}" has no subset or version "${proxy.subset}"`,
      hint: names.length === 0 ? 'a DestinationRule or a Version makes one' : `there is: ${names.join(', ')}`,
    });
}
