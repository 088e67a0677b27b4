/** Which instances a definition is for, where it has a `selector` as Istio's policies have one. */

import { z } from 'zod';
import type { Definition } from '../model/definition.js';
import type { Report } from '../model/kind.js';
import { type Labels, selects } from '../model/labels.js';
import { notYet } from './not-yet.js';
import { workloadSelectorField } from './workload-shape.js';

const NO_KUBERNETES = 'they name gateways of Kubernetes: write a selector';

/** Fields of a policy about requests that come in. */
export const requestSelection = {
  selector: z
    .strictObject({ matchLabels: workloadSelectorField.shape.labels })
    .optional()
    .describe(
      'For requests to these instances. Without labels: to all of the namespace, and of the mesh in the root namespace',
    ),
  targetRef: notYet(NO_KUBERNETES),
  targetRefs: notYet(NO_KUBERNETES),
};

interface Selecting {
  readonly selector?: { readonly matchLabels: Labels } | undefined;
}

/** In its own namespace by labels; one of the root namespace takes instances of all of them. */
export function selectsInstance(
  { namespace, spec }: Definition<Selecting>,
  instance: { readonly namespace: string; readonly labels: Labels },
  rootNamespace: string,
): boolean {
  return (
    (namespace === rootNamespace || namespace === instance.namespace) &&
    selects(spec.selector?.matchLabels ?? {}, instance.labels)
  );
}

export function warnOfEmptySelector({ spec, namespace }: Definition<Selecting>, report: Report): void {
  if (spec.selector === undefined || Object.keys(spec.selector.matchLabels).length > 0) return;
  report({
    code: 'MESH1005',
    severity: 'warning',
    path: ['spec', 'selector'],
    message: `a selector without labels is for all of namespace ${namespace}`,
    hint: 'write matchLabels, or leave selector out',
  });
}
