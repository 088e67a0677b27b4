import { createHash } from 'node:crypto';
import { canonicalJson } from '../model/canonical-json.js';

/** Enough that two of a mesh's instances do not meet by accident, short enough to read aloud. */
const DIGEST_CHARACTERS = 12;

/** Content hash of plain data: the order of keys and absent values do not matter. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, DIGEST_CHARACTERS);
}
