/** One agent for every node of this machine, for as long as the node is defined or still has something to run. */
import { networkInterfaces } from 'node:os';
import type { Agent } from '../agent/agent.js';
import { isLoopback } from '../model/names.js';
import type { NodePlan } from '../model/node-plan.js';
import type { StoredDefinition } from '../model/revision.js';
import { valueOf } from '../model/stored-value.js';
import type { Clock } from '../runtime/clock.js';
import { Latest } from '../runtime/latest.js';
import type { Logger } from '../runtime/logger.js';
import { messageOf } from '../runtime/mesh-error.js';
import type { Mirror, Store } from '../store/store.js';

const RETRY_MS = 5000;
const MAX_FAREWELL_MS = 60_000;

export interface LocalAgentsOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
  start(node: string, signal: AbortSignal): Promise<Agent>;
  /** Called with the names of the nodes whose agents run, sorted. */
  onChange(nodes: readonly string[]): void;
}

export interface LocalAgents {
  nodes(): readonly string[];
  /** By node: why its agent could not start. It is tried again every 5 s. */
  failures(): ReadonlyMap<string, string>;
  close(): Promise<void>;
}

export async function followLocalNodes(options: LocalAgentsOptions): Promise<LocalAgents> {
  const { store, clock, log } = options;
  const agents = new Map<string, Agent>();
  const failures = new Map<string, string>();
  const closing = new AbortController();
  const nodes = (): string[] => [...agents.keys()].toSorted();
  const round = new Latest(clock, 0, () => reconcile());
  const ranges = [store.keys.below('def', 'Node'), store.keys.below('plan')];
  const mirror = store.mirror({ list: ranges, watch: ranges, onChange: () => round.note() });
  await mirror.whenListed;
  round.note();
  await round.idle();

  return {
    nodes,
    failures: () => failures,
    async close() {
      closing.abort(new Error('closed'));
      await round.close();
      await mirror.close();
      await Promise.all([...agents.values()].map((agent) => agent.close()));
    },
  };

  async function reconcile(): Promise<void> {
    const wanted = localNodes(mirror, store);
    for (const node of wanted) {
      if (agents.has(node) || closing.signal.aborted) continue;
      try {
        const agent = await options.start(node, closing.signal);
        agents.set(node, agent);
        agent.taken.addEventListener('abort', () => round.note(), { once: true });
        failures.delete(node);
        options.onChange(nodes());
      } catch (error) {
        const reason = messageOf(error);
        if (failures.get(node) !== reason) log.error({ node, reason }, 'the agent could not start, it is tried again');
        failures.set(node, reason);
      }
    }
    for (const node of failures.keys()) if (!wanted.has(node)) failures.delete(node);
    for (const [node, agent] of agents) {
      const { taken } = agent;
      if ((wanted.has(node) && !taken.aborted) || closing.signal.aborted) continue;
      agents.delete(node);
      if (taken.aborted) {
        failures.set(node, messageOf(taken.reason));
        log.error({ node, reason: messageOf(taken.reason) }, 'the agent has lost its node');
        await agent.close();
      } else await sayFarewell(agent);
      options.onChange(nodes());
    }
    if (failures.size > 0) void retry();
  }

  async function retry(): Promise<void> {
    await clock.sleep(RETRY_MS, closing.signal).then(
      () => round.note(),
      () => undefined, // closed meanwhile
    );
  }

  /** The last thing that an agent does is to take away what its node does not run any more. */
  async function sayFarewell(agent: Agent): Promise<void> {
    const limit = AbortSignal.any([closing.signal, AbortSignal.timeout(MAX_FAREWELL_MS)]);
    await agent.whenReached(undefined, limit).catch((error: unknown) => {
      log.warn({ node: agent.node, error: messageOf(error) }, 'a node that was removed has not come to rest');
    });
    await agent.close();
  }
}

/** Defined nodes with an address of this machine, and removed ones that still have instances to stop. */
function localNodes(mirror: Mirror, store: Store): Set<string> {
  const own = ownAddresses();
  const found = new Set<string>();
  for (const [key, entry] of mirror.entries) {
    const parsed = store.keys.parse(key);
    if (parsed?.kind === 'def' && own(nodeAddress(entry.value))) found.add(parsed.name);
    if (parsed?.kind === 'plan') {
      const plan = valueOf<NodePlan>(entry.value, ['address', 'instances']);
      if (plan !== undefined && plan.instances.length > 0 && own(plan.address)) found.add(parsed.node);
    }
  }
  return found;
}

function nodeAddress(value: string): string {
  const stored = valueOf<StoredDefinition>(value, ['document']);
  return (stored?.document.spec as { address?: string } | undefined)?.address ?? '';
}

function ownAddresses(): (address: string) => boolean {
  const own = new Set(Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)));
  return (address) => isLoopback(address) || own.has(address);
}
