import { hasErrors, type Problem } from '../../model/problem.js';
import { MeshError } from '../../runtime/mesh-error.js';

/** The command was refused for what it was given; carries every problem, warnings too. */
export class InvalidInput extends MeshError {
  readonly problems: readonly Problem[];

  constructor(message: string, problems: readonly Problem[]) {
    super('MESH2015', message);
    this.name = 'InvalidInput';
    this.problems = problems;
  }
}

/** Throws when one of them is an error; answers the warnings. */
export function refuseErrors(problems: readonly Problem[], what: string): readonly Problem[] {
  if (!hasErrors(problems)) return problems;
  const count = problems.filter((problem) => problem.severity === 'error').length;
  throw new InvalidInput(`${what}: ${count} ${count === 1 ? 'problem' : 'problems'}, nothing was changed`, problems);
}
