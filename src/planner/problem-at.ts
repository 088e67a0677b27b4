import { type Definition, describeDefinition } from '../model/definition.js';
import type { Problem } from '../model/problem.js';
import { formatPath } from '../model/zod-problems.js';

/** A problem of a definition, with its place in the file when the definition came from one. */
export function problemAt(
  definition: Definition,
  { path, ...problem }: Omit<Problem, 'path' | 'file' | 'line' | 'column'> & { readonly path: readonly PropertyKey[] },
): Problem {
  const { origin } = definition;
  const where = origin === undefined ? {} : { file: origin.file, ...origin.locate(path, 'value') };
  return { ...problem, ...where, path: `${describeDefinition(definition)} ${formatPath(path)}` };
}
