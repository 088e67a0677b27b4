/** The user's file of contexts: which mesh, which namespace. */
import { parse } from 'yaml';
import { z } from 'zod';
import { suggestion } from '../model/suggestion.js';
import { MeshError, messageOf } from '../runtime/mesh-error.js';

const configSchema = z.strictObject({
  current: z.string().optional(),
  contexts: z
    .record(
      z.string(),
      z.strictObject({
        server: z.url({ protocol: /^https?$/ }).optional(),
        store: z.string().optional(),
        namespace: z.string().optional(),
      }),
    )
    .default({}),
});

export interface ContextSettings {
  readonly server?: string;
  readonly store?: string;
  readonly namespace?: string;
}

export function parseContexts(text: string, file: string, wanted: string | undefined): ContextSettings {
  const config = readConfig(text, file);
  const name = wanted ?? config.current;
  if (name === undefined) return {};
  const found = config.contexts[name];
  if (found === undefined) {
    throw new MeshError('MESH2007', `there is no context "${name}" in ${file}`, {
      hint: suggestion(name, Object.keys(config.contexts)),
    });
  }
  return {
    ...(found.server === undefined ? {} : { server: found.server }),
    ...(found.store === undefined ? {} : { store: found.store }),
    ...(found.namespace === undefined ? {} : { namespace: found.namespace }),
  };
}

function readConfig(text: string, file: string): z.output<typeof configSchema> {
  try {
    return configSchema.parse(parse(text) ?? {});
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new MeshError('MESH2007', `${file} is not a file of contexts: ${why}`, { cause: error });
  }
}
