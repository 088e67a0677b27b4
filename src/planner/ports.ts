/** Who listens where. Ports come from the node's range, lowest free first, and belong to an instance for its life. */
import type { InstancePorts } from '../model/instance.js';
import { isLoopback } from '../model/names.js';
import type { PortRange } from '../model/node.js';
import { isGateway } from '../model/node-plan.js';
import type { Desired } from './desired.js';

export interface RangedNode {
  readonly node: string;
  readonly address: string;
  readonly range: PortRange;
}

/** Somebody who holds ports already: planned before, or still running although no plan names it. */
export interface Holder {
  readonly instance: string;
  readonly address: string;
  readonly ports: InstancePorts;
}

export interface PortLedger {
  /** How many ports of the node's range are free. */
  free(node: string): number;
  /** The ports of the node's machine that are in use, and by which instance; it changes as ports are taken. */
  taken(node: string): ReadonlyMap<number, string>;
  /**
   * Takes what the instance needs, all or nothing. A fixed listener port goes to the first on its machine, later ones get
   * a port from the range; `heirOf` may take over that instance's fixed ports, since it stops first.
   */
  take(node: string, desired: Desired, heirOf?: string): InstancePorts | undefined;
}

/** Nodes on 127.0.0.0/8 are one machine, and so are nodes of one address: they share 127.0.0.1. */
export function machineOf(address: string): string {
  return isLoopback(address) ? 'loopback' : address;
}

const OCCUPIED_BY_NEW = '';

interface Machine {
  /** Port to the instance that has it. */
  readonly used: Map<number, string>;
  readonly nodes: RangedNode[];
}

export function openLedger(nodes: readonly RangedNode[], holders: Iterable<Holder>): PortLedger {
  const machines = new Map<string, Machine>();
  const machineAt = (address: string): Machine => {
    const key = machineOf(address);
    const machine = machines.get(key) ?? { used: new Map(), nodes: [] };
    machines.set(key, machine);
    return machine;
  };
  const byName = new Map(nodes.map((node) => [node.node, node]));
  /** Counted along: placement asks for it for every node and every instance. */
  const free = new Map(nodes.map(({ node, range }) => [node, range.last - range.first + 1]));
  for (const node of nodes) machineAt(node.address).nodes.push(node);

  const occupy = (machine: Machine, port: number, instance: string): void => {
    const isNew = !machine.used.has(port);
    machine.used.set(port, instance);
    for (const { node, range } of isNew ? machine.nodes : []) {
      if (port >= range.first && port <= range.last) free.set(node, (free.get(node) ?? 0) - 1);
    }
  };
  for (const { address, ports, instance } of holders) {
    for (const port of allPorts(ports)) occupy(machineAt(address), port, instance);
  }

  return {
    free: (name) => free.get(name) ?? 0,
    taken: (name) => machineAt(byName.get(name)?.address ?? '').used,
    take(name, desired, heirOf) {
      const node = byName.get(name);
      if (node === undefined) return undefined;
      const machine = machineAt(node.address);
      const next = function* (): Generator<number> {
        for (let port = node.range.first; port <= node.range.last; port++) if (!machine.used.has(port)) yield port;
      };
      const isFree = (port: number): boolean => {
        const holder = machine.used.get(port);
        return holder === undefined || (holder === heirOf && heirOf !== undefined);
      };
      const ports = assign(desired, next(), isFree);
      for (const port of ports === undefined ? [] : allPorts(ports)) occupy(machine, port, OCCUPIED_BY_NEW);
      return ports;
    },
  };
}

function assign(
  desired: Desired,
  range: Iterator<number>,
  isFree: (fixed: number) => boolean,
): InstancePorts | undefined {
  let exhausted = false;
  const next = (): number => {
    const { value, done } = range.next();
    exhausted ||= done === true;
    return done === true ? 0 : value;
  };
  const names = desired.servicePorts.map((port) => port.name);
  const app = isGateway(desired) ? {} : Object.fromEntries(names.map((name) => [name, next()]));
  const inbound = isGateway(desired) ? fixed(desired, isFree) : Object.fromEntries(names.map((name) => [name, next()]));
  if (inbound === undefined) return undefined;
  const proxy = next();
  const metrics = next();
  const upstreams: Record<string, number> = {};
  for (const upstream of desired.upstreams) {
    if (upstream.mode !== 'proxy' || upstream.listener === undefined) continue;
    const wish = upstream.listener;
    upstreams[upstream.name] = wish !== 'auto' && isFree(wish) ? wish : next();
  }
  return exhausted ? undefined : { app, inbound, proxy, metrics, upstreams };
}

/** A gateway on another port than its own would serve nobody. */
function fixed(
  { servicePorts }: Desired,
  isFree: (fixed: number) => boolean,
): Readonly<Record<string, number>> | undefined {
  if (!servicePorts.every(({ port }) => isFree(port))) return undefined;
  return Object.fromEntries(servicePorts.map(({ name, port }) => [name, port]));
}

export function allPorts(ports: InstancePorts): number[] {
  const { app, inbound, proxy, metrics, upstreams } = ports;
  return [...Object.values(app), ...Object.values(inbound), proxy, metrics, ...Object.values(upstreams)];
}
