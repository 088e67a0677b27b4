import type { ErrorCode } from './error-codes.js';

export interface MeshErrorOptions {
  readonly cause?: unknown;
  /** May the caller try the same again? Default no. */
  readonly retryable?: boolean;
  /** What to do next, in one sentence. */
  readonly hint?: string;
}

/** An operation that failed. The message says what was tried, on what. Context is added once per house. */
export class MeshError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: MeshErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MeshError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.hint = options.hint;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
