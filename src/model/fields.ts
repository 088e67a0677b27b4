/** Schemas of the fields that several kinds share. Each says in its message what is allowed. */
import { z } from 'zod';
import { parseDurationMs } from './duration.js';
import { NAME_PATTERN, VERSION_PATTERN } from './names.js';

export const nameField = z
  .string()
  .regex(NAME_PATTERN, 'a name is 1 to 40 of a-z, 0-9 and -, beginning and ending with a letter or digit');

export const versionField = z
  .string()
  .regex(VERSION_PATTERN, 'a version is 1 to 40 of a-z, 0-9, - and ., beginning and ending with a letter or digit');

export const portField = z.int().min(1).max(65535);

/** Kept as written; `durationMs` reads it. */
export const durationField = z
  .string()
  .refine(
    (text) => parseDurationMs(text) !== undefined,
    'a duration is a number with a unit: 250ms, 1.5s, 10m, 1h; in whole milliseconds',
  );

/** Of a text that durationField has accepted. */
export function durationMs(text: string): number {
  return parseDurationMs(text) as number;
}

/** Percentages with at most two decimals, so that a split is exact in Envoy's integer weights. */
export const percentField = z
  .number()
  .min(0)
  .max(100)
  .refine((n) => Math.abs(n * 100 - Math.round(n * 100)) < 1e-9, 'a weight has at most two decimals');

/** A duration of at least a millisecond. */
export const positiveDurationField = durationField.refine((text) => durationMs(text) >= 1, 'at least 1ms');

export const labelsField = z.record(z.string(), z.string());

export const protocolField = z.enum(['http', 'http2', 'grpc', 'tcp']);
export type Protocol = z.output<typeof protocolField>;

export const stringMatchField = z
  .strictObject({
    exact: z.string().optional().describe('The whole value'),
    prefix: z.string().optional().describe('Its beginning'),
    regex: z.string().optional().describe('An RE2 expression for the whole value'),
    present: z.literal(true).optional().describe('Any value, as long as it is there'),
  })
  .refine(
    (match) => Object.values(match).filter((v) => v !== undefined).length === 1,
    'one of exact, prefix, regex, present',
  );
export type StringMatch = z.output<typeof stringMatchField>;
