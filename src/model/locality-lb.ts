/** Which instances a caller prefers by where they are (reference: 1.2, localityLbSetting). */
import { z } from 'zod';

const REGION = 'topology.kubernetes.io/region';
const ZONE = 'topology.kubernetes.io/zone';
const SUB_ZONE = 'topology.istio.io/subzone';

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** Labels that everything has by where it is, for `failoverPriority`. */
export function placeLabels({ region, zone, subZone }: Locality): Readonly<Record<string, string>> {
  return {
    ...(region === '' ? {} : { [REGION]: region }),
    ...(zone === '' ? {} : { [ZONE]: zone }),
    ...(subZone === '' ? {} : { [SUB_ZONE]: subZone }),
  };
}

const placeField = z
  .string()
  .regex(
    /^(\*|[^/*]+(\/\*|\/[^/*]+(\/\*|\/[^/*]+)?)?)$/,
    'a place is REGION, REGION/ZONE or REGION/ZONE/SUBZONE, and * may stand at its end',
  );
const MAX_SHARE = 100;

/** Does a place as it is written take this one? What it does not say is anything. */
export function isPlace(pattern: string, { region, zone, subZone }: Locality): boolean {
  const actual = [region, zone, subZone];
  return pattern.split('/').every((part, i) => part === '*' || part === actual[i]);
}

/** Is there anything that both take? */
function overlaps(a: string, b: string): boolean {
  const others = b.split('/');
  return a.split('/').every((part, i) => part === '*' || [part, '*', undefined].includes(others[i]));
}

function areDistinct(places: readonly string[]): boolean {
  return places.every((place, i) => places.slice(i + 1).every((other) => !overlaps(place, other)));
}

const distributeSchema = z.strictObject({
  from: placeField.describe('Where the caller is: REGION/ZONE/SUBZONE, or * at the end of a part of it'),
  to: z
    .record(placeField, z.int().min(1).max(MAX_SHARE))
    .refine((shares) => Object.values(shares).reduce((sum, share) => sum + share, 0) === MAX_SHARE, 'together 100')
    .refine((shares) => areDistinct(Object.keys(shares)), 'two places have something in common')
    .describe('Percent of its requests, by place. What is not named gets none'),
});

const regionField = z.string().regex(/^[^/*]+$/, 'a region, without zone and *');

const failoverSchema = z
  .strictObject({
    from: regionField.describe('Region of the caller'),
    to: regionField.describe('Region that is next, before all others'),
  })
  .refine(({ from, to }) => from !== to, 'from and to are the same region');

export const localityLbSchema = z
  .strictObject({
    enabled: z.boolean().default(true).describe('With false every instance is alike, wherever it is'),
    distribute: z
      .array(distributeSchema)
      .min(1)
      .refine((all) => areDistinct(all.map(({ from }) => from)), 'two of them begin at the same place')
      .optional()
      .describe('Fixed shares by place'),
    failover: z
      .array(failoverSchema)
      .min(1)
      .optional()
      .describe('Which region is next when the own one fails. Nearer places come first in any case'),
    failoverPriority: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe(
        'Labels, the most important first: instances that have the same as the caller come first. LABEL=VALUE stands for a caller that has this value',
      ),
  })
  .refine(
    ({ distribute, failover, failoverPriority }) =>
      distribute === undefined || (failover === undefined && failoverPriority === undefined),
    'distribute excludes failover and failoverPriority',
  )
  .refine(
    ({ failover, failoverPriority = [] }) =>
      failover === undefined ||
      !failoverPriority.some((label) => [REGION, ZONE, SUB_ZONE].includes(label.split('=')[0] as string)),
    'failover and labels of region and zone in failoverPriority exclude each other',
  );
export type LocalityLb = z.output<typeof localityLbSchema>;
