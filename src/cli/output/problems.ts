/** The user's mistakes, each with its place, its line of source and a caret. */
import { hasErrors, type Problem } from '../../model/problem.js';
import type { Style } from './color.js';
import { counted } from './count.js';

const MAX_SHOWN = 50;

/** Text of a source file by the name that problems carry, if it is at hand. */
export type SourceText = (file: string) => string | undefined;

export function formatProblems(problems: readonly Problem[], source: SourceText, style: Style): string {
  const shown = problems.slice(0, MAX_SHOWN).map((problem) => formatProblem(problem, source, style));
  const more = problems.length - shown.length;
  return shown.join('') + (more > 0 ? `… and ${more} more\n` : '');
}

export function formatProblem(problem: Problem, source: SourceText, style: Style): string {
  const tone = problem.severity === 'error' ? 'bad' : 'warn';
  const code = style.tone(tone, problem.severity === 'error' ? problem.code : `${problem.code} warning:`);
  const [first, ...more] = problem.hint?.split('\n') ?? [];
  const hint = first === undefined ? '' : ` (${first})`;
  // A hint of several lines is a text to write: below the place, so that it can be copied.
  const text = more.map((line) => `    ${line}\n`).join('');
  const where = problem.path === '' ? '' : ` ${style.tone('dim', `[${problem.path}]`)}`;
  return `${place(problem)}${code} ${problem.message}${hint}${where}\n${excerpt(problem, source, style)}${text}`;
}

function place({ file, line, column }: Problem): string {
  if (file === undefined || file === '') return '';
  return line === undefined ? `${file} ` : `${file}:${line}:${column ?? 1} `;
}

/** The line before, the line itself, and carets under the word that is meant. */
function excerpt(problem: Problem, source: SourceText, style: Style): string {
  const { file, line, column } = problem;
  if (file === undefined || line === undefined || column === undefined) return '';
  const lines = source(file)?.split(/\r?\n/);
  const text = lines?.[line - 1];
  if (lines === undefined || text === undefined || text.trim() === '') return '';
  const gutter = String(line).length;
  const before = line > 1 ? `  ${String(line - 1).padStart(gutter)} | ${lines[line - 2]}\n` : '';
  const carets = '^'.repeat(wordLength(text.slice(column - 1)));
  // Tabs stay tabs, so that the carets stand under the word whatever a tab is worth.
  const lead = text.slice(0, column - 1).replace(/[^\t]/g, ' ');
  return `${before}  ${line} | ${text}\n  ${' '.repeat(gutter)} | ${lead}${style.tone('bad', carets)}\n`;
}

function wordLength(text: string): number {
  return Math.max(1, /^("[^"]*"|'[^']*'|[^\s:,[\]{}]+)/.exec(text)?.[0].length ?? 1);
}

/** `2 problems, nothing applied.` */
export function formatProblemCount(problems: readonly Problem[], outcome: string): string {
  const errors = problems.filter((p) => p.severity === 'error').length;
  const warnings = problems.length - errors;
  const parts = [
    ...(errors === 0 ? [] : [counted(errors, 'problem')]),
    ...(warnings === 0 ? [] : [counted(warnings, 'warning')]),
  ];
  const tail = hasErrors(problems) && outcome !== '' ? `, ${outcome}` : '';
  return `${parts.join(' and ')}${tail}.`;
}
