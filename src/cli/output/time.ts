import { formatDurationMs } from '../../model/duration.js';

/** `3m12s`, or `-` for never (0). */
export function age(at: number, now: number): string {
  return at === 0 ? '-' : formatDurationMs(Math.max(0, now - at));
}

/** `2026-11-21 10:13:05`, in the reader's own time zone. */
export function timestamp(at: number): string {
  const date = new Date(at);
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${clockTime(at)}`;
}

/** `10:13:05` */
export function clockTime(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
}
