/**
 * What the fault scenarios of hosts play on: three hosts with a Docker engine and an agent each, an instance of `reviews` on
 * every one, `productpage` that calls them on the first; etcd and two pilots on this machine, and two Envoys here that call
 * reviews over the network.
 */
import path from 'node:path';
import type { InstanceItem } from '../../src/model/api.js';
import { type Caller, startCallers } from './caller.js';
import { type Etcd, startEtcd } from './etcd.js';
import { type Host, type Hosts, openHosts } from './hosts.js';
import { type Daemon, meshOk, startDaemon, temporaryFolder } from './mesh-process.js';
import { type PilotProcess, pilotProcess } from './pilots.js';
import { smallWorld } from './small-world.js';
import { until } from './until.js';

export const NAMES = ['a', 'b', 'c'] as const;
export type HostName = (typeof NAMES)[number];

const IMAGE = 'lightmesh/demo-app:1';
const UPSTREAM = { service: 'reviews', port: 9080 };
const CALLERS = 2;
const health = { http: '/healthz', interval: '0.5s', timeout: '1s', rise: 1, fall: 2 };

export interface HostStage {
  readonly hosts: Hosts;
  readonly etcd: Etcd;
  readonly pilots: readonly PilotProcess[];
  readonly callers: readonly Caller[];
  host(name: HostName): Host;
  agent(name: HostName): Daemon;
  startAgent(name: HostName): void;
  /** Sets the kind Mesh. */
  setMesh(spec: object): Promise<void>;
  /** As `mesh ps` shows them; while a pilot serves. */
  instances(): Promise<readonly InstanceItem[]>;
  instance(service: string, name: HostName): Promise<InstanceItem>;
  /** Every caller sends requests to exactly the reviews of these hosts. Answers with how long that took, in ms. */
  callersUse(names: readonly HostName[], timeoutMs: number): Promise<number>;
  /** What the callers' configurations have gone through. */
  changes(): Promise<readonly object[]>;
  close(): Promise<void>;
}

export async function openHostStage(mesh: object): Promise<HostStage> {
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    for (let next = closers.pop(); next !== undefined; next = closers.pop()) await next();
  };
  try {
    const hosts = await openHosts(NAMES);
    closers.push(() => hosts.close());
    const folder = await temporaryFolder('hosts');
    closers.push(() => folder.remove());
    const listen = (port: number): string => ['127.0.0.1', hosts.ownAddress].map((ip) => `http://${ip}:${port}`).join();
    const etcd = await startEtcd((port) => ({ 'listen-client-urls': listen(port) }));
    closers.push(() => etcd.stop());
    const storeUrl = etcd.url.replace('127.0.0.1', hosts.ownAddress);
    const at = { storeUrl, host: hosts.ownAddress, trustedNetwork: hosts.network };
    const pilots = [await pilotProcess('p1', at), await pilotProcess('p2', at)] as const;
    closers.push(async () => void (await Promise.all(pilots.map((pilot) => pilot.kill()))));
    await Promise.all(pilots.map((pilot) => pilot.start()));
    const cli = (...args: readonly string[]): Promise<string> => meshOk(['--server', pilots[0].server, ...args]);
    const apply = async (input: string): Promise<void> =>
      void (await meshOk(['--server', pilots[0].server, 'apply', '-f', '-'], { input }));
    await apply(worldOf(hosts, mesh));
    const agents = new Map<HostName, Daemon>();
    const startAgent = (name: HostName): void => {
      const { inside, env } = hosts.host(name);
      const args = ['agent', '--store', storeUrl, '--node', name, '--data-dir', path.join(folder.path, name)];
      agents.set(name, startDaemon(args, { inside, env }));
    };
    for (const name of NAMES) startAgent(name); // they end with their hosts
    await cli('deploy', '--timeout', '120s').catch((error: unknown) => {
      throw new Error(`${String(error)}\n${[...agents.values()].map((agent) => agent.log().slice(-2000)).join('\n')}`);
    });
    const callers = await startCallers(CALLERS, { pilots: pilots.map(({ xds }) => xds), upstream: UPSTREAM }, closers);
    const instances = async (): Promise<readonly InstanceItem[]> =>
      (JSON.parse(await cli('ps', '-o', 'json')) as { items: InstanceItem[] }).items;
    const stage: HostStage = {
      hosts,
      etcd,
      pilots,
      callers,
      host: (name) => hosts.host(name),
      agent: (name) => agents.get(name) as Daemon,
      startAgent,
      setMesh: (spec) => apply(smallWorld({ mesh: spec, nodes: [], services: [], deploy: [] })),
      instances,
      async instance(service, name) {
        const found = (await instances()).find((one) => one.service === service && one.node === name);
        if (found === undefined) throw new Error(`no instance of ${service} on host ${name}`);
        return found;
      },
      async callersUse(names, timeoutMs) {
        const startedMs = performance.now();
        const wanted = hostsOf(names.map((name) => hosts.host(name).address));
        const used = async (caller: Caller): Promise<string> => hostsOf(await caller.healthy());
        await until(
          `all callers use the hosts ${names.join(', ')}`,
          async () => (await Promise.all(callers.map(used))).every((one) => one === wanted),
          timeoutMs,
        );
        return performance.now() - startedMs;
      },
      changes: () => Promise.all(callers.map((caller) => caller.changes())),
      close,
    };
    await stage.callersUse(NAMES, 30_000);
    return stage;
  } catch (error) {
    await close();
    throw error;
  }
}

/** One text of all the hosts among these addresses, with or without ports. */
function hostsOf(addresses: Iterable<string>): string {
  const found = [...addresses].map((address) => address.split(':')[0] ?? '');
  found.sort();
  return found.join();
}

function worldOf(hosts: Hosts, mesh: object): string {
  const container = { image: IMAGE, stop_grace_period: '2s' };
  return smallWorld({
    mesh,
    nodes: NAMES.map((name) => ({ name, address: hosts.host(name).address, ports: '20000-20099', labels: { name } })),
    services: [
      { name: 'web', spec: { port: 8080, protocol: 'http' } },
      {
        name: 'productpage',
        spec: { port: 9080, protocol: 'http', stable: 'v1', health, upstreams: [{ service: UPSTREAM.service }] },
        versions: { v1: container },
      },
      {
        name: UPSTREAM.service,
        spec: { port: UPSTREAM.port, protocol: 'http', stable: 'v1', health },
        versions: { v1: container },
      },
    ],
    deploy: [
      { service: 'productpage', version: 'v1', instances: 1, nodeSelector: { name: 'a' } },
      { service: UPSTREAM.service, version: 'v1', perNode: 1 },
    ],
  });
}
