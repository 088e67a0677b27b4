import type { Document } from './definition.js';

/**
 * A definition that led to something a proxy refused: value of `quarantine/<kind>/<ns>/<name>`, for all pilots and those that
 * start later. It ends by itself when the definition says something else.
 */
export interface Refusal {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** Of the document that is refused, `documentDigest`. */
  readonly digest: string;
  /** Envoy's words. */
  readonly error: string;
  /** `LDS inbound|9080`. */
  readonly resource: string;
  /** Who refused it. */
  readonly proxy: string;
  /** Wall time, ms. */
  readonly at: number;
  /** What holds in its place; absent when there is nothing. */
  readonly instead?: Document;
}
