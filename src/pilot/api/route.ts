/** One row of the API's table: what it takes, what it answers. The table serves requests and describes itself as OpenAPI. */
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import { MeshError } from '../../runtime/mesh-error.js';

export interface RouteInput<Query, Body> {
  readonly query: Query;
  readonly body: Body;
  /** Of the path, decoded. */
  readonly param: (name: string) => string;
  /** Aborts when the caller has gone. */
  readonly signal: AbortSignal;
  readonly context: Context;
}

export interface RouteSpec<Query, Body> {
  readonly method: 'get' | 'post';
  /** With `:name` for parameters. */
  readonly path: string;
  readonly summary: string;
  /** Strict: a key that we do not know is refused. */
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  /** The shape in model/api.ts. */
  readonly answer: string;
  /** A Response goes out as it is, anything else as JSON; promises of them too. */
  handle(input: RouteInput<Query, Body>): unknown;
}

/** A row whose types are no longer known: they hold inside of it, because its own schemas have made its input. */
export type Route = RouteSpec<unknown, unknown>;

export function defineRoute<Query = Record<string, never>, Body = undefined>(spec: RouteSpec<Query, Body>): Route {
  // Sound: `serveRoute` hands to `handle` only what these very schemas have parsed.
  return spec as unknown as Route;
}

const noQuery = z.strictObject({});

export function serveRoute(app: Hono, route: Route): void {
  app.on(route.method.toUpperCase(), route.path, async (context) => {
    const query = parse(route.query ?? noQuery, queryOf(context), `query of ${context.req.path}`);
    const body =
      route.body === undefined ? undefined : parse(route.body, await jsonOf(context), `body for ${context.req.path}`);
    const result = await route.handle({
      query,
      body,
      param: (name) => context.req.param(name) ?? '',
      signal: context.req.raw.signal,
      context,
    });
    return result instanceof Response ? result : context.json(result as object);
  });
}

/** A key that stands once is a text, one that is repeated a list. */
function queryOf(context: Context): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(context.req.queries()).map(([key, values]) => [
      key,
      values.length === 1 ? (values[0] ?? '') : values,
    ]),
  );
}

async function jsonOf(context: Context): Promise<unknown> {
  try {
    return await context.req.json();
  } catch (error) {
    if (error instanceof MeshError) throw error;
    throw new MeshError('MESH2007', `the body for ${context.req.path} is not JSON`, { cause: error });
  }
}

function parse<Value>(schema: z.ZodType<Value>, value: unknown, what: string): Value {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map((issue) => {
    const at = issue.path.join('.');
    return at === '' ? issue.message : `${at}: ${issue.message}`;
  });
  throw new MeshError('MESH2007', `${what}: ${issues.join('; ')}`, { hint: 'GET /openapi.json describes it' });
}

/** Texts of a query as what they stand for. */
export const queryFlag = z.enum(['true', 'false']).transform((text) => text === 'true');
export const queryCount = (most: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, 'a whole number')
    .transform(Number)
    .pipe(z.int().min(0).max(most));
export const queryList = z.union([z.string(), z.array(z.string())]).transform((value) => [value].flat());
