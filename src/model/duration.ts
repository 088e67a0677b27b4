/** Durations as users write them: `1.5s`, `250ms`, `10m`, `1h30m`. */
const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const wholePattern = /^(\d+(\.\d+)?(ms|s|m|h|d))+$/;

const WHOLE_MS_TOLERANCE = 1e-6;

/** Milliseconds, or undefined when the text is not a duration, or one of parts of a millisecond. */
export function parseDurationMs(text: string): number | undefined {
  if (!wholePattern.test(text)) return undefined;
  let total = 0;
  for (const [, number, , unit] of text.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(number) * (unitMs[unit as string] as number);
  }
  const whole = Math.round(total);
  return Math.abs(total - whole) < WHOLE_MS_TOLERANCE ? whole : undefined;
}

/** As proto3 JSON writes google.protobuf.Duration: seconds with a suffix, `0.250s`. */
export function protoDuration(ms: number): string {
  return `${ms / 1000}s`;
}

export function formatDurationMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${Math.round(ms / 100) / 10}s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)}m${Math.floor((ms % 60_000) / 1000)}s`;
  if (ms < 86_400_000) return `${Math.floor(ms / 3_600_000)}h${Math.floor((ms % 3_600_000) / 60_000)}m`;
  return `${Math.floor(ms / 86_400_000)}d${Math.floor((ms % 86_400_000) / 3_600_000)}h`;
}
