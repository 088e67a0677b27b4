import type { RefusedDefinition } from '../../model/api.js';
import type { Refusal } from '../../model/refusal.js';

/** In words for its owner. */
export function refusedDefinition({
  kind,
  namespace,
  name,
  error,
  resource,
  proxy,
  instead,
}: Refusal): RefusedDefinition {
  const now = instead === undefined ? 'it is not in effect' : 'what it was before stays in effect';
  return {
    kind,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    message: `Envoy refuses what comes of it: ${error} (${resource} of ${proxy})`,
    hint: `${now}; correct it and apply it again`,
  };
}
