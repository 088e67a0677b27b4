/** The compose project of a node as data: for each instance the app and its Envoy (of a gateway that alone), on the host's network. */
import { LABELS, type Role } from '../model/container-labels.js';
import { durationMs } from '../model/fields.js';
import { sidecarName } from '../model/names.js';
import { isGateway, type NodePlan, type PlannedInstance } from '../model/node-plan.js';
import type { ContainerSpec } from '../model/version.js';
import { SIDECAR_CONFIG, SIDECAR_RUN, SIDECAR_SHARED } from './bootstrap.js';
import { LOW_PORTS } from './deny.js';
import { appEnvironment } from './environment.js';

export interface ComposeOptions {
  readonly storeEndpoints: readonly string[];
  /** `uid:gid` that sidecars run as: the agent's own, so that it may read what they write. */
  readonly sidecarUser: string;
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  /** Named volumes of the apps; absent when there are none. */
  readonly volumes?: Readonly<Record<string, object>>;
}
export type ComposeService = Readonly<Record<string, unknown>>;

/**
 * Connections of a removed listener have 15 s to end, and so have those of one that was changed, such as by another policy of
 * who may come in: HTTP ones are told to with their next answer, so that at most one more request meets the old rules. The agent
 * drains before it stops anything.
 */
export const DRAINING = ['--drain-time-s', '15', '--drain-strategy', 'immediate'];
/** A hung sidecar is killed after this; Envoy itself ends at once. */
const SIDECAR_STOP_S = 20;
/** Bounds a sidecar that runs away; its own overload manager acts far below. */
const SIDECAR_MEMORY = '512m';
const SIDECAR_PIDS = 200;
const LOGGING = { driver: 'json-file', options: { 'max-size': '10m', 'max-file': '3' } };

export function composeFile(plan: NodePlan, options: ComposeOptions): ComposeFile {
  const services = plan.instances.flatMap((instance) => {
    const sidecar = [sidecarName(instance.instance), sidecarService(plan, instance, options)] as const;
    if (instance.container === undefined) return [sidecar];
    return [[instance.instance, appService(plan, instance, instance.container, options)] as const, sidecar];
  });
  const names = namedVolumes(plan);
  return {
    services: Object.fromEntries(services),
    ...(names.length === 0 ? {} : { volumes: Object.fromEntries(names.map((name) => [name, {}])) }),
  };
}

/** Names of the compose services of an instance. */
export function composeServices(instance: PlannedInstance): readonly string[] {
  const sidecar = sidecarName(instance.instance);
  return isGateway(instance) ? [sidecar] : [instance.instance, sidecar];
}

function appService(
  plan: NodePlan,
  instance: PlannedInstance,
  container: ContainerSpec,
  options: ComposeOptions,
): ComposeService {
  const { image, environment: _inMeshEnvironment, labels, logging, stop_grace_period, ...fragment } = container;
  const condition = isChecked(instance) ? 'service_healthy' : 'service_started';
  return {
    image,
    ...fragment,
    network_mode: 'host',
    depends_on: { [sidecarName(instance.instance)]: { condition } },
    environment: appEnvironment(plan, instance, options.storeEndpoints),
    labels: { ...labels, ...meshLabels(plan, instance, 'app') },
    restart: 'unless-stopped',
    ...(stop_grace_period === undefined ? {} : { stop_grace_period: composeDuration(stop_grace_period) }),
    logging: logging ?? LOGGING,
  };
}

function sidecarService(plan: NodePlan, instance: PlannedInstance, options: ComposeOptions): ComposeService {
  const { sidecar, ports, certificates } = instance;
  return {
    image: sidecar.image,
    // Named, so that it does not depend on the image's own entrypoint. Every Envoy image has the binary there.
    entrypoint: ['/usr/local/bin/envoy'],
    command: envoyArguments(sidecar),
    network_mode: 'host',
    user: options.sidecarUser,
    read_only: true,
    cap_drop: ['ALL'],
    ...(hasLowPort(instance) ? { cap_add: [LOW_PORTS] } : {}),
    security_opt: ['no-new-privileges:true'],
    pids_limit: SIDECAR_PIDS,
    mem_limit: SIDECAR_MEMORY,
    volumes: [
      ...sidecarVolumes(instance.instance),
      ...(certificates === undefined ? [] : [`${certificates}:${certificates}:ro`]),
    ],
    ...(sidecar.environment === undefined ? {} : { environment: sidecar.environment }),
    healthcheck: healthcheck(sidecar.healthCommand, plan.address, ports.metrics),
    labels: meshLabels(plan, instance, 'sidecar'),
    restart: 'unless-stopped',
    stop_grace_period: `${SIDECAR_STOP_S}s`,
    logging: LOGGING,
  };
}

const FIRST_FREE_PORT = 1024;

/** Only gateways have them: other ports come from a node's range. */
function hasLowPort({ ports }: PlannedInstance): boolean {
  return Object.values(ports.inbound).some((port) => port < FIRST_FREE_PORT);
}

/** Folders, not files: what is replaced by a rename would stay the old one behind a mount of the file. */
export function sidecarVolumes(instance: string): readonly string[] {
  return [`./${instance}:${SIDECAR_CONFIG}:ro`, `./shared:${SIDECAR_SHARED}:ro`, `./${instance}/run:${SIDECAR_RUN}`];
}

function envoyArguments({ concurrency, logLevel }: PlannedInstance['sidecar']): string[] {
  const config = ['-c', `${SIDECAR_CONFIG}/envoy.yaml`];
  // Without a number Envoy takes one thread for each core.
  const threads = concurrency === 0 ? [] : ['--concurrency', String(concurrency)];
  const settings = [...threads, '--log-level', logLevel, ...DRAINING];
  // Several Envoys on one host network would clash on the sockets of hot restart; a new sidecar is a new instance.
  return [...config, '--disable-hot-restart', ...settings];
}

function isChecked({ sidecar }: PlannedInstance): boolean {
  return sidecar.healthCommand[0] !== 'NONE';
}

/** Failures count from the 30th second on: until then Envoy may be waiting for a pilot. */
function healthcheck(command: readonly string[], address: string, port: number): object {
  if (command[0] === 'NONE') return { disable: true };
  const host = address.includes(':') ? `[${address}]` : address;
  const filled = command.map((part) => part.replaceAll('{address}', host).replaceAll('{port}', String(port)));
  return { test: ['CMD', ...filled], interval: '1s', timeout: '2s', retries: 3, start_period: '30s' };
}

/** Constant for an instance's life, so that compose has nothing to recreate. */
function meshLabels(plan: NodePlan, instance: PlannedInstance, role: Role): Record<string, string> {
  return {
    [LABELS.node]: plan.node,
    [LABELS.namespace]: instance.namespace,
    [LABELS.service]: instance.service,
    [LABELS.version]: instance.version,
    [LABELS.instance]: instance.instance,
    [LABELS.role]: role,
    [LABELS.revision]: String(instance.revision),
  };
}

/** Compose knows no days. */
function composeDuration(text: string): string {
  const ms = durationMs(text);
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** Compose wants each of them declared; a source with a slash or a dot in front is a path. */
function namedVolumes(plan: NodePlan): string[] {
  const sources = plan.instances
    .flatMap((instance) => instance.container?.volumes ?? [])
    .filter((volume) => volume.includes(':'))
    .map((volume) => volume.split(':')[0] as string) // split of a text is never empty
    .filter((source) => /^[a-zA-Z0-9]/.test(source));
  return [...new Set(sources)].toSorted();
}
