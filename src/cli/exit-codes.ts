/** What the number means to a script. Shown by `mesh help exit-codes` and docs/reference/exit-codes.md. */
import type { ExitCode } from '../runtime/error-codes.js';

export type { ExitCode } from '../runtime/error-codes.js';

export const exitCodes = {
  0: 'done; nothing to do; no differences',
  1: 'failed',
  2: 'wrong usage: a flag or an argument is missing, unknown or malformed',
  3: 'input invalid: YAML, schema, cross references, or a gray release that does not fit',
  4: 'not found',
  5: 'conflict: stale revision, locked, exists already',
  6: 'unreachable or timed out',
  7: 'gray release failed or rolled back',
  8: 'unhealthy',
  10: 'changes present (only with --exit-code)',
  130: 'interrupted',
} as const satisfies Record<ExitCode, string>;
