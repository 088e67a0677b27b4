/** PeerAuthentication: what may stand in it (reference: 1.11). */
import { z } from 'zod';
import { portField } from '../model/fields.js';
import type { Labels } from '../model/labels.js';
import { workloadSelectorField } from './workload-shape.js';

const mutualTlsSchema = z.strictObject({
  mode: z
    .enum(['UNSET', 'DISABLE', 'PERMISSIVE', 'STRICT'])
    .default('UNSET')
    .describe(
      'STRICT: callers show a certificate of the mesh. PERMISSIVE: plain callers come in too. DISABLE: plain. UNSET: as is said for the workload, the namespace or the mesh; where nobody says anything, plain',
    ),
});

const portTextField = z
  .string()
  .refine((text) => /^\d+$/.test(text) && portField.safeParse(Number(text)).success, 'a port is 1 to 65535');

export const peerAuthenticationSchema = z
  .strictObject({
    selector: z
      .strictObject({ matchLabels: workloadSelectorField.shape.labels })
      .optional()
      .describe(
        'For these instances. Without labels: for all of the namespace, and in the root namespace for all of the mesh',
      ),
    mtls: mutualTlsSchema.optional().describe('Which callers come in'),
    portLevelMtls: z
      .record(portTextField, mutualTlsSchema)
      .refine((ports) => Object.keys(ports).length > 0, 'name a port, or leave portLevelMtls out')
      .optional()
      .describe('For single ports of the service, or of the ingress of a Sidecar: another mode, by the port in quotes'),
  })
  .refine((spec) => spec.portLevelMtls === undefined || isForWorkload(spec), {
    message: 'ports are of some instances: write a selector with labels',
    path: ['portLevelMtls'],
  });
export type PeerAuthenticationSpec = z.output<typeof peerAuthenticationSchema>;

/** With a selector that selects; else it is for a namespace, or the mesh. */
export function isForWorkload({
  selector,
}: {
  readonly selector?: { readonly matchLabels: Labels } | undefined;
}): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length > 0;
}
