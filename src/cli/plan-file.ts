/** A saved plan: it holds for one revision, and deploy refuses it when the mesh has moved since. */
import { z } from 'zod';
import type { PlanRequest, PlanResponse } from '../model/api.js';
import { InvalidInput } from './failure.js';

const planSchema = z.object({
  apiVersion: z.literal('mesh/v1'),
  kind: z.literal('Plan'),
  basis: z.int().min(0),
  request: z.strictObject({
    nodes: z.array(z.string()).exactOptional(),
    services: z.array(z.string()).exactOptional(),
    namespace: z.string().exactOptional(),
  }),
});

export interface SavedPlan {
  readonly basis: number;
  readonly request: PlanRequest;
}

export function formatPlan(plan: PlanResponse, request: PlanRequest): string {
  return `${JSON.stringify({ apiVersion: 'mesh/v1', kind: 'Plan', request, ...plan }, null, 2)}\n`;
}

export function parsePlan(text: string, file: string): SavedPlan {
  const parsed = planSchema.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new InvalidInput([
    {
      code: text.trim() === '' ? 'MESH1002' : 'MESH1004',
      severity: 'error',
      file,
      path: '',
      message: text.trim() === '' ? 'the file is empty' : 'it is not a plan',
      hint: `make one with: mesh plan --out ${file}`,
    },
  ]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
