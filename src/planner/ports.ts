/** Who listens where. Ports come from the node's range, lowest free first, and belong to an instance for its life. */
import type { InstancePorts } from '../model/instance.js';
import { isLoopback } from '../model/names.js';
import type { PortRange } from '../model/node.js';
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

export function openLedger(nodes: readonly RangedNode[], holders: Iterable<Holder>): PortLedger {
  /** By machine: port to the instance that has it. */
  const taken = new Map<string, Map<number, string>>();
  const machine = (address: string): Map<number, string> => {
    const key = machineOf(address);
    let ports = taken.get(key);
    if (ports === undefined) taken.set(key, (ports = new Map()));
    return ports;
  };
  for (const holder of holders) {
    for (const port of allPorts(holder.ports)) machine(holder.address).set(port, holder.instance);
  }
  const byName = new Map(nodes.map((node) => [node.node, { ...node, used: machine(node.address) }]));

  const free = (name: string): number => {
    const node = byName.get(name);
    if (node === undefined) return 0;
    const { first, last } = node.range;
    const used = [...node.used.keys()].filter((port) => port >= first && port <= last).length;
    return last - first + 1 - used;
  };

  return {
    free,
    take(name, desired, heirOf) {
      const node = byName.get(name);
      if (node === undefined) return undefined;
      const next = function* (): Generator<number> {
        for (let port = node.range.first; port <= node.range.last; port++) if (!node.used.has(port)) yield port;
      };
      const fixed = (port: number): boolean => {
        const holder = node.used.get(port);
        return holder === undefined || (holder === heirOf && heirOf !== undefined);
      };
      const ports = assign(desired, next(), fixed);
      for (const port of ports === undefined ? [] : allPorts(ports)) node.used.set(port, OCCUPIED_BY_NEW);
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
  const app = Object.fromEntries(names.map((name) => [name, next()]));
  const inbound = Object.fromEntries(names.map((name) => [name, next()]));
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

export function allPorts(ports: InstancePorts): number[] {
  const { app, inbound, proxy, metrics, upstreams } = ports;
  return [...Object.values(app), ...Object.values(inbound), proxy, metrics, ...Object.values(upstreams)];
}
