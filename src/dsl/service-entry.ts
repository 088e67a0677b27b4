import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { selects } from '../model/labels.js';
import { serviceKind } from '../model/service.js';
import { networkingVersions } from './fields.js';
import { domainOf, fullHostOf, isWildcard, serviceOfFullHost } from './host.js';
import { protocolOf } from './protocol.js';
import { egressRule } from './retired-kinds.js';
import { type ServiceEntrySpec, serviceEntrySchema } from './service-entry-shape.js';
import { workloadEntryKind } from './workload-entry.js';
import { isIpAddress, isUnixAddress } from './workload-shape.js';

export const serviceEntryKind = defineKind<ServiceEntrySpec>({
  kind: 'ServiceEntry',
  plural: 'serviceentries',
  aliases: ['se'],
  apiVersions: networkingVersions,
  formerly: [egressRule],
  namespaced: true,
  summary: "Istio's kind: hosts that the mesh does not run, and where they are.",
  schema: serviceEntrySchema,
  columns: [
    { header: 'HOSTS', value: (d) => d.spec.hosts.join(',') },
    { header: 'LOCATION', value: (d) => d.spec.location },
    { header: 'RESOLUTION', value: (d) => d.spec.resolution },
  ],
  check: checkServiceEntry,
});

function checkServiceEntry(definition: Definition<ServiceEntrySpec>, view: DefinitionView, report: Report): void {
  const { spec } = definition;
  for (const [i, host] of spec.hosts.entries()) checkHost(host, i, definition, view, report);
  if (spec.ports.length === 0)
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: ['spec', 'ports'],
      message: 'without ports nobody can call it',
      hint: 'write ports: [{ number: 443, name: https, protocol: TLS }]',
    });
  checkSelector(definition, view, report);
  checkBytes(definition, report);
}

function checkHost(
  host: string,
  i: number,
  definition: Definition<ServiceEntrySpec>,
  view: DefinitionView,
  report: Report,
): void {
  const path = ['spec', 'hosts', i];
  const full = fullHostOf(host);
  const own = serviceOfFullHost(full, domainOf(view));
  if (own !== undefined && view.get(serviceKind, own.namespace, own.service) !== undefined) {
    report({
      code: 'MESH1009',
      severity: 'warning',
      path,
      message: `"${host}" is the Service ${own.namespace}/${own.service}, which wins: this entry says nothing about it`,
      hint: 'give the entry another host, or remove the Service',
    });
  }
  const first = listedHosts(view)
    .get(full)
    ?.find((other) => other.namespace === definition.namespace);
  if (first !== undefined && first.name !== definition.name) {
    report({
      code: 'MESH1009',
      severity: 'warning',
      path,
      message: `ServiceEntry ${first.namespace}/${first.name} already has the host "${host}" and wins`,
      hint: 'put its ports and endpoints into one ServiceEntry',
    });
  }
  if (/^\*[^.]/.test(host)) {
    report({
      code: 'MESH1005',
      severity: 'warning',
      path,
      message: `"${host}" takes every name that ends so, in the middle of a word too`,
      hint: `write *.${host.slice(1)} for the names below it`,
    });
  }
  if (!isWildcard(host) || (definition.spec.resolution !== 'NONE' && definition.spec.resolution !== 'DYNAMIC_DNS'))
    return;
  for (const [p, { number, targetPort }] of definition.spec.ports.entries()) {
    if (targetPort === undefined || targetPort === number) continue;
    report({
      code: 'MESH1017',
      path: ['spec', 'ports', p, 'targetPort'],
      message: `requests to "${host}" go to the host and port that the caller names: another targetPort is not supported`,
      hint: 'leave targetPort out, or name the hosts one by one',
    });
  }
}

function checkSelector({ spec, namespace }: Definition<ServiceEntrySpec>, view: DefinitionView, report: Report): void {
  if (spec.workloadSelector === undefined) return;
  const { labels } = spec.workloadSelector;
  const path = ['spec', 'workloadSelector'];
  if (spec.resolution === 'NONE' || spec.resolution === 'DYNAMIC_DNS') {
    report({
      code: 'MESH1005',
      severity: 'warning',
      path,
      message: `with resolution ${spec.resolution} nobody is selected: requests go to the host itself`,
      hint: 'write resolution: STATIC',
    });
  } else if (Object.keys(labels).length === 0) {
    report({
      code: 'MESH1005',
      severity: 'warning',
      path,
      message: 'a selector without labels takes every workload of the namespace',
      hint: 'write the labels of those that serve it',
    });
  }
  for (const workload of view.all(workloadEntryKind)) {
    const { address } = workload.spec;
    const isSelected =
      workload.namespace === namespace && selects(labels, { ...workload.spec.labels, ...workload.labels });
    const isName = !isIpAddress(address) && !isUnixAddress(address);
    if (!isSelected || !(spec.resolution === 'STATIC' ? isName : isUnixAddress(address))) continue;
    report({
      code: 'MESH1005',
      severity: 'warning',
      path,
      message: `WorkloadEntry ${workload.name} is left out: resolution ${spec.resolution} cannot use its address ${address}`,
      hint: isName ? 'write resolution: DNS, or an IP address there' : 'write resolution: STATIC',
    });
  }
}

/** Nothing is intercepted: bytes reach a host by a tunnel, or by a listener that a Sidecar opens for it. */
function checkBytes({ spec }: Definition<ServiceEntrySpec>, report: Report): void {
  for (const [i, { number, protocol }] of spec.ports.entries()) {
    if (protocolOf(protocol) !== 'tcp' || spec.addresses.length === 0) continue;
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: ['spec', 'ports', i],
      message: `port ${number} carries bytes: connections to its addresses are not taken by the proxy`,
      hint: 'reach it by CONNECT through MESH_PROXY, or by a port of its own in the egress of a Sidecar',
    });
  }
}

type Listed = ReadonlyMap<string, readonly Definition<ServiceEntrySpec>[]>;

const lists = new WeakMap<readonly Definition<ServiceEntrySpec>[], Listed>();

/** All hosts of ServiceEntries by their full name, each with the entries that have it: one of each namespace, sorted. */
export function listedHosts(view: DefinitionView): Listed {
  const entries = view.all(serviceEntryKind);
  let listed = lists.get(entries);
  if (listed === undefined) lists.set(entries, (listed = hostsOf(entries)));
  return listed;
}

function hostsOf(entries: readonly Definition<ServiceEntrySpec>[]): Listed {
  const listed = new Map<string, Definition<ServiceEntrySpec>[]>();
  for (const entry of entries) {
    for (const host of new Set(entry.spec.hosts.map(fullHostOf))) {
      const known = listed.get(host) ?? [];
      listed.set(host, known);
      // Of two in one namespace the first by name has it.
      if (!known.some(({ namespace }) => namespace === entry.namespace)) known.push(entry);
    }
  }
  return listed;
}
