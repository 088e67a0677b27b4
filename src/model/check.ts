/** Rules that hold across objects: references, clashes. */
import { type Definition, type DefinitionIndex, describeDefinition, viewOf } from './definition.js';
import type { AnyKind } from './kind.js';
import { type Problem, sortProblems } from './problem.js';
import { formatPath } from './zod-problems.js';

/**
 * Problems of references and of rules across objects. `changed` are new or altered; the rest of the index is checked too, and
 * what was wrong there before is not held against the user who changed something else.
 */
export function checkDefinitions(
  before: DefinitionIndex,
  after: DefinitionIndex,
  kinds: readonly AnyKind[],
): readonly Problem[] {
  const known = new Set(
    collect(before, kinds).map(({ definition, problem }) => `${describeDefinition(definition)} ${problem.message}`),
  );
  const fresh = collect(after, kinds).filter(
    ({ definition, problem }) =>
      definition.origin !== undefined || !known.has(`${describeDefinition(definition)} ${problem.message}`),
  );
  return sortProblems(fresh.map(({ problem }) => problem));
}

function collect(index: DefinitionIndex, kinds: readonly AnyKind[]): { definition: Definition; problem: Problem }[] {
  const found: { definition: Definition; problem: Problem }[] = [];
  const view = viewOf(index);
  for (const kind of kinds) {
    for (const definition of view.all(kind)) {
      kind.check?.(definition, view, (report) => {
        const where =
          definition.origin === undefined
            ? {}
            : { file: definition.origin.file, ...definition.origin.locate(report.path, 'value') };
        found.push({
          definition,
          problem: {
            code: report.code,
            severity: report.severity ?? 'error',
            ...where,
            path: `${describeDefinition(definition)} ${formatPath(report.path)}`,
            message: report.message,
            ...(report.hint === undefined ? {} : { hint: report.hint }),
          },
        });
      });
    }
  }
  return found;
}
