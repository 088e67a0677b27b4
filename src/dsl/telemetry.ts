import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { checkProvider } from './provider.js';
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

function checkTelemetry(definition: Definition<TelemetrySpec>, view: DefinitionView, report: Report): void {
  checkRivals(definition, view, report);
  for (const use of ['accessLogging', 'tracing', 'metrics'] as const) {
    const blocks: readonly Reporting[] = definition.spec[use];
    for (const [i, { providers }] of blocks.entries()) {
      for (const [j, { name }] of providers.entries())
        checkProvider(name, use, view, (problem) => {
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
