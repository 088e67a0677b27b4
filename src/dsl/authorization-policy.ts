import type { Definition, DefinitionView } from '../model/definition.js';
import { findProvider } from '../model/extension-provider.js';
import { defineKind, type Report } from '../model/kind.js';
import { labelsOfVersion, selects } from '../model/labels.js';
import { defaultMesh, MESH_NAME, meshKind } from '../model/mesh.js';
import { serviceKind } from '../model/service.js';
import { type ServicePort, servicePorts } from '../model/service-shape.js';
import { versionKind } from '../model/version.js';
import {
  type AuthorizationPolicySpec,
  asksForRequests,
  authorizationPolicySchema,
  namesPorts,
} from './authorization-policy-shape.js';
import { gatewayKind } from './gateway.js';
import { isPathTemplate } from './path-template.js';
import { checkProvider, definedProviders } from './provider.js';
import { warnOfEmptySelector } from './selector.js';
import { sidecarKind } from './sidecar.js';
import { selectorText } from './workload-shape.js';

type AuthorizationPolicy = Definition<AuthorizationPolicySpec>;

export const authorizationPolicyKind = defineKind<AuthorizationPolicySpec>({
  kind: 'AuthorizationPolicy',
  plural: 'authorizationpolicies',
  aliases: ['authz'],
  apiVersions: ['security.istio.io/v1', 'security.istio.io/v1beta1'],
  namespaced: true,
  summary: "Istio's kind: which requests and connections an instance lets in.",
  schema: authorizationPolicySchema,
  columns: [
    { header: 'SELECTS', value: (d) => selectorText(d.spec.selector?.matchLabels) },
    { header: 'ACTION', value: (d) => (isDryRun(d) ? `${d.spec.action} (dry run)` : d.spec.action) },
    { header: 'RULES', value: (d) => String(d.spec.rules.length) },
  ],
  check: checkAuthorizationPolicy,
});

export const DRY_RUN = 'istio.io/dry-run';

/** It is only counted what it would have done. */
export function isDryRun({ document }: AuthorizationPolicy): boolean {
  return /^(1|t|T|TRUE|true|True)$/.test(document.metadata.annotations?.[DRY_RUN] ?? '');
}

function checkAuthorizationPolicy(definition: AuthorizationPolicy, view: DefinitionView, report: Report): void {
  checkDryRun(definition, report);
  warnOfEmptySelector(definition, report);
  checkAuthorizer(definition, view, report);
  checkValues(definition, report);
  const selected = selectedPorts(definition, view);
  if (selected.length === 0) return;
  checkPorts(definition, selected, view, report);
  checkStreams(definition, selected, view, report);
}

function checkDryRun({ spec, document }: AuthorizationPolicy, report: Report): void {
  const text = document.metadata.annotations?.[DRY_RUN];
  if (text === undefined) return;
  const path = ['metadata', 'annotations', DRY_RUN];
  if (!/^([01tTfF]|TRUE|true|True|FALSE|false|False)$/.test(text))
    report({ code: 'MESH1005', path, message: `${DRY_RUN} is "${text}"`, hint: 'write "true" or "false"' });
  else if (spec.action !== 'ALLOW' && spec.action !== 'DENY')
    report({
      code: 'MESH1005',
      path,
      message: `${DRY_RUN} is for ALLOW and DENY, not for ${spec.action}`,
      hint: 'remove the annotation',
    });
}

function checkAuthorizer({ spec }: AuthorizationPolicy, view: DefinitionView, report: Report): void {
  if (spec.provider === undefined) return;
  checkProvider(spec.provider.name, 'CUSTOM', view, (problem) => {
    report({ ...problem, path: ['spec', 'provider', 'name'] });
  });
}

/** There a star stands for anything wherever it is. */
const anyStar = /namespace|trustDomain/i;

/** A star counts at the beginning or the end: Istio takes any other literally. */
function checkValues({ spec }: AuthorizationPolicy, report: Report): void {
  const check = (path: readonly PropertyKey[], values: readonly string[]): void => {
    for (const [i, value] of values.entries()) {
      if (!value.slice(1, -1).includes('*') && !/^\*.*\*$/.test(value)) continue;
      if (value === '*' || isPathTemplate(value)) continue;
      report({
        code: 'MESH1005',
        severity: 'warning',
        path: [...path, i],
        message: `the * in "${value}" is taken literally: it counts at the beginning or at the end, and there once`,
        hint:
          path.at(-1) === 'paths' || path.at(-1) === 'notPaths'
            ? 'write {*} for one segment of a path'
            : 'write x*, *x or *',
      });
    }
  };
  for (const [i, { from = [], to = [], when }] of spec.rules.entries()) {
    const rule = ['spec', 'rules', i];
    for (const [j, { source }] of from.entries())
      for (const [list, values] of Object.entries(source))
        if (!anyStar.test(list)) check([...rule, 'from', j, 'source', list], values);
    for (const [j, { operation }] of to.entries())
      for (const [list, values] of Object.entries(operation)) check([...rule, 'to', j, 'operation', list], values);
    for (const [j, { key, values, notValues }] of when.entries()) {
      if (anyStar.test(key)) continue;
      check([...rule, 'when', j, 'values'], values);
      check([...rule, 'when', j, 'notValues'], notValues);
    }
  }
}

