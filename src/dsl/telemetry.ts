import type { Definition, DefinitionView } from '../model/definition.js';
import { builtInProviders, type ExtensionProvider, findProvider } from '../model/extension-provider.js';
import { defineKind, type Report } from '../model/kind.js';
import { defaultMesh, MESH_NAME, meshKind } from '../model/mesh.js';
import { suggestion } from '../model/suggestion.js';
import { findKnownHost } from './known-host.js';
import { type TelemetrySpec, telemetrySchema } from './telemetry-shape.js';
import { selectorText } from './workload-shape.js';

export const telemetryKind = defineKind<TelemetrySpec>({
  kind: 'Telemetry',
  plural: 'telemetries',
  aliases: ['telemetry'],
  apiVersions: ['telemetry.istio.io/v1', 'telemetry.istio.io/v1alpha1'],
  namespaced: true,
  summary: "Istio's kind: what proxies log, and what they report of traces.",
  schema: telemetrySchema,
  columns: [
    { header: 'SELECTS', value: (d) => selectorText(d.spec.selector?.matchLabels) },
    { header: 'LOGS', value: (d) => namesIn(d.spec.accessLogging) },
    { header: 'TRACES', value: (d) => namesIn(d.spec.tracing) },
  ],
  check: checkTelemetry,
});

interface Reporting {
  readonly providers: readonly { readonly name: string }[];
}

function namesIn(all: readonly Reporting[]): string {
  return all.flatMap(({ providers }) => providers.map(({ name }) => name)).join(',') || '-';
}

/** What a provider is good for. */
const uses: Readonly<Record<'accessLogging' | 'tracing' | 'metrics', readonly (keyof ExtensionProvider)[]>> = {
  accessLogging: ['envoyFileAccessLog', 'envoyHttpAls', 'envoyOtelAls'],
  tracing: ['opentelemetry', 'zipkin'],
  metrics: ['prometheus'],
};

function checkTelemetry(definition: Definition<TelemetrySpec>, view: DefinitionView, report: Report): void {
  checkRivals(definition, view, report);
  const defined = view.get(meshKind, undefined, MESH_NAME)?.spec.extensionProviders ?? defaultMesh.extensionProviders;
  for (const use of ['accessLogging', 'tracing', 'metrics'] as const) {
    const blocks: readonly Reporting[] = definition.spec[use];
    for (const [i, { providers }] of blocks.entries()) {
      for (const [j, { name }] of providers.entries())
        checkProvider(name, use, defined, view, (problem) => {
          report({ ...problem, path: ['spec', use, i, 'providers', j, 'name'] });
        });
      if (use !== 'tracing' || (i === 0 && providers.length < 2)) continue;
      report({
        code: 'MESH1009',
        severity: 'warning',
        path: ['spec', use, i],
        message: 'a proxy reports traces to one provider: the first counts',
        hint: 'keep one',
      });
    }
  }
}

function checkProvider(
  name: string,
  use: keyof typeof uses,
  defined: readonly ExtensionProvider[],
  view: DefinitionView,
  report: (problem: Omit<Parameters<Report>[0], 'path'>) => void,
): void {
  const provider = findProvider(defined, name);
  if (provider === undefined) {
    const names = [...defined, ...builtInProviders].map((one) => one.name);
    report({
      code: 'MESH1010',
      message: `there is no provider "${name}" in extensionProviders of the Mesh`,
      hint: suggestion(name, names),
    });
    return;
  }
  if (!uses[use].some((type) => provider[type] !== undefined)) {
    report({
      code: 'MESH1005',
      message: `provider "${name}" is not for ${use}`,
      hint: `one with ${uses[use].join(', ')}`,
    });
    return;
  }
  const collector = collectorOf(provider);
  if (collector === undefined) return;
  const known = findKnownHost(view, collector.host, collector.namespace);
  if (known?.ports.includes(collector.port)) return;
  report({
    code: 'MESH1010',
    message:
      known === undefined
        ? `provider "${name}" reports to "${collector.host}", which is no host of the mesh`
        : `provider "${name}" reports to port ${collector.port} of "${collector.host}", which it has not`,
    hint: known === undefined ? 'define it as a Service or a ServiceEntry' : `there is: ${known.ports.join(', ')}`,
  });
}

export interface Collector {
  readonly host: string;
  /** Where a short name is looked up. */
  readonly namespace: string;
  readonly port: number;
}

/** Undefined for a provider that needs nobody else. */
export function collectorOf({
  envoyHttpAls,
  envoyOtelAls,
  opentelemetry,
  zipkin,
}: ExtensionProvider): Collector | undefined {
  const target = envoyHttpAls ?? envoyOtelAls ?? opentelemetry ?? zipkin;
  if (target === undefined) return undefined;
  const [namespace, host] = target.service.includes('/') ? target.service.split('/') : ['default', target.service];
  return { host: host ?? '', namespace: namespace ?? '', port: target.port };
}

/** Of two for the same proxies the older one holds, and the other says nothing. */
function checkRivals(definition: Definition<TelemetrySpec>, view: DefinitionView, report: Report): void {
  const labels = JSON.stringify(definition.spec.selector?.matchLabels ?? {});
  const rival = view
    .all(telemetryKind)
    .find(
      (other) =>
        other.namespace === definition.namespace &&
        other.name < definition.name &&
        JSON.stringify(other.spec.selector?.matchLabels ?? {}) === labels,
    );
  if (rival === undefined) return;
  report({
    code: 'MESH1009',
    severity: 'warning',
    path: ['spec'],
    message: `Telemetry ${rival.namespace}/${rival.name} is for the same proxies, and one of the two says nothing`,
    hint: 'write another selector, or keep one of them',
  });
}
