/** How much history the embedded server keeps, for watchers that come back and for reads of the past. */
const RETAIN_REVISIONS = 10_000;
export const RETAIN_MS = 60 * 60_000;
/** Above this the hour no longer counts; above the double only a tenth of the revisions is kept. */
const MAX_BYTES = 64 * 1024 * 1024;

export interface History {
  readonly head: number;
  /** Keys and values of all versions that are kept. */
  readonly bytes: number;
  /** The highest revision that is older than `RETAIN_MS`. */
  readonly oldRevision: number;
}

/** The revision to compact up to: the last hour stays, or the last ten thousand revisions, whichever is more. */
export function compactionTarget({ head, bytes, oldRevision }: History): number {
  if (bytes > 2 * MAX_BYTES) return head - RETAIN_REVISIONS / 10;
  if (bytes > MAX_BYTES) return head - RETAIN_REVISIONS;
  return Math.min(head - RETAIN_REVISIONS, oldRevision);
}
