/** How much the embedded server keeps: history, for watchers that come back and for reads of the past, and journal. */
const RETAIN_REVISIONS = 10_000;
export const RETAIN_MS = 60 * 60_000;
const MIB = 1024 * 1024;
/** Above this the hour no longer counts; above the double only a tenth of the revisions is kept. */
const MAX_HISTORY_BYTES = 64 * MIB;
/** As etcd has it. */
export const DEFAULT_QUOTA_BYTES = 2048 * MIB;
/** A journal that has grown by this factor since it was last written anew, and at least to this size, is so again. */
const REWRITE_FACTOR = 2;
const REWRITE_MIN_BYTES = 16 * MIB;
/** The same beyond half of the quota, where room is worth more than the writing. */
const REWRITE_FACTOR_TIGHT = 1.25;

export interface History {
  readonly head: number;
  /** Keys and values of all versions that are kept. */
  readonly bytes: number;
  /** The highest revision that is older than `RETAIN_MS`. */
  readonly oldRevision: number;
  readonly quotaBytes: number;
}

/** The revision to compact up to: the last hour stays, or the last ten thousand revisions, whichever is more. */
export function compactionTarget({ head, bytes, oldRevision, quotaBytes }: History): number {
  const maxBytes = Math.min(MAX_HISTORY_BYTES, quotaBytes / 8);
  if (bytes > 2 * maxBytes) return head - RETAIN_REVISIONS / 10;
  if (bytes > maxBytes) return head - RETAIN_REVISIONS;
  return Math.min(head - RETAIN_REVISIONS, oldRevision);
}

export interface JournalSize {
  readonly bytes: number;
  /** When it was last written anew; 0 when it never was. */
  readonly rewrittenBytes: number;
  readonly quotaBytes: number;
}

export function isWorthRewriting({ bytes, rewrittenBytes, quotaBytes }: JournalSize): boolean {
  if (bytes > Math.max(Math.min(REWRITE_MIN_BYTES, quotaBytes / 4), REWRITE_FACTOR * rewrittenBytes)) return true;
  return isTight({ bytes, quotaBytes }) && bytes > REWRITE_FACTOR_TIGHT * rewrittenBytes;
}

/** Then nobody waits for the next minute to tidy. */
export function isTight({ bytes, quotaBytes }: Pick<JournalSize, 'bytes' | 'quotaBytes'>): boolean {
  return bytes > quotaBytes / 2;
}
