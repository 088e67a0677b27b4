import { z } from 'zod';
import type { Definition, DefinitionView } from '../model/definition.js';
import { portField } from '../model/fields.js';
import { defineKind, type Report } from '../model/kind.js';
import { notYet, refusedValue } from './not-yet.js';
import { modes } from './telemetry-shape.js';
import { selectorText, workloadSelectorField } from './workload-shape.js';

const NO_FETCHING = 'nothing is fetched';
const NO_KUBERNETES = 'they name gateways of Kubernetes: write a selector';

const variableSchema = z
  .strictObject({
    name: z.string().min(1).describe('Its name'),
    valueFrom: z
      .enum(['INLINE', 'HOST'])
      .default('INLINE')
      .describe("INLINE: from here; HOST: from the sidecar's environment"),
    value: z.string().max(2048).optional().describe('Of INLINE'),
  })
  .refine(({ valueFrom, value }) => valueFrom === 'INLINE' || value === undefined, {
    message: 'a value is for valueFrom: INLINE',
    path: ['value'],
  });

const urlField = refusedValue(
  z
    .string()
    .min(1)
    .regex(/^((file|https?|oci):\/\/)?[^#%\s]*$/, 'file:///PATH'),
  (url) => !/^file:\/\/\/./.test(url),
  'only files are loaded: fetch the module to the nodes, and write file:///PATH, as the sidecar sees it',
);

const wasmPluginSchema = z.strictObject({
  selector: z
    .strictObject({ matchLabels: workloadSelectorField.shape.labels })
    .optional()
    .describe(
      'For the proxies of these instances. Without labels: for all of the namespace, and of the mesh in the root namespace',
    ),
  targetRef: notYet(NO_KUBERNETES),
  targetRefs: notYet(NO_KUBERNETES),
  url: urlField.describe('The module: file:///PATH, such as one in the folder of certificates of the Service'),
  sha256: notYet(`${NO_FETCHING}, so nobody would compare it`),
  imagePullPolicy: notYet(NO_FETCHING),
  imagePullSecret: notYet(NO_FETCHING),
  verificationKey: notYet(NO_FETCHING),
  pluginName: z.string().min(1).max(256).optional().describe('What the module calls the plugin, where it has several'),
  pluginConfig: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('What it is configured with: the module reads it as JSON'),
  phase: z
    .enum(['UNSPECIFIED_PHASE', 'AUTHN', 'AUTHZ', 'STATS'])
    .default('UNSPECIFIED_PHASE')
    .describe('Before who calls is asked, before it is asked who may, or last, before a request goes on'),
  priority: z.int().optional().describe('Of those in the same phase the highest is first. Default: 0'),
  failStrategy: z
    .enum(['FAIL_CLOSE', 'FAIL_OPEN', 'FAIL_RELOAD'])
    .default('FAIL_CLOSE')
    .describe('When the plugin has crashed: requests are answered 503, go on without it, or it is loaded once more'),
  vmConfig: z
    .strictObject({
      env: z
        .array(variableSchema)
        .default([])
        .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'a variable stands twice')
        .describe('Environment of the plugin'),
    })
    .optional()
    .describe('Where it runs'),
  match: z
    .array(
      z.strictObject({
        mode: z
          .enum(modes)
          .default('CLIENT_AND_SERVER')
          .describe("On the caller's side, on the service's side, or on both"),
        ports: z
          .array(z.strictObject({ number: portField.describe('Port of the service') }))
          .default([])
          .describe('Which ports. Default: all'),
      }),
    )
    .default([])
    .describe('Where it runs: one of these must hold. Default: everywhere'),
  type: z
    .enum(['UNSPECIFIED_PLUGIN_TYPE', 'HTTP', 'NETWORK'])
    .default('UNSPECIFIED_PLUGIN_TYPE')
    .describe('Of requests (HTTP, and where nothing is said), or of the bytes of connections'),
});
export type WasmPluginSpec = z.output<typeof wasmPluginSchema>;

export const wasmPluginKind = defineKind<WasmPluginSpec>({
  kind: 'WasmPlugin',
  plural: 'wasmplugins',
  aliases: [],
  apiVersions: ['extensions.istio.io/v1alpha1'],
  namespaced: true,
  summary: "Istio's kind: a Wasm module that proxies run, out of a file.",
  schema: wasmPluginSchema,
  columns: [
    { header: 'SELECTS', value: (d) => selectorText(d.spec.selector?.matchLabels) },
    { header: 'URL', value: (d) => d.spec.url },
    { header: 'PHASE', value: (d) => d.spec.phase },
  ],
  check: checkWasmPlugin,
});

/** The port that all upstreams share stands for none of theirs. */
function checkWasmPlugin({ spec }: Definition<WasmPluginSpec>, _view: DefinitionView, report: Report): void {
  for (const [i, { mode, ports }] of spec.match.entries()) {
    if (mode !== 'CLIENT' || ports.length === 0) continue;
    report({
      code: 'MESH1005',
      severity: 'warning',
      path: ['spec', 'match', i, 'ports'],
      message:
        'only listeners of upstreams with a proxyPort of their own stand for a port: the shared proxy port serves all ports',
      hint: 'leave ports out, or give the upstream a proxyPort',
    });
  }
}
