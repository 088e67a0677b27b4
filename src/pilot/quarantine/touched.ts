/** Which resources does a definition have a part in? Asked by translating without it. Pure. */
import type { Rejection } from '../../xds/ads-host.js';
import { resourceParts } from '../encode-resources.js';
import type { TranslatedResources } from '../translate/index.js';

export function resourcesDiffer(one: TranslatedResources, other: TranslatedResources): boolean {
  return resourceParts.some(([, part]) => one[part] !== other[part]);
}

/** Is any of the refused resources another one, or gone, in `without`? */
export function isTouched(
  { type, resources }: Pick<Rejection, 'type' | 'resources'>,
  now: TranslatedResources,
  without: TranslatedResources,
): boolean {
  const part = resourceParts.find(([short]) => short === type)?.[1];
  if (part === undefined) return false;
  return resources.some(({ name }) => {
    const [is, was] = [now[part].get(name), without[part].get(name)];
    return is !== was && JSON.stringify(is) !== JSON.stringify(was);
  });
}

/** It says something of the host on which the proxy runs, and nothing of the definition. */
export function isOfOneHost(error: string): boolean {
  return /cannot bind|Address already in use|Permission denied/i.test(error);
}
