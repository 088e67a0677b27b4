/** From what was thrown to what is written on stderr and the exit code. */
import type { Problem } from '../model/problem.js';
import { errorCodes } from '../runtime/error-codes.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';
import type { ExitCode } from './exit-codes.js';
import { Interrupted } from './io.js';
import type { Style } from './output/color.js';
import { formatProblemCount, formatProblems, type SourceText } from './output/problems.js';

/** Carries the user's mistakes to the one place that prints them. */
export class InvalidInput extends Error {
  readonly problems: readonly Problem[];
  readonly source: SourceText;
  /** Follows the count: `nothing applied`. */
  readonly outcome: string;
  /** A command to go on with, or empty. */
  readonly next: string;

  constructor(problems: readonly Problem[], options: { source?: SourceText; outcome?: string; next?: string } = {}) {
    super(problems.map((problem) => problem.message).join('; '));
    this.name = 'InvalidInput';
    this.problems = problems;
    this.source = options.source ?? (() => undefined);
    this.outcome = options.outcome ?? '';
    this.next = options.next ?? '';
  }
}

export interface FailureView {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly style: Style;
}

export interface FailureReport {
  readonly exit: ExitCode;
  /** For stderr, ends with a newline, or empty. */
  readonly text: string;
}

export function reportFailure(error: unknown, view: FailureView): FailureReport {
  if (error instanceof InvalidInput) return reportProblems(error, view);
  // Whoever was interrupted knows it; a command that leaves something behind has said so.
  if (isInterrupted(error)) return { exit: 130, text: '' };
  const known = error instanceof MeshError ? error : asInternal(error);
  const exit = errorCodes[known.code].exit;
  if (view.json) {
    const { code, message, hint } = known;
    return { exit, text: `${JSON.stringify({ error: { code, message, ...(hint === undefined ? {} : { hint }) } })}\n` };
  }
  const hint = known.hint ?? (known.code === 'MESH2000' ? errorCodes.MESH2000.cure : undefined);
  const lines = [
    `${view.style.tone('bad', `${view.style.symbol.fail} ${known.code}`)} ${known.message}`,
    ...(hint === undefined ? [] : [`  ${hint}`]),
    ...(view.verbose ? causes(known) : []),
  ];
  return { exit, text: `${lines.join('\n')}\n` };
}

function reportProblems(error: InvalidInput, view: FailureView): FailureReport {
  if (view.json) return { exit: 3, text: `${JSON.stringify({ problems: error.problems })}\n` };
  const count = formatProblemCount(error.problems, error.outcome);
  const next = error.next === '' ? '' : ` ${error.next}`;
  return { exit: 3, text: `${formatProblems(error.problems, error.source, view.style)}${count}${next}\n` };
}

function isInterrupted(error: unknown): boolean {
  if (error instanceof Interrupted) return true;
  return error instanceof Error && error.cause !== undefined && isInterrupted(error.cause);
}

function asInternal(error: unknown): MeshError {
  return new MeshError('MESH2000', messageOf(error), { cause: error });
}

function causes(error: unknown): string[] {
  const lines: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) lines.push(at.stack ?? at.message);
  return lines;
}

/** Gives the problems that a pilot reports the text of the user's files, for excerpts. */
export async function withSource<Answer>(
  answer: Promise<Answer>,
  source: SourceText,
  options: { readonly outcome: string; readonly next: string },
): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof InvalidInput) throw new InvalidInput(error.problems, { source, ...options });
    throw error;
  }
}
