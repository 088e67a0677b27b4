/** Words of `mesh gray` to fields of the API. */
import type { ReleaseMatch } from '../model/release.js';
import { MeshError } from '../runtime/mesh-error.js';

/** `header:x-user=jason`; header names are not case sensitive and are kept in lower case. */
export function parseMatch(text: string): ReleaseMatch {
  const found = /^header:([A-Za-z0-9!#$%&'*+.^_`|~-]+)=(.+)$/.exec(text);
  if (found === null) {
    throw new MeshError('MESH2007', `--match "${text}" is not understood`, {
      hint: 'write header:NAME=VALUE, such as header:x-user=jason',
    });
  }
  return { header: (found[1] as string).toLowerCase(), exact: found[2] as string };
}

/** `25` is a weight, `+5` and `-5` are percentage points. */
export function parseShift(text: string): { readonly weight: number } | { readonly delta: number } {
  const signed = /^([+-])(.+)$/.exec(text);
  if (signed === null) return { weight: parseWeight(text) };
  const points = parseWeight(signed[2] as string);
  return { delta: signed[1] === '-' ? -points : points };
}

/** Percent, 0 to 100, at most two decimals. A percent sign may follow. */
export function parseWeight(text: string): number {
  const found = /^(\d{1,3}(?:\.\d{1,2})?)\s*%?$/.exec(text);
  const weight = found === null ? Number.NaN : Number(found[1]);
  if (Number.isNaN(weight) || weight > 100) {
    throw new MeshError('MESH2007', `"${text}" is not a weight`, {
      hint: 'a percentage from 0 to 100 with at most two decimals',
    });
  }
  return weight;
}

/** `1,5,25,100`, ascending. */
export function parseSteps(text: string): number[] {
  const steps = text.split(',').map((part) => parseWeight(part.trim()));
  if (steps.some((step, i) => i > 0 && step <= (steps[i - 1] as number))) {
    throw new MeshError('MESH2007', `--steps ${text} do not ascend`, { hint: 'such as 1,5,25,50,100' });
  }
  return steps;
}
