import { z } from 'zod';
import type { Definition, DefinitionView } from '../model/definition.js';
import { defineKind, type Report } from '../model/kind.js';
import { type Labels, selects } from '../model/labels.js';
import { notYet } from './not-yet.js';
import { precedes } from './virtual-service.js';
import { selectorText, workloadSelectorField } from './workload-shape.js';

/** Of Envoy's own: it goes by what its arguments and its bootstrap say. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

const proxyConfigSchema = z.strictObject({
  selector: z
    .strictObject({ matchLabels: workloadSelectorField.shape.labels })
    .optional()
    .describe(
      'For the sidecars of these instances. Without labels: for all of the namespace, and of the mesh in the root namespace',
    ),
  concurrency: z
    .int()
    .min(0)
    .optional()
    .describe('Worker threads of Envoy; 0 is one for each core. Default: sidecar.concurrency of the Mesh'),
  environmentVariables: z
    .record(z.string().regex(NAME, 'the name of a variable is letters, digits and _'), z.string())
    .default({})
    .describe("Environment of the sidecar's container, such as a customTag of a Telemetry reads"),
  image: z
    .strictObject({ imageType: notYet('write sidecar.image of the Mesh: any image with an Envoy in it') })
    .optional()
    .describe('Of the sidecar'),
});
export type ProxyConfigSpec = z.output<typeof proxyConfigSchema>;

export const proxyConfigKind = defineKind<ProxyConfigSpec>({
  kind: 'ProxyConfig',
  plural: 'proxyconfigs',
  aliases: [],
  apiVersions: ['networking.istio.io/v1beta1'],
  namespaced: true,
  summary: "Istio's kind: threads and environment of sidecars. It holds for instances that are deployed from then on.",
  schema: proxyConfigSchema,
  columns: [
    { header: 'SELECTS', value: (d) => selectorText(d.spec.selector?.matchLabels) },
    { header: 'CONCURRENCY', value: (d) => d.spec.concurrency?.toString() ?? '-' },
    { header: 'ENVIRONMENT', value: (d) => Object.keys(d.spec.environmentVariables).join(',') || '-' },
  ],
  check: checkProxyConfig,
});

function checkProxyConfig({ spec }: Definition<ProxyConfigSpec>, _view: DefinitionView, report: Report): void {
  if (spec.concurrency !== undefined || Object.keys(spec.environmentVariables).length > 0) return;
  report({
    code: 'MESH1005',
    severity: 'warning',
    path: ['spec'],
    message: 'it says nothing',
    hint: 'write concurrency or environmentVariables',
  });
}

export interface ProxySettings {
  readonly concurrency: number | undefined;
  readonly environment: Readonly<Record<string, string>>;
}

/** Of the mesh, over it of the namespace, over that of the instance; of several in one level the oldest. */
export function proxySettings(
  view: DefinitionView,
  rootNamespace: string,
  instance: { readonly namespace: string; readonly labels: Labels },
): ProxySettings {
  const sorted = view.all(proxyConfigKind).toSorted((a, b) => (precedes(a, b) ? -1 : 1));
  const labels = ({ spec }: Definition<ProxyConfigSpec>): Labels => spec.selector?.matchLabels ?? {};
  const isForAll = (one: Definition<ProxyConfigSpec>): boolean => Object.keys(labels(one)).length === 0;
  const own = sorted.filter(({ namespace }) => namespace === instance.namespace);
  const levels = [
    sorted.find((one) => one.namespace === rootNamespace && isForAll(one)),
    own.find(isForAll),
    own.find((one) => !isForAll(one) && selects(labels(one), instance.labels)),
  ].filter((one) => one !== undefined);
  return {
    concurrency: levels.findLast(({ spec }) => spec.concurrency !== undefined)?.spec.concurrency,
    environment: Object.assign({}, ...levels.map(({ spec }) => spec.environmentVariables)) as Record<string, string>,
  };
}
