import { defineKind } from '../model/kind.js';
import { networkingVersions } from './fields.js';
import { type Workload, workloadSchema } from './workload-shape.js';

export const workloadEntryKind = defineKind<Workload>({
  kind: 'WorkloadEntry',
  plural: 'workloadentries',
  aliases: ['we'],
  apiVersions: networkingVersions,
  namespaced: true,
  summary: "Istio's kind: a workload that nobody of ours started, which ServiceEntries select by its labels.",
  schema: workloadSchema,
  columns: [
    { header: 'ADDRESS', value: (d) => d.spec.address },
    {
      header: 'LABELS',
      value: (d) =>
        Object.entries(d.spec.labels)
          .map(([key, value]) => `${key}=${value}`)
          .join(',') || '-',
    },
  ],
});
