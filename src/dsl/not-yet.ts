import { z } from 'zod';

/**
 * A field that Istio has and we do not serve yet: known, so it is no "unknown key", but refused, since a field that is accepted
 * and ignored is the worst answer. Making it real means putting a schema in its place.
 */
export function notYet(reason: string): z.ZodOptional<z.ZodType<never>> {
  return (
    z
      .custom<never>(() => false, {
        error: (issue) => `${String(issue.path?.at(-1) ?? 'this')} is not supported yet: ${reason}`,
        params: { problem: 'MESH1017' },
      })
      .optional()
      // `not: {}` is JSON Schema for "never", so that an editor marks it too.
      .meta({ description: `Not served: ${reason}`, not: {} })
  );
}

/** The same for a value of a field that is otherwise served. */
export function refusedValue<Schema extends z.ZodType>(
  schema: Schema,
  isRefused: (value: z.output<Schema>) => boolean,
  message: string,
): Schema {
  const refused = schema.refine((value) => !isRefused(value), { error: message, params: { problem: 'MESH1017' } });
  // For `explain` and the support matrix: JSON Schema carries it along.
  return refused.meta({
    ...schema.meta(),
    refused: [...((schema.meta()?.['refused'] as string[] | undefined) ?? []), message],
  });
}
