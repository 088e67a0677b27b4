/** What was written must read back as what was meant, by old readers and new ones, and be a compose file that we allow. */
import { isDeepStrictEqual } from 'node:util';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse } from 'yaml';
import { formatPath } from '../model/zod-problems.js';
import type { ComposeFile } from './compose.js';
import { deniedService } from './deny.js';

export interface Checked {
  /** Where in the file, `services.reviews-v1-7.volumes[0]`; empty for the whole of it. */
  readonly path: string;
  readonly message: string;
}

const YAML_VERSIONS = ['1.1', '1.2'] as const;

export function checkSame(text: string, meant: object): Checked[] {
  const plain: unknown = JSON.parse(JSON.stringify(meant));
  for (const version of YAML_VERSIONS) {
    const read = readYaml(text, version);
    if (read instanceof Error) return [{ path: '', message: `it is no YAML ${version}: ${read.message}` }];
    if (isDeepStrictEqual(read, plain)) continue;
    return [
      {
        path: '',
        message: `as YAML ${version} it does not say what was meant: the template has lost or changed something`,
      },
    ];
  }
  return [];
}

function readYaml(text: string, version: (typeof YAML_VERSIONS)[number]): unknown {
  try {
    return parse(text, { version, merge: false, maxAliasCount: 0 });
  } catch (error) {
    return error as Error; // `yaml` throws Errors only
  }
}

/** `ownVolumes`: by compose service, the mounts that the mesh itself has given it. */
export function checkCompose(
  text: string,
  meant: ComposeFile,
  schema: string,
  ownVolumes: ReadonlyMap<string, readonly string[]>,
): Checked[] {
  const validate = composeValidator(schema);
  return [
    ...checkSame(text, meant),
    ...(validate(JSON.parse(JSON.stringify(meant))) ? [] : (validate.errors ?? []).map(schemaError)),
    ...Object.entries(meant.services).flatMap(([name, service]) =>
      deniedService(service, ownVolumes.get(name)).map(({ path, message }) => ({
        path: formatPath(['services', name, ...path]),
        message,
      })),
    ),
  ];
}

function schemaError({ instancePath, message }: ErrorObject): Checked {
  const path = formatPath(instancePath.split('/').slice(1));
  return { path, message: message ?? 'it does not fit the compose schema' };
}

/** Compiling takes a quarter of a second, so it is done when first needed and once for each schema. */
const validators = new Map<string, ValidateFunction>();

function composeValidator(schema: string): ValidateFunction {
  let validator = validators.get(schema);
  if (validator === undefined) {
    validator = new Ajv2020({ strict: false, allErrors: true, validateFormats: false }).compile(
      JSON.parse(schema) as object,
    );
    validators.set(schema, validator);
  }
  return validator;
}
