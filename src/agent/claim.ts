/**
 * One agent per node. The key `node/<node>` says who has it, under that agent's lease. A successor on the same machine must not
 * wait for the lease of one that is surely dead, and nobody may come beside one that lives.
 */
import { createHash } from 'node:crypto';
import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { canonicalJson } from '../model/canonical-json.js';
import type { AgentIdentity, NodeStatus } from '../model/leased-values.js';
import { valueOf } from '../model/stored-value.js';
import type { Clock } from '../runtime/clock.js';
import { MeshError } from '../runtime/mesh-error.js';
import { startTimeOf } from '../runtime/process-identity.js';
import type { Store } from '../store/store.js';

const LOOK_AGAIN_MS = 200;
/** etcd ends leases a little later than their time. */
const LEASE_MARGIN_MS = 2000;

export async function ownIdentity(): Promise<AgentIdentity> {
  const text = async (file: string): Promise<string> => (await readFile(file, 'utf8').catch(() => '')).trim();
  return {
    host: hostname(),
    machine: machineHash(await text('/etc/machine-id')),
    boot: await text('/proc/sys/kernel/random/boot_id'),
    pidNamespace: await readlink('/proc/self/ns/pid').catch(() => ''),
    pid: process.pid,
    startTime: (await startTimeOf(process.pid)) ?? '',
  };
}

/** Hashed: a machine's id is nobody's business outside of it. With its name, since copied disks share the id. */
function machineHash(id: string): string {
  return createHash('sha256').update(`${id} ${hostname()}`).digest('hex').slice(0, 16);
}

/** May the agent that has put this be alive? `startTime` is that of the process with its number here, if there is one. */
export function judgeHolder(
  holder: AgentIdentity | undefined,
  own: AgentIdentity,
  startTime: string | undefined,
): 'dead' | 'alive' | 'unknown' {
  if (holder === undefined || holder.machine !== own.machine) return 'unknown';
  if (holder.boot !== own.boot) return 'dead';
  // Numbers of processes mean something within one container only.
  if (holder.pidNamespace !== own.pidNamespace) return 'unknown';
  return startTime === holder.startTime ? 'alive' : 'dead';
}

/**
 * Resolves when no other agent has the node: at once where the last one is surely dead, else when its lease is over. MESH2017
 * when it lives, or renews its lease.
 */
export async function untilNodeIsFree(
  store: Store,
  node: string,
  own: AgentIdentity,
  leaseMs: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const key = store.keys.node(node);
  const deadline = clock.monotonic() + leaseMs + LEASE_MARGIN_MS;
  for (;;) {
    const entry = await store.get(key, signal);
    if (entry === undefined) return;
    const holder = holderOf(entry.value);
    const verdict = judgeHolder(holder, own, holder && (await startTimeOf(holder.pid)));
    if (verdict === 'alive' || clock.monotonic() >= deadline) throw nodeIsTaken(node, entry.value);
    if (verdict === 'dead') {
      const compare = [{ key, modRevision: entry.modRevision }];
      await store.transact({ compare, put: [], delete: [key] }, signal);
    } else await clock.sleep(LOOK_AGAIN_MS, signal);
  }
}

/** Put by this very process, under a lease that it has lost: after the store was restored from a backup. */
export function isOwn(value: string, own: AgentIdentity): boolean {
  return canonicalJson(holderOf(value)) === canonicalJson(own);
}

/** `value` is what the other agent says of itself. */
export function nodeIsTaken(node: string, value: string): MeshError {
  const holder = holderOf(value);
  const who = holder === undefined ? '' : `: process ${holder.pid} on ${holder.host}`;
  return new MeshError('MESH2017', `node ${node} has an agent already${who}`, {
    hint: 'stop that one, or give this machine a Node of its own',
    retryable: true,
  });
}

function holderOf(value: string): AgentIdentity | undefined {
  return valueOf<NodeStatus>(value, ['node'])?.agent;
}
