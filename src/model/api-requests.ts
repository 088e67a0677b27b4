/** What the pilot's HTTP API accepts: the schemas of the request bodies in api.ts. An unknown key is an error, not ignored. */
import { z } from 'zod';
import type {
  ApplyRequest,
  DeleteRequest,
  DeployRequest,
  GrayCommandRequest,
  GrayShiftRequest,
  GrayStartRequest,
  PlanRequest,
  RollbackRequest,
  ThawRequest,
} from './api.js';
import { labelsField, nameField, percentField, versionField } from './fields.js';

const MAX_FILES = 10_000;
const MAX_NAMES = 10_000;
const MAX_TEXT = 1000;
const MAX_STEPS = 50;
const MAX_MATCHES = 8;

const authored = {
  by: z.string().min(1).max(200),
  why: z.string().max(MAX_TEXT).exactOptional(),
};

const files = z.array(z.strictObject({ name: z.string(), text: z.string() })).max(MAX_FILES);
const objectName = z.strictObject({ kind: z.string(), namespace: nameField.exactOptional(), name: nameField });
const revision = z.int().min(0);

export const applyRequest: z.ZodType<ApplyRequest> = z.strictObject({
  ...authored,
  files: files.min(1),
  namespace: nameField.exactOptional(),
  dryRun: z.boolean().exactOptional(),
  prune: labelsField.exactOptional(),
  expectRevision: revision.exactOptional(),
});

export const deleteRequest: z.ZodType<DeleteRequest> = z.strictObject({
  ...authored,
  objects: z.array(objectName).max(MAX_NAMES).exactOptional(),
  files: files.exactOptional(),
  namespace: nameField.exactOptional(),
  dryRun: z.boolean().exactOptional(),
});

export const rollbackRequest: z.ZodType<RollbackRequest> = z.strictObject({
  ...authored,
  toRevision: revision,
  object: objectName.exactOptional(),
  dryRun: z.boolean().exactOptional(),
});

const planFields = {
  nodes: z.array(nameField).max(MAX_NAMES).exactOptional(),
  services: z.array(nameField).max(MAX_NAMES).exactOptional(),
  namespace: nameField.exactOptional(),
};

export const planRequest: z.ZodType<PlanRequest> = z.strictObject(planFields);

export const deployRequest: z.ZodType<DeployRequest> = z.strictObject({
  ...planFields,
  ...authored,
  basis: revision.exactOptional(),
});

/** HTTP/2 and Envoy know header names in lower case only. */
const headerName = z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]+$/, 'a header name in lower case');

export const grayStartRequest: z.ZodType<GrayStartRequest> = z
  .strictObject({
    ...authored,
    to: versionField,
    from: versionField.exactOptional(),
    weight: percentField.exactOptional(),
    steps: z.array(percentField).max(MAX_STEPS).exactOptional(),
    matches: z
      .array(z.strictObject({ header: headerName, exact: z.string().max(MAX_TEXT) }))
      .max(MAX_MATCHES)
      .exactOptional(),
  })
  .refine((r) => r.weight === undefined || r.steps === undefined, 'one of weight or steps');

export const grayShiftRequest: z.ZodType<GrayShiftRequest> = z
  .strictObject({
    ...authored,
    weight: percentField.exactOptional(),
    delta: z.number().min(-100).max(100).exactOptional(),
  })
  .refine((r) => (r.weight === undefined) !== (r.delta === undefined), 'one of weight or delta');

export const grayCommandRequest: z.ZodType<GrayCommandRequest> = z.strictObject({
  ...authored,
  full: z.boolean().exactOptional(),
});

export const thawRequest: z.ZodType<ThawRequest> = z.strictObject({
  ...authored,
  namespace: nameField.exactOptional(),
  service: nameField.exactOptional(),
});
