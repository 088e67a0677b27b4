/**
 * Which of several new definitions does a proxy refuse? One proxy tries them: all at once, and what is refused again half by half.
 * Pure: `quarantine.ts` brings it the verdicts.
 */
import type { Definition } from '../../model/definition.js';

export interface Trial {
  /** In effect for the proxy that tries, together with what it has accepted so far. */
  readonly testing: readonly Definition[];
  /** Not in effect yet. */
  readonly rest: readonly (readonly Definition[])[];
}

export interface Step {
  readonly proven: readonly Definition[];
  readonly guilty: Definition | undefined;
  /** Undefined when nothing is left to try. */
  readonly next: Trial | undefined;
}

/** Of a batch that nobody has refused yet. */
export function tryAll(batch: readonly Definition[]): Trial {
  return { testing: batch, rest: [] };
}

/** Of a batch that was refused as a whole: first without any of it, since it need not be to blame. */
export function tryWithout(batch: readonly Definition[]): Trial {
  return { testing: [], rest: halves(batch) };
}

/** Of a batch that was refused as a whole, by a proxy that has accepted everything else. */
export function tryHalves(batch: readonly Definition[]): Trial {
  const [testing = [], ...rest] = halves(batch);
  return { testing, rest };
}

export function accepted({ testing, rest }: Trial): Step {
  return { proven: testing, guilty: undefined, next: nextOf(rest) };
}

/** Refused without any of them: none is to blame. */
export function refused({ testing, rest }: Trial): Step {
  const [only] = testing;
  if (only === undefined) return { proven: rest.flat(), guilty: undefined, next: undefined };
  if (testing.length === 1) return { proven: [], guilty: only, next: nextOf(rest) };
  return { proven: [], guilty: undefined, next: nextOf([...halves(testing), ...rest]) };
}

/** Without those that are not in the mesh any more. */
export function keepOnly(trial: Trial, isThere: (definition: Definition) => boolean): Trial | undefined {
  if ([...trial.testing, ...trial.rest.flat()].every(isThere)) return trial;
  const testing = trial.testing.filter(isThere);
  const isControl = trial.testing.length === 0;
  const rest = trial.rest.map((batch) => batch.filter(isThere)).filter((batch) => batch.length > 0);
  return testing.length > 0 || (isControl && rest.length > 0) ? { testing, rest } : nextOf(rest);
}

function nextOf(batches: readonly (readonly Definition[])[]): Trial | undefined {
  const [testing, ...rest] = batches;
  return testing === undefined ? undefined : { testing, rest };
}

function halves(batch: readonly Definition[]): (readonly Definition[])[] {
  const middle = Math.ceil(batch.length / 2);
  return [batch.slice(0, middle), batch.slice(middle)].filter((half) => half.length > 0);
}
