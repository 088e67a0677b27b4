import { z } from 'zod';
import { defineKind } from '../model/kind.js';
import { networkingVersions } from './fields.js';
import { notYet } from './not-yet.js';
import { workloadFields, workloadLabelsField } from './workload-shape.js';

const workloadGroupSchema = z.strictObject({
  metadata: z
    .strictObject({
      labels: workloadLabelsField
        .default({})
        .describe('What selectors and subsets look at, beside those of the template'),
      annotations: z.record(z.string(), z.string()).default({}).describe('For readers'),
    })
    .prefault({})
    .describe('Of every workload of the group'),
  template: z
    .strictObject({ ...workloadFields, address: notYet('it is of each workload, which registers with it') })
    .describe(
      'What is said of a workload that registers itself under the name of the group, where it says nothing itself',
    ),
  probe: notYet('a workload that registers itself checks its own health, and leaves the registry when it fails'),
});
export type WorkloadGroupSpec = z.output<typeof workloadGroupSchema>;

export const workloadGroupKind = defineKind<WorkloadGroupSpec>({
  kind: 'WorkloadGroup',
  plural: 'workloadgroups',
  aliases: ['wg'],
  apiVersions: networkingVersions,
  namespaced: true,
  summary: "Istio's kind: labels, ports and place of workloads that register themselves under its name.",
  schema: workloadGroupSchema,
  columns: [
    {
      header: 'LABELS',
      value: ({ spec: { metadata, template } }) => {
        const labels = Object.entries({ ...metadata.labels, ...template.labels });
        return labels.map(([key, value]) => `${key}=${value}`).join(',') || '-';
      },
    },
    { header: 'LOCALITY', value: (d) => d.spec.template.locality ?? '-' },
  ],
});
