/**
 * What no rendered container may have, wherever it came from. The keys of a Version are an allow-list already (model/version.ts);
 * this looks at values, and again at the whole compose service after rendering: two belts, because what slips through here
 * owns the host.
 */
import type { DefinitionView } from '../model/definition.js';
import { fullName } from '../model/names.js';
import type { NodePlan } from '../model/node-plan.js';
import type { Problem } from '../model/problem.js';
import { serviceKind } from '../model/service.js';
import { versionKind } from '../model/version.js';
import { problemAt } from './problem-at.js';

const DENIED_KEYS = [
  'build',
  'cap_add',
  'cgroup_parent',
  'configs',
  'container_name',
  'credential_spec',
  'device_cgroup_rules',
  'devices',
  'env_file',
  'extends',
  'ipc',
  'links',
  'networks',
  'pid',
  'ports',
  'privileged',
  'runtime',
  'secrets',
  'sysctls',
  'userns_mode',
  'uts',
  'volumes_from',
];

/** Host folders that hand over the host: themselves and all below them, or only as a whole. */
const DENIED_TREES = [
  '/boot',
  '/dev',
  '/proc',
  '/root',
  '/run',
  '/sys',
  '/var/lib/containerd',
  '/var/lib/docker',
  '/var/lib/lightmesh',
  '/var/run',
];
const DENIED_WHOLE = ['/', '/bin', '/etc', '/home', '/lib', '/opt', '/sbin', '/usr', '/var', '/var/lib'];
/** The capability to listen on ports below 1024. */
export const LOW_PORTS = 'NET_BIND_SERVICE';
const NAMED_VOLUME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/;
/** Labels by which the agent and compose find their containers. */
const RESERVED_LABELS = /^(io\.lightmesh\.|com\.docker\.compose\.)/;

export interface Denial {
  /** Below the container. */
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Of a compose service as it will be written; `ownVolumes` are the mesh's, relative to the file. */
export function deniedService(
  service: Readonly<Record<string, unknown>>,
  ownVolumes: readonly string[] = [],
): Denial[] {
  const keys = DENIED_KEYS.filter((key) => service[key] !== undefined && !isHarmless(key, service[key]));
  return [
    ...keys.map((key) => ({ path: [key], message: `${key} is not allowed` })),
    ...(service['network_mode'] === 'host'
      ? []
      : [{ path: ['network_mode'], message: "network_mode must be host: the ports of the plan are the host's" }]),
    ...deniedVolumes(service['volumes'], ownVolumes),
  ];
}

/** What a gateway needs for ports below 1024; Docker gives it to every container that does not say otherwise. */
function isHarmless(key: string, value: unknown): boolean {
  return key === 'cap_add' && Array.isArray(value) && value.join() === LOW_PORTS;
}

function deniedVolumes(volumes: unknown, own: readonly string[] = []): Denial[] {
  return (Array.isArray(volumes) ? volumes : []).flatMap((volume: unknown, i) => {
    if (typeof volume === 'string' && own.includes(volume)) return [];
    const message = typeof volume === 'string' ? deniedSource(volume) : 'a volume is written as SOURCE:TARGET[:MODE]';
    return message === undefined ? [] : [{ path: ['volumes', i], message }];
  });
}

function deniedSource(volume: string): string | undefined {
  const [source = '', target, mode = ''] = volume.split(':');
  if (target === undefined) return undefined; // an anonymous volume
  if (NAMED_VOLUME.test(source)) return undefined;
  if (!source.startsWith('/')) return `volume ${volume} is neither a named volume nor an absolute path`;
  const parts = source.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) return `volume ${volume} leaves its folder with ..`;
  const path = `/${parts.join('/')}`;
  if (path.endsWith('.sock')) return `volume ${volume} hands a socket of the host to the app`;
  if (DENIED_WHOLE.includes(path) || DENIED_TREES.some((tree) => `${path}/`.startsWith(`${tree}/`))) {
    return `volume ${volume} hands ${path} of the host to the app`;
  }
  const isReadOnly = mode.split(',').includes('ro');
  return path.startsWith('/etc/') && !isReadOnly ? `volume ${volume} could write below /etc: add :ro` : undefined;
}

function deniedLabels(labels: Readonly<Record<string, string>> | undefined): Denial[] {
  return Object.keys(labels ?? {})
    .filter((name) => RESERVED_LABELS.test(name))
    .map((name) => ({ path: ['labels', name], message: `label ${name} is the mesh's own` }));
}

/** Of every version that the plans run, with its place in the user's file. */
export function deniedContainers(definitions: DefinitionView, plans: readonly NodePlan[]): Problem[] {
  const running = new Set(
    plans.flatMap((plan) => plan.instances.map((i) => [i.namespace, i.service, i.version].join('/'))),
  );
  const containers = definitions
    .all(versionKind)
    .filter((v) => running.has([v.namespace, v.spec.service, v.spec.version].join('/')))
    .flatMap((version) => {
      const { volumes, labels } = version.spec.container ?? {};
      return [...deniedVolumes(volumes), ...deniedLabels(labels)].map(({ path, message }) =>
        problemAt(version, {
          code: 'MESH1019',
          severity: 'error',
          path: ['spec', 'container', ...path],
          message,
          hint: "use a named volume, or a folder of the app's own on the host",
        }),
      );
    });
  return [...containers, ...deniedCertificates(definitions, plans)];
}

function deniedCertificates(definitions: DefinitionView, plans: readonly NodePlan[]): Problem[] {
  const running = new Set(plans.flatMap((plan) => plan.instances.map((i) => fullName(i.namespace, i.service))));
  return definitions
    .all(serviceKind)
    .filter((service) => running.has(fullName(service.namespace as string, service.name))) // the kind is namespaced
    .flatMap((service) => {
      const { certificates } = service.spec;
      const message = certificates === undefined ? undefined : deniedSource(`${certificates}:${certificates}:ro`);
      if (message === undefined) return [];
      return problemAt(service, {
        code: 'MESH1019',
        severity: 'error',
        path: ['spec', 'certificates'],
        message: message.replace('to the app', 'to the sidecar'),
        hint: 'use a folder that has nothing but certificates, such as /etc/ssl/shop',
      });
    });
}
