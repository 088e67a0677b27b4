/** The route table as OpenAPI 3.1: it can describe nothing that is not served. Pure. */
import { z } from 'zod';
import type { Route } from './route.js';

export function openApi(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:([a-z]+)(\{[^}]*\})?/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operation(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'lightmesh pilot', version },
    paths,
    components: { schemas: { ErrorBody: errorBody } },
  };
}

function operation(route: Route): object {
  const names = [...route.path.matchAll(/:([a-z]+)/g)].map((match) => match[1] as string);
  const inPath = names.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
  return {
    summary: route.summary,
    parameters: [...inPath, ...queryParameters(route)],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: schemaOf(route.body) } } } }),
    responses: {
      200: { description: route.answer },
      default: {
        description: 'Failure',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/ErrorBody' } } },
      },
    },
  };
}

function queryParameters(route: Route): readonly object[] {
  const schema = route.query === undefined ? {} : schemaOf(route.query);
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, object>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema: property,
  }));
}

function schemaOf(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

const errorBody = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string', pattern: '^MESH\\d{4}$' },
        message: { type: 'string' },
        hint: { type: 'string' },
        problems: { type: 'array', items: { type: 'object' } },
      },
    },
  },
};
