import { z } from 'zod';
import { durationField, labelsField, nameField, versionField } from './fields.js';
import { defineKind } from './kind.js';
import { suggestion } from './suggestion.js';

/** A name without a value would pass on the agent's own environment: an app has no business there. */
const environmentField = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_.-]*$/, 'a variable is named by letters, digits, _, . and -'),
  z.union([z.string(), z.number(), z.boolean()]),
);
/** What the mesh tells the app of its place; the user's value for it would be a lie. */
const OWN_VARIABLES = /^(PORT|PORT_.*|MESH_.*)$/;

/**
 * A docker-compose service fragment, from an allow-list: what an app may ask for. What the mesh decides (network_mode, ports,
 * depends_on, container_name, restart) and what would hand the host to the app (privileged, pid, devices) is not in it.
 * Every key is accepted by compose 1.29.2 and 2.x alike.
 */
export const containerSchema = z.strictObject({
  image: z.string().min(1),
  command: z.union([z.string(), z.array(z.string())]).optional(),
  entrypoint: z.union([z.string(), z.array(z.string())]).optional(),
  environment: environmentField.optional(),
  volumes: z.array(z.string()).optional(),
  tmpfs: z.array(z.string()).optional(),
  working_dir: z.string().optional(),
  user: z.string().optional(),
  init: z.boolean().optional(),
  read_only: z.boolean().optional(),
  mem_limit: z.union([z.string(), z.int()]).optional(),
  cpus: z.union([z.string(), z.number()]).optional(),
  pids_limit: z.int().optional(),
  ulimits: z.record(z.string(), z.union([z.int(), z.strictObject({ soft: z.int(), hard: z.int() })])).optional(),
  cap_drop: z.array(z.string()).optional(),
  extra_hosts: z.array(z.string()).optional(),
  stop_grace_period: durationField.optional(),
  stop_signal: z.string().optional(),
  labels: labelsField.optional(),
  logging: z.strictObject({ driver: z.string(), options: z.record(z.string(), z.string()).optional() }).optional(),
});
export type ContainerSpec = z.output<typeof containerSchema>;

export const versionSchema = z.strictObject({
  service: nameField,
  version: versionField,
  /** Besides `app=<service>` and `version=<version>`, which every instance has. */
  labels: labelsField.default({}),
  container: containerSchema,
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
    { header: 'IMAGE', value: (d) => d.spec.container.image },
  ],
  check(definition, view, report) {
    const { service, version, container } = definition.spec;
    for (const name of Object.keys(container.environment ?? {}).filter((variable) => OWN_VARIABLES.test(variable))) {
      report({
        code: 'MESH1016',
        severity: 'warning',
        path: ['spec', 'container', 'environment', name],
        message: `${name} is set by the mesh: the value here has no effect`,
        hint: 'remove it; the app listens on $MESH_LISTEN:$PORT',
      });
    }
    const names = view.names('Service', definition.namespace);
    if (!names.includes(service)) {
      report({
        code: 'MESH1010',
        path: ['spec', 'service'],
        message: `Service "${service}" does not exist`,
        hint: suggestion(service, names),
      });
    }
    const twin = view
      .all(versionKind)
      .find(
        (v) =>
          v.namespace === definition.namespace &&
          v.spec.service === service &&
          v.spec.version === version &&
          v.name < definition.name,
      );
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
