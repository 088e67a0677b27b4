/**
 * A release by hand, state after state. Pure: what a command does to a release, or why it is refused. Only `start` and the
 * way forward ask for instances of the version that gets more traffic; the way back is never refused for them.
 */
import { isActive, MAX_TRANSITIONS, type Release, type ReleaseMatch, type ReleasePhase } from '../../model/release.js';

export type GrayCommand =
  | {
      readonly command: 'start';
      readonly stable: string;
      readonly gray: string;
      readonly weight?: number | undefined;
      readonly steps?: readonly number[] | undefined;
      readonly matches?: readonly ReleaseMatch[] | undefined;
    }
  | { readonly command: 'shift'; readonly weight?: number | undefined; readonly delta?: number | undefined }
  | { readonly command: 'pause' }
  | { readonly command: 'resume' }
  | { readonly command: 'promote'; readonly full?: boolean | undefined }
  | { readonly command: 'rollback' }
  | { readonly command: 'undo' };

export interface Transition {
  readonly namespace: string;
  readonly service: string;
  readonly at: number;
  /** Of the mesh, that this transition will be. */
  readonly revision: number;
  readonly by: string;
  /** The user's own words, or empty. */
  readonly why: string;
}

/** `conflict`: the state of the release forbids it; `refused`: what was asked makes no sense; `none`: there is no release. */
export type NextRelease =
  | { readonly kind: 'next'; readonly release: Release }
  | { readonly kind: 'none' | 'conflict' | 'refused'; readonly message: string; readonly hint: string };

/** For a release that names neither a weight nor steps nor matches. */
export const DEFAULT_STEPS: readonly number[] = [1, 5, 25, 50, 100];
const FULL = 100;

export function nextRelease(current: Release | undefined, command: GrayCommand, transition: Transition): NextRelease {
  if (command.command === 'start') return start(current, command, transition);
  if (current === undefined) {
    const { service } = transition;
    return { kind: 'none', message: `${service} has no gray release`, hint: `mesh gray start ${service} --to VERSION` };
  }
  switch (command.command) {
    case 'shift':
      return whileActive(current, 'shift', () => shift(current, command, transition));
    case 'pause':
      return whileActive(current, 'pause', () => pause(current, transition));
    case 'resume':
      return whileActive(current, 'resume', () => resume(current, transition));
    case 'promote':
      return whileActive(current, 'promote', () => promote(current, command.full ?? false, transition));
    case 'rollback':
      return whileActive(current, 'rollback', () => moved(current, 'rolled-back', 0, transition, 'rolled back'));
    case 'undo':
      return undo(current, transition);
  }
}

function start(
  current: Release | undefined,
  command: Extract<GrayCommand, { command: 'start' }>,
  transition: Transition,
): NextRelease {
  const { namespace, service, at, revision } = transition;
  const { stable, gray, matches = [] } = command;
  if (isActive(current)) {
    const message = `${service} already has a gray release, ${current.stable} to ${current.gray} at ${current.weight} %`;
    return { kind: 'conflict', message, hint: `mesh gray status ${service}; end it with promote --full or rollback` };
  }
  if (stable === gray) {
    return refused(`${service} ${gray} is the stable version already`, 'name another version with --to');
  }
  const hasOwnPace = command.weight !== undefined || command.steps !== undefined || matches.length > 0;
  const steps = hasOwnPace ? (command.steps ?? []) : DEFAULT_STEPS;
  if (steps.some((step, i) => step <= (steps[i - 1] ?? 0))) {
    return refused(`the steps ${steps.join(',')} do not ascend`, 'each step is more than the one before, at most 100');
  }
  const weight = command.weight ?? steps[0] ?? 0;
  const fresh: Release = {
    service,
    namespace,
    stable,
    gray,
    phase: 'step',
    weight,
    steps,
    matches,
    reason: '',
    startedAt: at,
    since: at,
    revision,
    history: [],
  };
  return moved(fresh, 'step', weight, transition, 'started');
}

function shift(
  current: Release,
  command: Extract<GrayCommand, { command: 'shift' }>,
  transition: Transition,
): NextRelease {
  const weight = round(command.weight ?? current.weight + (command.delta ?? 0));
  if (weight < 0 || weight > FULL) {
    return refused(`${current.weight} % cannot become ${weight} %`, 'a weight is from 0 to 100');
  }
  return moved(current, 'step', weight, transition, `shifted to ${weight} %`);
}

function pause(current: Release, transition: Transition): NextRelease {
  if (current.phase === 'paused') return conflict(current, 'it is paused already', 'mesh gray resume');
  return moved(current, 'paused', current.weight, transition, 'paused');
}

function resume(current: Release, transition: Transition): NextRelease {
  if (current.phase !== 'paused') return conflict(current, 'it is not paused', 'mesh gray status');
  return moved(current, 'step', current.weight, transition, 'resumed');
}

/** To the next step, or, after the last one, to the end: then the gray version takes the place of the stable one. */
function promote(current: Release, isFull: boolean, transition: Transition): NextRelease {
  const next = isFull ? undefined : current.steps.find((step) => step > current.weight && step < FULL);
  if (next === undefined) return moved(current, 'succeeded', FULL, transition, 'promoted');
  return moved(current, 'step', next, transition, `promoted to ${next} %`);
}

function undo(current: Release, transition: Transition): NextRelease {
  if (current.phase === 'succeeded') return moved(current, 'undone', 0, transition, 'undone');
  const hint = isActive(current) ? 'mesh gray rollback' : 'mesh gray start';
  return conflict(current, 'only a succeeded release can be undone', hint);
}

function whileActive(current: Release, command: string, act: () => NextRelease): NextRelease {
  if (isActive(current)) return act();
  const hint = current.phase === 'succeeded' && command === 'rollback' ? 'mesh gray undo' : 'mesh gray start';
  return conflict(current, `there is nothing to ${command}`, hint);
}

function moved(
  current: Release,
  phase: ReleasePhase,
  weight: number,
  { at, revision, by, why }: Transition,
  what: string,
): NextRelease {
  const reason = why === '' ? what : why;
  const history = [...current.history, { at, revision, phase, weight, by, reason }].slice(-MAX_TRANSITIONS);
  return { kind: 'next', release: { ...current, phase, weight, reason, since: at, revision, history } };
}

function conflict(current: Release, message: string, hint: string): NextRelease {
  const state = `the gray release of ${current.service} to ${current.gray} is ${current.phase}`;
  return { kind: 'conflict', message: `${state}: ${message}`, hint: `${hint} ${current.service}` };
}

function refused(message: string, hint: string): NextRelease {
  return { kind: 'refused', message, hint };
}

/** Weights have two decimals; sums of binary fractions have more. */
function round(weight: number): number {
  return Math.round(weight * 100) / 100;
}
