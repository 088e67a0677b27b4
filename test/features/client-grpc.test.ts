/** `etcd:///…` as a target of grpc-js: what calls meet while the list behind it changes, under both of gRPC's usual policies. */
import { Client, credentials, experimental, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Running, startApp } from '../../fixtures/apps/demo-app/app.js';
import { type EchoReply, echoService } from '../../fixtures/apps/demo-app/echo.js';
import { namingResolver } from '../../src/client/grpc.js';
import type { Naming } from '../../src/client/naming.js';
import { until } from '../support/until.js';

interface NamingInHand extends Naming {
  give(...addresses: string[]): void;
  readonly isClosed: boolean;
}

function namingInHand(...first: string[]): NamingInHand {
  const listeners = new Set<(addresses: readonly string[]) => void>();
  let addresses: readonly string[] = first;
  let isClosed = false;
  return {
    addresses: () => addresses,
    next: () => addresses[0] ?? '',
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {
      isClosed = true;
      return Promise.resolve();
    },
    give: (...next) => {
      addresses = next;
      for (const listener of listeners) listener(next);
    },
    get isClosed() {
      return isClosed;
    },
  };
}

let opened: NamingInHand;
let asked: string;
let open: () => Promise<Naming>;
const apps: Running[] = [];
const clients: Client[] = [];

const addressOf = (app: Running | undefined): string => `127.0.0.1:${app?.ports[0]}`;

beforeAll(async () => {
  experimental.registerResolver(
    'hand',
    namingResolver((path) => {
      asked = path;
      return open();
    }),
  );
  for (const version of ['v1', 'v2']) {
    apps.push(await startApp({ PORT: '0', MESH_PROTOCOL: 'grpc', MESH_SERVICE: 'audit', MESH_VERSION: version }));
  }
});

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

afterAll(() => Promise.all(apps.map((app) => app.close())));

function dial(policy: string, target = 'hand:///services/audit'): Client {
  const client = new Client(target, credentials.createInsecure(), {
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ [policy]: {} }] }),
  });
  clients.push(client);
  return client;
}

/** The version that answers, or the failure. */
function say(client: Client): Promise<string> {
  return new Promise((resolve) => {
    client.makeUnaryRequest(
      echoService.say.path,
      echoService.say.requestSerialize,
      echoService.say.responseDeserialize,
      { message: '' },
      new Metadata(),
      { deadline: Date.now() + 5000 },
      (error: ServiceError | null, reply?: EchoReply) =>
        resolve(error === null ? (reply?.version ?? '') : `${status[error.code]} ${error.details}`),
    );
  });
}

const versionsOf = async (client: Client, calls: number): Promise<string> => {
  const seen = new Set<string>();
  for (let n = 0; n < calls; n++) seen.add(await say(client));
  return [...seen].sort().join();
};

describe.each(['round_robin', 'pick_first'])('under %s', (policy) => {
  it('calls wait for the first list', async () => {
    let give: (naming: Naming) => void = () => {};
    open = () => new Promise((resolve) => (give = resolve));
    const answer = say(dial(policy));
    await until('the list is asked for', () => asked === 'services/audit');
    give(namingInHand(addressOf(apps[0])));
    expect(await answer).toBe('v1');
  });

  it('calls follow the list', async () => {
    opened = namingInHand(addressOf(apps[0]));
    open = () => Promise.resolve(opened);
    const client = dial(policy);
    expect(await say(client)).toBe('v1');
    opened.give(addressOf(apps[1]));
    await until('the new one answers', async () => (await versionsOf(client, 4)) === 'v2');
  });

  it('calls fail with the reason while nobody is registered, and recover', async () => {
    opened = namingInHand();
    open = () => Promise.resolve(opened);
    const client = dial(policy);
    expect(await say(client)).toContain('UNAVAILABLE hand:///services/audit: no instance is registered');
    opened.give(addressOf(apps[0]));
    await until('it answers', async () => (await say(client)) === 'v1');
    opened.give();
    // gRPC's pick_first stays with a connection that lives; round_robin gives up what is not in the list.
    expect(await say(client)).toContain(policy === 'pick_first' ? 'v1' : 'no instance is registered');
    opened.give(addressOf(apps[1]));
    await until('the other answers', async () => (await say(client)) === 'v2');
  });

  it('a closed channel closes its list, also one that comes too late', async () => {
    opened = namingInHand(addressOf(apps[0]));
    open = () => Promise.resolve(opened);
    const client = dial(policy);
    expect(await say(client)).toBe('v1');
    client.close();
    expect(opened.isClosed).toBe(true);

    const late = namingInHand(addressOf(apps[0]));
    let give: (naming: Naming) => void = () => {};
    open = () => new Promise((resolve) => (give = resolve));
    const second = dial(policy);
    const answer = say(second);
    second.close();
    give(late);
    expect(await answer).toContain('UNAVAILABLE');
    await until('the late list is closed', () => late.isClosed);
  });
});

it('round robin goes over all addresses, and a lost one takes no call with it', async () => {
  opened = namingInHand(...apps.map(addressOf));
  open = () => Promise.resolve(opened);
  const client = dial('round_robin');
  await until('both answer', async () => (await versionsOf(client, 10)) === 'v1,v2');
  const answers = Promise.all(Array.from({ length: 50 }, () => say(client)));
  opened.give(addressOf(apps[0]));
  expect([...new Set(await answers)].filter((answer) => answer.startsWith('UNAVAILABLE'))).toEqual([]);
});

it('the authority is the service, whichever form the target has', () => {
  const names = ['services/audit', 'versions/audit/v2', 'services.shop/audit', '/legacy/services/audit', 'audit'];
  const resolver = namingResolver(open);
  expect(names.map((path) => resolver.getDefaultAuthority({ scheme: 'etcd', path }))).toEqual(Array(5).fill('audit'));
});
