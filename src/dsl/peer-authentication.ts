import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { type Labels, labelsOfVersion } from '../model/labels.js';
import { defaultMesh, MESH_NAME, meshKind } from '../model/mesh.js';
import { serviceKind } from '../model/service.js';
import { type ServiceSpec, servicePorts } from '../model/service-shape.js';
import { versionKind } from '../model/version.js';
import { type PeerAuthenticationSpec, peerAuthenticationSchema } from './peer-authentication-shape.js';
import {
  composePeerModes,
  type PeerAuthentication,
  type PeerMode,
  peerLevelOf,
  peerModeAt,
  peerPoliciesFor,
} from './peer-modes.js';
import { sidecarKind } from './sidecar.js';
import { precedes } from './virtual-service.js';
import { selectorText } from './workload-shape.js';

export const peerAuthenticationKind = defineKind<PeerAuthenticationSpec>({
  kind: 'PeerAuthentication',
  plural: 'peerauthentications',
  aliases: ['pa'],
  apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
  namespaced: true,
  summary: "Istio's kind: whether callers of an instance must show a certificate of the mesh.",
  schema: peerAuthenticationSchema,
  columns: [
    { header: 'SELECTS', value: (d) => selectorText(d.spec.selector?.matchLabels) },
    { header: 'MODE', value: (d) => d.spec.mtls?.mode ?? 'UNSET' },
    {
      header: 'PORTS',
      value: ({ spec }) =>
        Object.entries(spec.portLevelMtls ?? {})
          .map(([port, { mode }]) => `${port}=${mode}`)
          .join(',') || '-',
    },
  ],
  check: checkPeerAuthentication,
});

function checkPeerAuthentication(definition: PeerAuthentication, view: DefinitionView, report: Report): void {
  checkSelector(definition, view, report);
  const instances = instancesFor(definition, view);
  checkRivals(definition, instances, view, report);
  checkPorts(definition, instances, view, report);
  checkCertificates(definition, instances, view, report);
}

/** The instances of one version of a service. */
interface Instances {
  readonly namespace: string;
  readonly service: Definition<ServiceSpec>;
  readonly labels: Labels;
}

/** A gateway is not among them: its servers say themselves who comes in. */
function instancesFor(definition: PeerAuthentication, view: DefinitionView): readonly Instances[] {
  return view.all(versionKind).flatMap((version): readonly Instances[] => {
    const namespace = version.namespace as string; // the kind is namespaced
    const service = view.get(serviceKind, namespace, version.spec.service);
    if (service === undefined || service.spec.gateway) return [];
    const instances = { namespace, service, labels: labelsOfVersion(version) };
    return peerPoliciesFor([definition], instances, rootOf(view)).length === 0 ? [] : [instances];
  });
}

function rootOf(view: DefinitionView): string {
  return (view.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh).rootNamespace;
}

function checkSelector(definition: PeerAuthentication, view: DefinitionView, report: Report): void {
  const { spec, namespace } = definition;
  const level = peerLevelOf(definition, rootOf(view));
  if (spec.selector === undefined || level === 'workload') return;
  const warn = (message: string, hint: string): void => {
    report({ code: 'MESH1005', severity: 'warning', path: ['spec', 'selector'], message, hint });
  };
  if (level === undefined)
    warn(
      `it is for nobody: in the root namespace ${namespace} a PeerAuthentication is for the whole mesh`,
      'leave selector out, or write it in the namespace of the instances',
    );
  else
    warn(
      `a selector without labels is for all of ${level === 'mesh' ? 'the mesh' : `namespace ${namespace}`}`,
      'write matchLabels, or leave selector out',
    );
}

/** Older ones of its level take its place, whole. */
function checkRivals(
  definition: PeerAuthentication,
  instances: readonly Instances[],
  view: DefinitionView,
  report: Report,
): void {
  const root = rootOf(view);
  const level = peerLevelOf(definition, root);
  if (level === undefined) return;
  const rival = view
    .all(peerAuthenticationKind)
    .find(
      (other) =>
        other.namespace === definition.namespace &&
        peerLevelOf(other, root) === level &&
        precedes(other, definition) &&
        (level !== 'workload' || instances.some((one) => peerPoliciesFor([other], one, root).length > 0)),
    );
  if (rival === undefined) return;
  const whom = { mesh: 'the mesh', namespace: 'the namespace', workload: 'some of these instances' }[level];
  report({
    code: 'MESH1009',
    severity: 'warning',
    path: ['spec'],
    message: `PeerAuthentication ${rival.namespace}/${rival.name} is for ${whom} already, and wins`,
    hint: 'keep one of them',
  });
}

function checkPorts(
  { spec }: PeerAuthentication,
  instances: readonly Instances[],
  view: DefinitionView,
  report: Report,
): void {
  if (instances.length === 0) return;
  const known = new Set([
    ...instances.flatMap(({ service }) => servicePorts(service.spec).map(({ port }) => port)),
    ...view.all(sidecarKind).flatMap((sidecar) => sidecar.spec.ingress.map(({ port }) => port.number)),
  ]);
  for (const port of Object.keys(spec.portLevelMtls ?? {})) {
    if (known.has(Number(port))) continue;
    report({
      code: 'MESH1010',
      severity: 'warning',
      path: ['spec', 'portLevelMtls', port],
      message: `no service that this is for has port ${port}`,
      hint: `there is: ${[...known].toSorted((a, b) => a - b).join(', ')}`,
    });
  }
}

/** A port that asks for certificates and has none of its own lets nobody in, or plain callers only. */
function checkCertificates(
  { spec }: PeerAuthentication,
  instances: readonly Instances[],
  view: DefinitionView,
  report: Report,
): void {
  const root = rootOf(view);
  const modes = new Set([spec.mtls, ...Object.values(spec.portLevelMtls ?? {})].map((mtls) => mtls?.mode));
  const bare = instances.filter(({ service }) => service.spec.certificates === undefined);
  const asked = (mode: PeerMode): readonly string[] => {
    const found = bare.flatMap((one) => {
      const composed = composePeerModes(peerPoliciesFor(view.all(peerAuthenticationKind), one, root), root);
      return servicePorts(one.service.spec)
        .filter(({ port }) => peerModeAt(composed, port) === mode)
        .map(({ port }) => `${one.namespace}/${one.service.name}:${port}`);
    });
    return [...new Set(found)];
  };
  const told = { STRICT: 'nobody comes in at', PERMISSIVE: 'only plain callers come in at' } as const;
  for (const mode of ['STRICT', 'PERMISSIVE'] as const) {
    const ports = modes.has(mode) ? asked(mode) : [];
    if (ports.length === 0) continue;
    report({
      code: 'MESH1010',
      severity: 'warning',
      path: ['spec'],
      message: `${mode} needs certificates, which the Service has not: ${told[mode]} ${listed(ports)}`,
      hint: 'write certificates in the Service, a folder of the node with cert-chain.pem, key.pem and root-cert.pem, or mode: DISABLE for it',
    });
  }
}

const LISTED = 5;

function listed(texts: readonly string[]): string {
  const rest = texts.length - LISTED;
  return rest > 0 ? `${texts.slice(0, LISTED).join(', ')} and ${rest} more` : texts.join(', ');
}