/** Istio has the ports of apps here; ours are chosen by the planner, and nobody could write them. */
function checkPorts(
  { spec: { rules } }: AuthorizationPolicy,
  selected: readonly SelectedPort[],
  view: DefinitionView,
  report: Report,
): void {
  const known = new Set([
    ...selected.map(({ port }) => port.port),
    ...view.all(sidecarKind).flatMap(({ spec }) => spec.ingress.map(({ port }) => port.number)),
    ...view.all(gatewayKind).flatMap(({ spec }) => spec.servers.map(({ port }) => port.number)),
  ]);
  for (const [i, { to = [] }] of rules.entries())
    for (const [j, { operation }] of to.entries())
      for (const list of ['ports', 'notPorts'] as const)
        for (const [k, text] of operation[list].entries()) {
          if (known.has(Number(text))) continue;
          report({
            code: 'MESH1010',
            severity: 'warning',
            path: ['spec', 'rules', i, 'to', j, 'operation', list, k],
            message: `no service that this is for has port ${text}`,
            hint: `there is: ${[...known].toSorted((a, b) => a - b).join(', ')}`,
          });
        }
}

/** What asks for requests says something else of connections whose bytes are passed on, as in Istio. */
function checkStreams(
  { spec: { action, provider, rules } }: AuthorizationPolicy,
  selected: readonly SelectedPort[],
  view: DefinitionView,
  report: Report,
): void {
  // What a gateway does with its ports is said by Gateways.
  const stream = selected.find(({ port, isGateway }) => port.protocol === 'tcp' && !isGateway);
  if (stream === undefined) return;
  const where = `TCP port ${stream.port.port} of ${stream.service}`;
  const warn = (path: readonly PropertyKey[], message: string, hint: string): void => {
    report({ code: 'MESH1005', severity: 'warning', path: ['spec', ...path], message, hint });
  };
  const judge = provider && findProvider(definedProviders(view), provider.name);
  if (judge?.envoyExtAuthzHttp !== undefined && rules.some((rule) => !namesPorts(rule)))
    warn(
      ['provider', 'name'],
      `provider "${judge.name}" judges requests only: connections to ${where} are let in without it`,
      'name the ports in the rules, or use a provider with envoyExtAuthzGrpc',
    );
  for (const [i, { when }] of rules.entries()) {
    const at = when.findIndex(({ key }) => key === 'connection.sni');
    if (at !== -1)
      warn(
        ['rules', i, 'when', at],
        `server names are known where TLS ends at the proxy: connections to ${where} have none`,
        'ask for something else there',
      );
  }
  for (const [i, rule] of rules.entries()) {
    if (namesPorts(rule) || !asksForRequests(rule)) continue;
    if (action === 'DENY')
      warn(
        ['rules', i],
        `what this asks of requests does not count at ${where}: the rest refuses connections`,
        'name ports',
      );
    if (action === 'ALLOW')
      warn(
        ['rules', i],
        `this asks for requests, and so allows no connection to ${where}`,
        'name ports, here and in a rule for it',
      );
  }
}

interface SelectedPort {
  readonly service: string;
  readonly port: ServicePort;
  readonly isGateway: boolean;
}

function selectedPorts({ spec, namespace }: AuthorizationPolicy, view: DefinitionView): readonly SelectedPort[] {
  const { rootNamespace } = view.get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh;
  const labels = spec.selector?.matchLabels ?? {};
  const names = new Set(
    view
      .all(versionKind)
      .filter((version) => namespace === rootNamespace || version.namespace === namespace)
      .filter((version) => selects(labels, labelsOfVersion(version)))
      .map((version) => `${version.namespace}/${version.spec.service}`),
  );
  return view
    .all(serviceKind)
    .filter((service) => names.has(`${service.namespace}/${service.name}`))
    .flatMap((service) =>
      servicePorts(service.spec).map((port) => ({
        service: `${service.namespace}/${service.name}`,
        port,
        isGateway: service.spec.gateway,
      })),
    );
}
