import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { type EnvoyFilterSpec, envoyFilterSchema } from './envoy-filter-shape.js';
import { selectorText } from './workload-shape.js';

export const envoyFilterKind = defineKind<EnvoyFilterSpec>({
  kind: 'EnvoyFilter',
  plural: 'envoyfilters',
  aliases: [],
  apiVersions: ['networking.istio.io/v1alpha3'],
  namespaced: true,
  summary: "Istio's kind: patches of what Envoys are sent, for what no other kind says.",
  schema: envoyFilterSchema,
  columns: [
    { header: 'SELECTS', value: (d) => selectorText(d.spec.workloadSelector?.labels) },
    { header: 'PATCHES', value: (d) => d.spec.configPatches.map(({ applyTo }) => applyTo).join(',') || '-' },
  ],
  check: checkEnvoyFilter,
});

/** The port that all upstreams share stands for none of theirs. */
function checkEnvoyFilter({ spec }: Definition<EnvoyFilterSpec>, _view: DefinitionView, report: Report): void {
  for (const [i, { match }] of spec.configPatches.entries()) {
    if (match.context !== 'SIDECAR_OUTBOUND' || match.listener?.portNumber === undefined) continue;
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: ['spec', 'configPatches', i, 'match', 'listener', 'portNumber'],
      message: `only listeners of upstreams with a proxyPort of their own stand for port ${match.listener.portNumber}: the shared proxy port serves all ports`,
      hint: 'leave portNumber out, and switch the filter on by applyTo: HTTP_ROUTE with typed_per_filter_config',
    });
  }
}
