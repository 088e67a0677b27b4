import { z } from 'zod';
import { type Definition, type DefinitionView, definitionKey, groupedBy } from './definition.js';
import { durationField, labelsField, nameField, versionField } from './fields.js';
import { defineKind } from './kind.js';
import { suggestion } from './suggestion.js';

/** A name without a value would pass on the agent's own environment: an app has no business there. */
const environmentField = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, 'a variable is named by letters, digits, _, . and -'),
  z.union([z.string(), z.number(), z.boolean()]),
);
const commandField = z.union([z.string(), z.array(z.string())]);
/** What the mesh tells the app of its place; the user's value for it would be a lie. */
const OWN_VARIABLES = /^(PORT|PORT_.*|MESH_.*)$/;

/**
 * A docker-compose service fragment, from an allow-list: what an app may ask for. What the mesh decides (network_mode, ports,
 * depends_on, container_name, restart) and what would hand the host to the app (privileged, pid, devices) is not in it.
 * Every key is accepted by compose 1.29.2 and 2.x alike.
 */
export const containerSchema = z.strictObject({
  image: z.string().min(1).describe('What runs, as `docker run` names it'),
  command: commandField.optional().describe("In place of the image's command"),
  entrypoint: commandField.optional().describe("In place of the image's entrypoint"),
  environment: environmentField.optional().describe('Variables besides those that the mesh sets (PORT, MESH_…)'),
  volumes: z.array(z.string()).optional().describe('`SOURCE:TARGET[:ro]`, a path of the node or a named volume'),
  tmpfs: z.array(z.string()).optional().describe('Paths that are kept in memory'),
  working_dir: z.string().optional().describe('Where the command starts'),
  user: z.string().optional().describe('`USER[:GROUP]` that it runs as'),
  init: z.boolean().optional().describe('Whether a small init passes on signals and reaps children'),
  read_only: z.boolean().optional().describe('Whether the root file system may only be read'),
  mem_limit: z.union([z.string(), z.int()]).optional().describe('Memory at most, such as 256m'),
  cpus: z.union([z.string(), z.number()]).optional().describe('Share of the processors at most, such as 0.5'),
  pids_limit: z.int().optional().describe('Processes and threads at most'),
  ulimits: z
    .record(
      z.string(),
      z.union([
        z.int(),
        z.strictObject({
          soft: z.int().describe('What holds'),
          hard: z.int().describe('What the app may raise it to'),
        }),
      ]),
    )
    .optional()
    .describe('Limits of the kernel by name, such as nofile'),
  cap_drop: z.array(z.string()).optional().describe('Capabilities that it does without, such as ALL'),
  extra_hosts: z.array(z.string()).optional().describe('`HOST:IP`, lines for its /etc/hosts'),
  stop_grace_period: durationField.optional().describe('From the stop signal to the kill. Docker waits 10s'),
  stop_signal: z.string().optional().describe('What asks it to end. Default: SIGTERM'),
  labels: labelsField.optional().describe('Labels of the container'),
  logging: z
    .strictObject({
      driver: z.string().describe("Docker's log driver, such as json-file"),
      options: z.record(z.string(), z.string()).optional().describe('Options of the driver, such as max-size'),
    })
    .optional()
    .describe('Where its output goes'),
});
export type ContainerSpec = z.output<typeof containerSchema>;

export const versionSchema = z.strictObject({
  service: nameField.describe('The Service, in the same namespace, that this is a build of'),
  version: versionField.describe('What routes, deploys and releases call it'),
  labels: labelsField
    .default({})
    .describe('Labels of its instances, besides `app` (the service) and `version`, which every instance has'),
  container: containerSchema
    .optional()
    .describe('A service of docker-compose, as far as an app may choose. Only a version of a gateway has none'),
});
export type VersionSpec = z.output<typeof versionSchema>;

export const versionKind = defineKind<VersionSpec>({
  kind: 'Version',
  plural: 'versions',
  aliases: ['ver'],
  apiVersions: ['mesh/v1'],
  namespaced: true,
  summary: 'One runnable build of a service: its container and its labels.',
  schema: versionSchema,
  columns: [
    { header: 'SERVICE', value: (d) => d.spec.service },
    { header: 'VERSION', value: (d) => d.spec.version },
    { header: 'IMAGE', value: (d) => d.spec.container?.image ?? '-' },
  ],
  check(definition, view, report) {
    const { service, version, container } = definition.spec;
    for (const name of Object.keys(container?.environment ?? {}).filter((variable) => OWN_VARIABLES.test(variable))) {
      report({
        code: 'MESH1016',
        severity: 'warning',
        path: ['spec', 'container', 'environment', name],
        message: `${name} is set by the mesh: the value here has no effect`,
        hint: 'remove it; the app listens on $MESH_LISTEN:$PORT',
      });
    }
    if (!view.has('Service', definition.namespace, service)) {
      report({
        code: 'MESH1010',
        path: ['spec', 'service'],
        message: `Service "${service}" does not exist`,
        hint: suggestion(service, view.names('Service', definition.namespace)),
      });
    }
    const twins = versionsOfService(view, definition.namespace, service);
    const twin = twins.find((v) => v.spec.version === version && v.name < definition.name);
    if (twin !== undefined) {
      report({
        code: 'MESH1009',
        path: ['spec', 'version'],
        message: `${service} ${version} is also defined by Version "${twin.name}"`,
        hint: 'one Version object per service and version',
      });
    }
  },
});

const byService = ({ namespace, spec }: Definition<VersionSpec>): string => definitionKey(namespace, spec.service);

/** All of one service, sorted by their names. */
export function versionsOfService(
  view: Pick<DefinitionView, 'all'>,
  namespace: string | undefined,
  service: string,
): readonly Definition<VersionSpec>[] {
  return groupedBy(view.all(versionKind), byService).get(definitionKey(namespace, service)) ?? [];
}
