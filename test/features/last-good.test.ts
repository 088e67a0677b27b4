/** Goal: the agent's own half over real gRPC on its socket: what is served from disk, which generation, and to whom. */
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type LastGood, serveLastGood } from '../../src/agent/agent.js';
import type { KeptResource } from '../../src/agent/last-good.js';
import { readLastGood, writeLastGood } from '../../src/agent/last-good-files.js';
import { configDump, requestsInFlight } from '../../src/agent/sidecar-admin.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { temporaryFolder } from '../support/mesh-process.js';
import { until } from '../support/until.js';
import { createXdsClient, type XdsClient } from '../support/xds-client.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let instance: string;
let lastGood: LastGood;
let client: XdsClient;

const clusterOf = (name: string): KeptResource => ({
  type: 'CDS',
  json: { name, type: 'STATIC', connectTimeout: '1s' },
});
const current = (): string => path.join(instance, 'last-good.jsonl');
const proxy = (id: string): object => ({ id, cluster: 'web' });

beforeEach(async () => {
  folder = await temporaryFolder('last-good');
  // Deeper than the address of a socket may be long.
  const dataDir = path.join(folder.path, 'd'.repeat(100));
  instance = path.join(dataDir, 'vm-1', 'web-v1-1');
  await mkdir(instance, { recursive: true });
  lastGood = await serveLastGood({ dataDir, node: 'vm-1', clock: systemClock, log: silentLogger });
  await symlink(path.join(dataDir, 'vm-1/shared'), path.join(folder.path, 's'));
  client = createXdsClient(`unix:${folder.path}/s/lkg.sock`);
});

afterEach(async () => {
  client.close();
  await lastGood.close();
  await folder.remove();
});

async function served(): Promise<readonly string[]> {
  const stream = client.delta(proxy('default/web/web-v1-1@vm-1'));
  stream.send('CDS');
  const { resources } = await stream.next('CDS');
  stream.end();
  return [...resources.keys()];
}

test('a sidecar gets what was kept for its instance', async () => {
  await writeLastGood(instance, [clusterOf('kept')]);
  expect(await lastGood.kept()).toEqual(['web-v1-1']);
  expect(await served()).toEqual(['kept']);
  expect(lastGood.problems()).toEqual([]);
});

test('a damaged file gives way to the generation before, and the agent says so', async () => {
  await writeLastGood(instance, [clusterOf('older')]);
  await writeLastGood(instance, [clusterOf('newer')]);
  const text = await readFile(current(), 'utf8');
  await writeFile(current(), text.replace('newer', 'nEwer'));
  expect(await served()).toEqual(['older']);
  expect(lastGood.problems()).toEqual([expect.stringContaining('web-v1-1 is damaged: last-good.jsonl: its checksum')]);
  // The damaged one does not take the place of the good one.
  await writeLastGood(instance, [clusterOf('newest')]);
  await writeFile(current(), '');
  expect((await readLastGood(instance)).resources).toEqual([clusterOf('older')]);
});

test('what is unchanged is not written again', async () => {
  expect(await writeLastGood(instance, [clusterOf('a')])).toBe(true);
  expect(await writeLastGood(instance, [clusterOf('a')])).toBe(false);
  expect(await readdir(instance)).toEqual(['last-good.jsonl']);
});

test('nothing is written for an instance that has gone', async () => {
  await rm(instance, { recursive: true });
  await expect(writeLastGood(instance, [clusterOf('a')])).rejects.toThrow('ENOENT');
});

test('a sidecar for which nothing is kept, or of another node, is told why', async () => {
  for (const [id, why] of [
    ['default/web/web-v1-1@vm-1', 'nothing is kept for default/web/web-v1-1@vm-1'],
    ['default/web/web-v1-1@vm-2', 'is no sidecar of node vm-1'],
    ['default/web/../secrets@vm-1', 'is no sidecar of node vm-1'],
  ] as const) {
    const stream = client.delta(proxy(id));
    stream.send('CDS');
    expect((await stream.status()).details).toContain(why);
  }
});

test('the socket is served again when a second agent took its name and left', async () => {
  await writeLastGood(instance, [clusterOf('kept')]);
  const dataDir = path.dirname(path.dirname(instance));
  const second = await serveLastGood({ dataDir, node: 'vm-1', clock: systemClock, log: silentLogger });
  await second.close();
  await until('it answers', async () => {
    const fresh = createXdsClient(`unix:${folder.path}/s/lkg.sock`);
    const stream = fresh.delta(proxy('default/web/web-v1-1@vm-1'));
    stream.send('CDS');
    const isServed = await Promise.race([stream.next('CDS').then(() => true), stream.status().then(() => false)]);
    fresh.close();
    return isServed;
  });
});

test('a sidecar without any resource of one kind is asked for the others all the same', async () => {
  const socket = path.join(folder.path, 'admin.sock');
  const admin = createServer((request, response) => {
    const isThere = request.url?.includes('dynamic_listeners') === true;
    response.statusCode = isThere ? 200 : 404;
    response.end(isThere ? '{"configs":[{"name":"l"}]}' : 'dynamic_route_configs not found in config dump');
  });
  await new Promise<void>((resolve) => admin.listen(socket, resolve));
  const { signal } = new AbortController();
  expect(await configDump(socket, 'dynamic_route_configs', signal)).toEqual([]);
  expect(await configDump(socket, 'dynamic_listeners', signal)).toEqual([{ name: 'l' }]);
  await expect(requestsInFlight(socket, signal)).rejects.toThrow('HTTP status 404');
  await new Promise((resolve) => admin.close(resolve));
});
