/**
 * The node's folder below the data directory: what compose and the sidecars read, and beside each bootstrap a copy of how
 * the instance was planned, so that an agent can go on probing and registering an instance that newer plans no longer name.
 */
import { lookup } from 'node:dns/promises';
import { mkdir, readdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import path from 'node:path';
import { canonicalJson } from '../model/canonical-json.js';
import { hostPort } from '../model/host-port.js';
import type { NodePlan, PlannedInstance } from '../model/node-plan.js';
import { ADMIN_SOCKET, PILOTS_FILE } from '../planner/bootstrap.js';
import { pilotsFile } from '../planner/pilots-file.js';
import { type RenderedFile, renderNode } from '../planner/render.js';
import type { Templates } from '../planner/templates.js';
import { MeshError } from '../runtime/mesh-error.js';
import { readText, removeFolder, writeIfDifferent } from './files.js';

const PLANNED_FILE = 'instance.json';
/** As the compose file mounts them. */
export const SHARED_FOLDER = 'shared';
const RUN_FOLDER = 'run';

/** Of the sidecar of the instance with this folder. */
export function adminSocketIn(instanceFolder: string): string {
  return path.join(instanceFolder, RUN_FOLDER, ADMIN_SOCKET);
}

/** Nodes that this data directory has served. */
export async function nodesIn(dataDir: string): Promise<readonly string[]> {
  const names = await foldersIn(path.resolve(dataDir));
  const pilots = await Promise.all(names.map((name) => readText(path.join(dataDir, name, SHARED_FOLDER, PILOTS_FILE))));
  return names.filter((_, i) => pilots[i] !== undefined).toSorted();
}

export interface NodeFiles {
  /** Of the node, absolute. */
  readonly folder: string;
  readonly composeFile: string;
  /** How instances were planned that have a folder here; read at the start, kept up by `write` and `forget`. */
  planned(): ReadonlyMap<string, PlannedInstance>;
  write(plan: NodePlan): Promise<void>;
  forget(instance: string): Promise<void>;
  adminSocket(instance: string): string;
  /** Sidecars read it when they start, and again whenever it is replaced. */
  hasPilots(): Promise<boolean>;
  /** `host:port` each, at least one: Envoy would obey an empty list. */
  writePilots(addresses: readonly string[]): Promise<void>;
  readonly composeMemory: string;
}

export interface NodeFilesOptions {
  readonly dataDir: string;
  readonly node: string;
  readonly templates: Templates;
  /** Client endpoints of the store, for apps with an upstream in mode 3. */
  readonly storeEndpoints: readonly string[];
}

export async function openNodeFiles(options: NodeFilesOptions): Promise<NodeFiles> {
  const dataDir = path.resolve(options.dataDir);
  const folder = path.join(dataDir, options.node);
  const planned = await readPlanned(folder);
  const pilots = path.join(folder, SHARED_FOLDER, PILOTS_FILE);
  return {
    folder,
    composeFile: path.join(folder, 'docker-compose.yml'),
    composeMemory: path.join(folder, 'compose-command.json'),
    adminSocket: (instance) => adminSocketIn(path.join(folder, instance)),
    planned: () => planned,
    hasPilots: async () => (await readText(pilots)) !== undefined,
    async writePilots(addresses) {
      await writeIfDifferent(pilots, pilotsFile(await Promise.all(addresses.map(withIp))));
    },
    async write(plan) {
      for (const file of rendered(plan, options)) await writeIfDifferent(path.join(dataDir, file.path), file.text);
      for (const instance of plan.instances) {
        // Made here, so that it is ours: compose would have Docker make it, as root.
        await mkdir(path.join(folder, instance.instance, RUN_FOLDER), { recursive: true });
        await writeIfDifferent(path.join(folder, instance.instance, PLANNED_FILE), `${canonicalJson(instance)}\n`);
        planned.set(instance.instance, instance);
      }
    },
    async forget(instance) {
      await removeFolder(path.join(folder, instance));
      planned.delete(instance);
    },
  };
}

function rendered(plan: NodePlan, { templates, storeEndpoints }: NodeFilesOptions): readonly RenderedFile[] {
  const { files, problems } = renderNode({ plan, templates, storeEndpoints, sidecarUser: ownUser() });
  if (problems.length === 0) return files;
  const why = problems.map((problem) => problem.message).join('; ');
  throw new MeshError('MESH2013', `plan ${plan.revision} of node ${plan.node} cannot be rendered: ${why}`);
}

async function readPlanned(folder: string): Promise<Map<string, PlannedInstance>> {
  const planned = new Map<string, PlannedInstance>();
  for (const name of await foldersIn(folder)) {
    const text = await readText(path.join(folder, name, PLANNED_FILE));
    if (text === undefined) continue;
    try {
      planned.set(name, JSON.parse(text) as PlannedInstance); // written by an agent, whole or not at all
    } catch {
      // A damaged copy is as good as none: the plan writes it again, and what no plan names can still leave.
    }
  }
  return planned;
}

async function foldersIn(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Sidecars run as the agent's own user, so that it can reach their sockets. */
function ownUser(): string {
  return `${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`;
}

/** Envoy's endpoints are IPs: a pilot that advertises a name is looked up each time the pilots change. */
async function withIp(address: string): Promise<string> {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  const ip = isIP(host) > 0 ? host : (await lookup(host)).address;
  return hostPort(ip, Number(address.slice(colon + 1)));
}
