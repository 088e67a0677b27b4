/** What happened, from whoever saw it to `mesh events`. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Interrupted } from '../../src/cli/io.js';
import type { EventItem, List } from '../../src/model/api.js';
import type { EventNews } from '../../src/model/mesh-event.js';
import { systemClock } from '../../src/runtime/clock.js';
import { silentLogger } from '../../src/runtime/logger.js';
import { type EventLog, openEventLog } from '../../src/store/event-log.js';
import { type CliOptions, type CliResult, cli } from '../support/cli-io.js';
import { openPilotHouse, type PilotHouse, runPlans } from '../support/pilot-house.js';
import { until } from '../support/until.js';
import { readWorld } from '../support/worlds.js';

let house: PilotHouse;
let log: EventLog;

const instance = (name: string, service: string, reason: 'healthy' | 'unhealthy', message: string): EventNews => {
  const tone = reason === 'healthy' ? 'normal' : 'warning';
  return { reason, tone, kind: 'Instance', namespace: 'default', name, service, node: 'node-a', message };
};

beforeAll(async () => {
  house = await openPilotHouse();
  await house.apply(readWorld('example'), { why: 'first' });
  log = openEventLog({ store: house.store, clock: systemClock, log: silentLogger, by: 'agent node-a' });
  log.record(instance('reviews-v1-2', 'reviews', 'healthy', 'registered'));
  log.record(instance('details-v1-2', 'details', 'unhealthy', 'app: HTTP status 503'));
  log.record({ reason: 'node-back', tone: 'normal', kind: 'Node', name: 'node-a', node: 'node-a', message: 'up' });
  await until('three events are stored', async () => {
    const { entries } = await house.store.list(house.store.keys.below('event'));
    return entries.filter(({ value }) => value.includes('agent node-a')).length === 3;
  });
});

afterAll(async () => {
  await log.close();
  await house.close();
});

const mesh = (line: string, options: CliOptions = {}): Promise<CliResult> =>
  cli(line.split(' '), { fetch, env: { MESH_SERVER: `http://${house.pilot.httpAddress}` }, ...options });

/** Without those of the pilots, whose election comes when it comes. */
const reasons = async (line: string): Promise<string[]> => {
  const list = JSON.parse((await mesh(`${line} -o json`)).stdout) as List<EventItem>;
  return list.items.filter(({ kind }) => kind !== 'Pilot').map(({ reason, name }) => `${reason} ${name}`);
};

test('events and revisions are one story, newest last', async () => {
  expect(await reasons('events')).toEqual([
    'revision 1',
    'healthy reviews-v1-2',
    'unhealthy details-v1-2',
    'node-back node-a',
  ]);
  const { stdout } = await mesh('events -o wide');
  expect(stdout).toMatch(/^AT +REASON +WHAT +BY +MESSAGE\n/);
  expect(stdout).toMatch(/ revision +Revision\/1 +test +apply: .* created, and 10 more \(first\)\n/);
  expect(stdout).toMatch(/ unhealthy +Instance\/details-v1-2 +agent node-a +app: HTTP status 503\n/);
});

test('a service shows its instances and what was defined for it, a node what runs there', async () => {
  expect(await reasons('events reviews')).toEqual(['revision 1', 'healthy reviews-v1-2']);
  expect(await reasons('events svc/reviews')).toEqual(['revision 1']);
  expect(await reasons('events instance/details-v1-2')).toEqual(['unhealthy details-v1-2']);
  const node = ['revision 1', 'healthy reviews-v1-2', 'unhealthy details-v1-2', 'node-back node-a'];
  expect(await reasons('events node/node-a')).toEqual(node);
  expect(await reasons('events -n other')).toEqual(['revision 1', 'node-back node-a']);
});

test('a gray transition is told from its revision', async () => {
  await house.post('/v1/deploy', { by: 'test' });
  await runPlans(house.store);
  await house.post('/v1/gray/default/reviews/start', { by: 'test', to: 'v2', weight: 10 });
  const { items } = await house.get<List<EventItem>>('/v1/events?service=reviews&limit=1');
  expect(items.map(({ message }) => message)).toEqual(['gray start: default/reviews v1 to v2: step at 10 %']);
});

test('the leader of the pilots tells that it leads, and of nodes whose agents have gone', async () => {
  const told = async (kind: string): Promise<string[]> => {
    const { items } = await house.get<List<EventItem>>(`/v1/events?kind=${kind}`);
    return items.map(({ reason, name, by }) => `${reason} ${name} by ${by}`);
  };
  await until('it leads', async () => (await told('Pilot')).includes('leader p1 by pilot p1'));
  const registrar = house.store.registrar({ ttlSeconds: 10 });
  registrar.set(house.store.keys.node('node-b'), JSON.stringify({ node: 'node-b' }));
  await registrar.flush();
  await registrar.close();
  await until('it is told', async () => (await told('Node')).includes('node-gone node-b by pilot p1'));
});

test('the same thing again is counted, and a watch shows it again', async () => {
  const interrupt = new AbortController();
  const lines: string[] = [];
  let stdout = '';
  const watching = mesh('events details -w -o json', {
    signal: interrupt.signal,
    // The second look comes when the second sight has been written.
    clock: {
      ...systemClock,
      sleep: async () => {
        log.record(instance('details-v1-2', 'details', 'unhealthy', 'app: HTTP status 503'));
        await until('it is counted', async () => {
          const { items } = await house.get<List<EventItem>>('/v1/events?kind=Instance&name=details-v1-2');
          return items[0]?.count === 2;
        });
        if (lines.push('looked') === 2) interrupt.abort(new Interrupted());
        interrupt.signal.throwIfAborted();
      },
    },
  });
  ({ stdout } = await watching);
  const seen = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as EventItem);
  expect(seen.filter(({ reason }) => reason === 'unhealthy').map(({ count }) => count)).toEqual([1, 2]);
});

test('what cannot be meant is refused with what to write instead', async () => {
  expect(await mesh('events revievs')).toMatchObject({ exit: 4, stderr: expect.stringContaining('"reviews"') });
  expect(await mesh('events node/nod-a')).toMatchObject({ exit: 4, stderr: expect.stringContaining('"node-a"') });
  expect(await mesh('events --since yesterday')).toMatchObject({ exit: 2, stderr: expect.stringContaining('10m') });
  expect(await mesh('events a/b/c')).toMatchObject({ exit: 2, stderr: expect.stringContaining('node/node-a') });
  expect((await mesh('events --since 0s')).stderr).toContain('Nothing happened within 0s');
});
