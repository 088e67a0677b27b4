/** A gray release drawn for people: a bar with words, who has acknowledged, what happened when, what can be typed next. */
import type { GrayStatus, VersionCounts } from '../../model/api.js';
import { DEFAULT_NAMESPACE } from '../../model/names.js';
import type { ReleasePhase } from '../../model/release.js';
import type { Style, Tone } from './color.js';
import { formatPairs } from './table.js';
import { clockTime } from './time.js';

const BAR_WIDTH = 20;
const MAX_TIMELINE = 6;

const phaseWords: Readonly<Record<ReleasePhase, string>> = {
  step: 'in progress',
  paused: 'paused',
  succeeded: 'promoted',
  'rolled-back': 'rolled back',
  undone: 'undone',
};

const phaseTones: Readonly<Record<ReleasePhase, Tone>> = {
  step: 'accent',
  paused: 'warn',
  succeeded: 'good',
  'rolled-back': 'bad',
  undone: 'warn',
};

export function formatGrayStatus(status: GrayStatus, style: Style): string {
  const { symbol } = style;
  const by = status.history[0]?.by;
  const separator = style.unicode ? '·' : '|';
  return formatPairs([
    [status.service, `${status.stable} ${symbol.to} ${status.gray}   ${phaseText(status, style)}${reasonText(status)}`],
    [
      'started',
      `${clockTime(status.startedAt)}${by === undefined ? '' : ` by ${by}`} ${separator} revision ${status.revision}`,
    ],
    ['asked', `${bar(status.weight, style)} ${status.weight} %${stepText(status)}`],
    ['measured', measuredText(status, style)],
    ...status.matches.map(
      (match) => ['match', `header ${match.header}=${match.exact} ${symbol.to} ${status.gray} always`] as const,
    ),
    [`  ${status.stable}`, countsText(status.stableCounts)],
    [`  ${status.gray}`, `${countsText(status.grayCounts)}${lastText(status)}`],
    ['proxies', proxiesText(status, style)],
    ['timeline', timeline(status, symbol.to)],
    ['next', nextCommands(status).join('   or   ') || '-'],
  ]);
}

/** One line, for the answer of a command. */
export function formatGrayLine(status: GrayStatus, style: Style): string {
  const matches = status.matches.map(({ header, exact }) => `, always with ${header}=${exact}`).join('');
  const share = movesTraffic(status) ? ` at ${status.weight} %${matches}` : '';
  return `${status.service}: ${status.stable} ${style.symbol.to} ${status.gray} ${phaseText(status, style)}${share}`;
}

function phaseText({ phase }: GrayStatus, style: Style): string {
  return style.tone(phaseTones[phase], phaseWords[phase]);
}

/** While it goes on, the weight says it all. */
function reasonText({ phase, reason }: GrayStatus): string {
  return reason === '' || phase === 'step' ? '' : ` (${reason})`;
}

function stepText({ step, steps }: GrayStatus): string {
  return steps.length === 0 ? '' : `   step ${step}/${steps.length} of ${steps.join(', ')}`;
}

function measuredText(status: GrayStatus, style: Style): string {
  const total = status.stableCounts.requests + status.grayCounts.requests;
  if (status.share === null) return 'no request since the last change';
  const share = Math.round(status.share * 10) / 10;
  return `${bar(status.share, style)} ${share} % of ${formatCount(total)} requests since the last change${matchedText(status)}`;
}

/** Envoy counts by version, whatever made it choose that, so these draw the share above the weight. */
function matchedText(status: GrayStatus): string {
  return status.matches.length > 0 && movesTraffic(status) ? ' (incl. matched requests)' : '';
}

function movesTraffic({ phase }: GrayStatus): boolean {
  return phase === 'step' || phase === 'paused';
}

function countsText({ requests, errors }: VersionCounts): string {
  const rate = requests === 0 ? '' : ` (${((errors / requests) * 100).toFixed(2)} %)`;
  return `${formatCount(requests)} requests, ${formatCount(errors)} errors${rate}`;
}

function lastText({ lastGrayAt }: GrayStatus): string {
  return lastGrayAt === null ? '' : `, last reported at ${clockTime(lastGrayAt)}`;
}

function proxiesText({ proxies }: GrayStatus, style: Style): string {
  const text = `${proxies.acked}/${proxies.total} acknowledged`;
  return proxies.acked === proxies.total ? text : style.tone('warn', text);
}

function timeline({ history }: GrayStatus, to: string): string {
  const shown = history.slice(-MAX_TIMELINE);
  const items = shown.map(({ at, phase, weight }) => {
    const what = phase === 'step' ? `${weight} %` : phaseWords[phase];
    return `${clockTime(at)} ${to} ${what}`;
  });
  return [...(history.length > shown.length ? ['…'] : []), ...items].join('   ') || '-';
}

/** Percent as a bar; the number always stands beside it. */
export function bar(percent: number, style: Style): string {
  const filled = percent > 0 ? Math.max(1, Math.round((Math.min(percent, 100) / 100) * BAR_WIDTH)) : 0;
  const rest = BAR_WIDTH - filled;
  return style.unicode ? `▕${'█'.repeat(filled)}${'▁'.repeat(rest)}▏` : `[${'#'.repeat(filled)}${'.'.repeat(rest)}]`;
}

export function nextCommands(status: GrayStatus): string[] {
  const flag = status.namespace === DEFAULT_NAMESPACE ? '' : ` -n ${status.namespace}`;
  const gray = (verb: string): string => `mesh gray ${verb} ${status.service}${flag}`;
  switch (status.phase) {
    case 'step':
      return [gray('status'), gray('promote'), gray('rollback')];
    case 'paused':
      return [gray('resume'), gray('rollback')];
    case 'succeeded':
      return [gray('undo')];
    case 'rolled-back':
    case 'undone':
      return [`mesh gray start ${status.service} --to ${status.gray}${flag}`];
  }
}

/** Groups of three, whatever the reader's locale. */
export function formatCount(n: number): string {
  return String(n).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}
