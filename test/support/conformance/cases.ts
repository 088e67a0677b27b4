/** Files of the form of fixtures/conformance/istio/live/cases.json. What is not known here is an error: nothing is skipped silently. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';

const counts = z.record(z.string(), z.number());
/** `reviews/v1` to the status that it answers with. */
const failing = z.record(z.string(), z.number().int());

const request = z.strictObject({
  /** `{i}` stands for the number of the request, from 0, here and in header values and the body. */
  url: z.string(),
  method: z.string().default('GET'),
  headers: z.record(z.string(), z.string()).default({}),
  body: z.string().optional(),
  /** Istio has a listener of its own for `http_proxy`; here all requests go the same way. */
  via: z.literal('http_proxy').optional(),
  /** The inbound side. */
  to: z.string().optional(),
  toPort: z.number().int().optional(),
});

/** What was seen, or must be. */
const seen = z.strictObject({
  /** By `<status> <service>/<version>`; `-` where Envoy itself answered; `ERR RemoteDisconnected` where it hung up. */
  exact: counts.optional(),
  /** From 0 to 1, held to 4 sigma. */
  shares: counts.optional(),
  anyOf: z.array(z.string()).optional(),
  /** Compared by quality: sticky or spread, ejected or not. */
  observed: counts.optional(),
  kind: z.literal('qualitative').optional(),
  tolerance: z.string().optional(),
  /** Requests that each backend got, mirrored and retried ones too. */
  backendHits: counts.optional(),
  /** Of the probe's requests, by the backend that got a copy. */
  mirrorShares: counts.optional(),
  location: z.string().optional(),
  /** As the backend saw them. */
  upstreamPath: z.string().optional(),
  upstreamHost: z.string().optional(),
  latencyMs: z.strictObject({ min: z.number(), p50: z.number(), max: z.number() }).optional(),
});

const probe = seen.extend({ request, n: z.number().int().positive(), failing: failing.optional() });
const refusal = z.strictObject({ refused: z.string() });

const conformanceCase = z.strictObject({
  name: z.string(),
  note: z.string().optional(),
  files: z.array(z.string()).default([]),
  inline: z.array(z.string()).default([]),
  failing: failing.optional(),
  probes: z.array(z.union([refusal, probe])),
});

const deviation = z.strictObject({
  case: z.string(),
  /** Its place in the case, from 0. */
  probe: z.number().int(),
  reason: z.string(),
  /** Stands for what Istio did. */
  seen: z.union([seen, refusal]),
});

export type ProbeRequest = z.infer<typeof request>;
export type Seen = z.infer<typeof seen>;
export type Probe = z.infer<typeof probe>;
export type ConformanceCase = z.infer<typeof conformanceCase>;
export type Deviation = z.infer<typeof deviation>;

export function readCases(file: string): readonly ConformanceCase[] {
  return read(file, z.array(conformanceCase));
}

export function readDeviations(file: string): readonly Deviation[] {
  return read(file, z.array(deviation));
}

function read<Shape extends z.ZodType>(file: string, shape: Shape): z.infer<Shape> {
  const result = shape.safeParse(JSON.parse(readFileSync(file, 'utf8')));
  if (!result.success) throw new Error(`${file}: ${z.prettifyError(result.error)}`);
  return result.data;
}

/** All that the case adds to the base. */
export function sourcesOf(
  { files, inline }: ConformanceCase,
  filesRoot: string,
): readonly { name: string; text: string }[] {
  return [
    ...files.map((name) => ({ name, text: readFileSync(path.join(filesRoot, name), 'utf8') })),
    ...inline.map((text, i) => ({ name: `inline-${i}.yaml`, text })),
  ];
}
