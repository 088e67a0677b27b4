/** `web` calls `echo` without a sidecar: two instances of v1 and one of v2, real gRPC servers, as their agents would register them. */
import type { NodePlan, PlannedInstance } from '../../src/model/node-plan.js';
import { type GrpcBootstrap, grpcBootstrap } from '../../src/planner/grpc-bootstrap.js';
import { nodePlan, plannedInstance } from './node-plans.js';
import { type PilotHouse, setInstance } from './pilot-house.js';
import { documentsOf } from './small-world.js';
import { startWho, type WhoServer } from './who-servers.js';

const NAMES = ['echo-v1-1', 'echo-v1-2', 'echo-v2-1'];

export interface ProxylessWorld {
  readonly bootstrap: GrpcBootstrap;
  readonly servers: Readonly<Record<string, WhoServer>>;
  /** Weights of v1 and v2; answers the store's revision. */
  split(first: number, second: number): Promise<string>;
  remove(instance: string): Promise<void>;
  stop(): void;
}

export async function proxylessWorld(house: PilotHouse): Promise<ProxylessWorld> {
  const servers = Object.fromEntries(
    await Promise.all(NAMES.map(async (name) => [name, await startWho(name)] as const)),
  );
  const echoes = NAMES.map((instance) => echoInstance(instance, servers[instance]?.port ?? 0));
  const web = plannedInstance({ instance: 'web-v1-1', upstreams: [upstream] });
  const plan = nodePlan(1, [...echoes, web]);
  const split: ProxylessWorld['split'] = async (first, second) => {
    const answer = await house.apply(definitions(first, second));
    return (answer as unknown as { storeRevision: string }).storeRevision; // part of ApplyResponse
  };
  await split(100, 0);
  for (const instance of echoes) await setInstance(house.store, plan, instance, 'healthy');
  return {
    bootstrap: grpcBootstrap(plan, web, [house.pilot.xdsAddress]),
    servers,
    split,
    remove: (name) => removeInstance(house, plan, echoes, name),
    stop: () => Object.values(servers).forEach((server) => server.stop()),
  };
}

const upstream: PlannedInstance['upstreams'][number] = {
  mode: 'proxy',
  name: 'echo',
  namespace: 'default',
  service: 'echo',
  port: 50051,
  protocol: 'grpc',
  listener: undefined,
};

function echoInstance(instance: string, port: number): PlannedInstance {
  return plannedInstance({
    instance,
    servicePorts: [{ name: 'grpc', port: 50051, protocol: 'grpc' }],
    ports: { app: { grpc: port }, inbound: { grpc: port }, proxy: 1, metrics: 2, upstreams: {} },
  });
}

async function removeInstance(
  house: PilotHouse,
  plan: NodePlan,
  echoes: readonly PlannedInstance[],
  name: string,
): Promise<void> {
  const instance = echoes.find((one) => one.instance === name);
  if (instance) await setInstance(house.store, plan, instance, 'unhealthy', false);
}

function definitions(first: number, second: number): string {
  const services = [
    { name: 'web', spec: { port: 80, upstreams: [{ service: 'echo' }] } },
    { name: 'echo', spec: { port: 50051, protocol: 'grpc', stable: 'v1' }, versions: { v1: {}, v2: {} } },
  ];
  const route = {
    apiVersion: 'mesh/v1',
    kind: 'Route',
    metadata: { name: 'echo' },
    spec: {
      service: 'echo',
      rules: [
        {
          name: 'testers',
          match: [{ headers: { 'x-user': { exact: 'jason' } } }],
          split: [{ version: 'v2', weight: 100 }],
          retries: { attempts: 2, on: ['unavailable'] },
        },
        {
          name: 'rest',
          split: [
            { version: 'v1', weight: first },
            { version: 'v2', weight: second },
          ],
        },
      ],
    },
  };
  return [...documentsOf({ nodes: [], deploy: [], services }), route].map((one) => JSON.stringify(one)).join('\n---\n');
}
