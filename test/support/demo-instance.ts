import { spawn } from 'node:child_process';
import path from 'node:path';
import type { PlannedInstance } from '../../src/model/node-plan.js';
import { freePort, root } from './mesh-process.js';
import { plannedInstance } from './node-plans.js';
import { until } from './until.js';

/** The demo application alone, as `service-version-number`: no sidecar stands before it, its port is the inbound one. */
export async function startDemoInstance(instance: string, closers: (() => void)[]): Promise<PlannedInstance> {
  const port = await freePort();
  const planned = plannedInstance({
    instance,
    ports: { app: { http: port }, inbound: { http: port }, proxy: 1, metrics: 2, upstreams: {} },
  });
  const { service, version } = planned;
  const env = { PORT: String(port), MESH_SERVICE: service, MESH_VERSION: version, MESH_INSTANCE: instance };
  const main = path.join(root, 'dist/apps/demo-app/main.js');
  const child = spawn(process.execPath, [main], { stdio: 'ignore', env: { ...process.env, ...env } });
  closers.push(() => void child.kill('SIGKILL'));
  await until(`${instance} answers`, async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).ok, 20_000);
  return planned;
}
