/** What no schema of ours can say of a definition: whether Envoy knows what stands in it. Envoy's types are known here alone. */
import { envoyFilterKind } from '../dsl/envoy-filter.js';
import type { EnvoyFilterSpec } from '../dsl/envoy-filter-shape.js';
import { type Definition, describeDefinition } from '../model/definition.js';
import type { Problem } from '../model/problem.js';
import { formatPath } from '../model/zod-problems.js';
import { readPatches } from './translate/envoy-patches.js';

/** Of these definitions, of whatever kinds they are. */
export function envoyValueProblems(definitions: readonly Definition[]): readonly Problem[] {
  const filters = definitions.filter(
    ({ kind }) => kind === envoyFilterKind.kind,
  ) as readonly Definition<EnvoyFilterSpec>[]; // its schema made them
  return filters.flatMap((definition) =>
    readPatches(definition).unread.map(({ path, message }): Problem => {
      const { origin } = definition;
      return {
        code: 'MESH1005',
        severity: 'error',
        ...(origin === undefined ? {} : { file: origin.file, ...origin.locate(path, 'value') }),
        path: `${describeDefinition(definition)} ${formatPath(path)}`,
        message,
        hint: "write Envoy's own message: its fields are in the reference of Envoy's API v3, and a typed_config names its @type",
      };
    }),
  );
}
