import { createHash } from 'node:crypto';
import { canonicalJson } from '../../model/canonical-json.js';
import type { Definition } from '../../model/definition.js';

/** Contents that were accepted once are remembered by their digests, so that going back to them is not tried again. */
export const MAX_ACCEPTED = 5_000;

const digests = new WeakMap<Definition, string>();

/** Of what the user wrote: the same on every pilot, another as soon as anything in it changes. */
export function documentDigest(definition: Definition): string {
  let digest = digests.get(definition);
  if (digest === undefined) {
    digest = createHash('sha256').update(canonicalJson(definition.document)).digest('hex').slice(0, DIGITS);
    digests.set(definition, digest);
  }
  return digest;
}

const DIGITS = 32;
