/** A workload that nobody of ours started: WorkloadEntry, and the endpoints of a ServiceEntry (reference: 1.4). */
import { z } from 'zod';
import { portField } from '../model/fields.js';
import { hostField } from './fields.js';
import { notYet } from './not-yet.js';

const UNIX = 'unix://';

export function isUnixAddress(address: string): boolean {
  return address.startsWith(UNIX);
}

/** What stands after `unix://`: an absolute path, or a name after an @. */
export function unixPath(address: string): string {
  return address.slice(UNIX.length);
}

const ipField = z.union([z.ipv4(), z.ipv6()]);

export function isIpAddress(text: string): boolean {
  return ipField.safeParse(text).success;
}

export const unixAddressField = z.string().regex(/^unix:\/\/(\/.*[^/]|@.+)$/, 'unix:///ABSOLUTE/PATH or unix://@NAME');

const addressField = z
  .string()
  .refine(
    (address) =>
      isUnixAddress(address)
        ? unixAddressField.safeParse(address).success
        : isIpAddress(address) || hostField.safeParse(address).success,
    'an address is an IP, a DNS name without a port, unix:///ABSOLUTE/PATH or unix://@NAME',
  );

/** DNS label, upper case allowed, as Istio has them. */
export const portNameField = z
  .string()
  .max(63)
  .regex(/^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/, 'the name of a port is a DNS label');

const LABEL = '[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?';

/** Kubernetes' syntax. */
export const workloadLabelsField = z.record(
  z.string().regex(new RegExp(`^([a-z0-9][a-z0-9.-]{0,252}/)?${LABEL}$`), 'a label is NAME or DOMAIN/NAME'),
  z.string().regex(new RegExp(`^(${LABEL})?$`), 'the value of a label is 63 letters, digits, -, _ and . at most'),
);

const NO_NETWORKS = 'networks: every proxy reaches every address by itself';
const NO_IDENTITIES = 'identities of workloads, which come with certificates for them';

/** All but the address, which a template has not. */
export const workloadFields = {
  ports: z
    .record(portNameField, portField)
    .default({})
    .describe('Where it listens, by the name of the port. Default: the targetPort of the port, or its number'),
  labels: workloadLabelsField.default({}).describe('What selectors and subsets look at'),
  network: notYet(NO_NETWORKS),
  locality: z
    .string()
    .regex(/^[^/]+(\/[^/]+){0,2}$/, 'a locality is REGION, REGION/ZONE or REGION/ZONE/SUBZONE')
    .optional()
    .describe('Where it is: REGION/ZONE/SUBZONE'),
  weight: z.int().min(0).optional().describe('Its share, relative to the others. Default: 1'),
  serviceAccount: notYet(NO_IDENTITIES),
};

export const workloadSchema = z
  .strictObject({
    address: addressField.describe(
      'Where it is reached: an IP, a DNS name, or a unix socket as unix:///PATH or unix://@NAME',
    ),
    ...workloadFields,
  })
  .refine((workload) => !isUnixAddress(workload.address) || Object.keys(workload.ports).length === 0, {
    message: 'a unix socket has no ports',
    path: ['ports'],
  });
export type Workload = z.output<typeof workloadSchema>;

/** Of workloads, by their labels. Without any it takes all of its namespace. */
export const workloadSelectorField = z.strictObject({
  labels: z
    .record(z.string().min(1, 'a label has a name'), z.string())
    .refine(
      (labels) =>
        !Object.entries(labels)
          .flat()
          .some((text) => text.includes('*')),
      'a selector has no wildcards',
    )
    .default({})
    .describe('Workloads that have all of these'),
});

/** In a column of `mesh get`. */
export function selectorText(labels: Readonly<Record<string, string>> = {}): string {
  const texts = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return texts.join(',') || '(namespace)';
}
