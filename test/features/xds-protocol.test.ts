/**
 * The rules of the xDS protocol document (envoyproxy.io, "xDS REST and gRPC protocol") that bind a server, one by one,
 * against the real server over real gRPC. Section names of the document are those of the `describe`s.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { ProxyStatus } from '../../src/xds/ads-host.js';
import { encodeResource } from '../../src/xds/encode.js';
import { any } from '../../src/xds/envoy-any.js';
import type { EncodedResource } from '../../src/xds/resource-cache.js';
import type { ResourceShort } from '../../src/xds/resource-types.js';
import { until } from '../support/until.js';
import type { XdsResponse, XdsStream } from '../support/xds-client.js';
import { cluster, endpoints, listener, routes, runtimeLayer, viewOf } from '../support/xds-resources.js';
import { startXds, type TestXds } from '../support/xds-test-host.js';

describe.each(['http2', 'grpc-js'] as const)('over %s', (transport) => {
  let xds: TestXds;
  let revision = 0;
  afterEach(() => xds.stop());

  const PROBE = runtimeLayer('probe', {});

  async function serve(...resources: EncodedResource[]): Promise<TestXds> {
    xds = await startXds({ transport });
    show(...resources);
    return xds;
  }

  function show(...resources: EncodedResource[]): void {
    xds.show(viewOf(++revision, [PROBE, ...resources]));
  }

  function only(): ProxyStatus {
    const [proxy] = xds.server.proxies();
    if (!proxy) throw new Error('no proxy');
    return proxy;
  }

  const namesOf = ({ resources }: XdsResponse): string[] => [...resources.keys()].sort();
  const flavours = ['delta', 'sotw'] as const;
  const open = (kind: 'delta' | 'sotw', id = 'proxy-1'): XdsStream => xds.client()[kind]({ id });
  /** Names as each flavour says them. */
  const wish = (kind: 'delta' | 'sotw', names: string[]): object =>
    kind === 'delta' ? { resourceNamesSubscribe: names } : { resourceNames: names };

  /** A cluster that was acknowledged, and its change, which was not answered yet. */
  async function servedTwice(kind: 'delta' | 'sotw') {
    await serve(cluster('a'));
    const stream = open(kind);
    stream.send('CDS');
    const first = await stream.next();
    stream.ack(first);
    show(cluster('a', 1));
    return { stream, first, second: await stream.next() };
  }

  /** The server has nothing to say: what it is asked next is what it answers next. */
  async function expectSilence(stream: XdsStream, kind: 'delta' | 'sotw'): Promise<void> {
    const before = stream.responses.length;
    stream.send('RTDS', wish(kind, ['probe']));
    const answer = await stream.next('RTDS');
    stream.ack(answer, kind === 'sotw' ? { resourceNames: [] } : { resourceNamesUnsubscribe: ['probe'] });
    expect(stream.responses.slice(before)).toEqual([answer]);
  }

  describe.each(flavours)('ACK, NACK and nonces (%s)', (kind) => {
    test('each response has a nonce of its own and the version of what it brings', async () => {
      const { first, second } = await servedTwice(kind);
      expect(first.nonce).not.toBe('');
      expect(second.nonce).not.toBe(first.nonce);
      expect(first.version).not.toBe('');
      expect(second.version).not.toBe(first.version);
    });

    test('an ACK is not answered', async () => {
      await serve(cluster('a'));
      const stream = open(kind);
      stream.send('CDS');
      stream.ack(await stream.next());
      await expectSilence(stream, kind);
    });

    test('a NACK is not answered, with the same resource least of all', async () => {
      await serve(cluster('a'));
      const stream = open(kind);
      stream.send('CDS');
      stream.nack(await stream.next(), 'no');
      await expectSilence(stream, kind);
      expect(only().types.CDS).toMatchObject({ state: 'NACK', error: 'no' });
    });

    test('after a NACK the next version is sent', async () => {
      await serve(cluster('a'));
      const stream = open(kind);
      stream.send('CDS');
      stream.nack(await stream.next(), 'no');
      show(cluster('a', 1));
      const better = await stream.next();
      expect(better.resources.get('a')?.json).toMatchObject({ connectTimeout: '2s' });
      stream.ack(better);
      await until('it is acknowledged', () => only().types.CDS?.state === 'SYNCED');
    });

    test('an ACK with a stale nonce acknowledges nothing', async () => {
      const { stream, first, second } = await servedTwice(kind);
      stream.ack(first);
      await expectSilence(stream, kind);
      expect(only().types.CDS?.state).toBe('STALE');
      stream.ack(second);
      await until('it is acknowledged', () => only().types.CDS?.state === 'SYNCED');
    });

    test('a NACK with a stale nonce refuses nothing', async () => {
      const { stream, first, second } = await servedTwice(kind);
      stream.nack(first, 'too late');
      stream.ack(second);
      await until('it is acknowledged', () => only().types.CDS?.state === 'SYNCED');
      expect(xds.rejections).toEqual([]);
    });

    test('at most one response of a type waits for its answer, and what comes meanwhile goes into the next', async () => {
      await serve(cluster('a'));
      const stream = open(kind);
      stream.send('CDS');
      const first = await stream.next();
      for (const variant of [1, 2, 3]) show(cluster('a', variant));
      await expectSilence(stream, kind);
      stream.ack(first);
      expect((await stream.next()).resources.get('a')?.json).toMatchObject({ connectTimeout: '4s' });
    });

    test('types are acknowledged apart: a NACK of one is none of the other', async () => {
      await serve(cluster('a'), listener('l', 'r'));
      const stream = open(kind);
      stream.send('CDS');
      stream.send('LDS');
      stream.ack(await stream.next('CDS'));
      stream.nack(await stream.next('LDS'), 'port');
      await until('it is told', () => only().types.LDS?.state === 'NACK');
      expect(only().types.CDS?.state).toBe('SYNCED');
    });

    test('the node is needed in the first message only, and the first one counts', async () => {
      await serve(cluster('a'), endpoints('a'));
      const stream = open(kind);
      stream.send('CDS');
      stream.ack(await stream.next());
      stream.send('EDS', { ...wish(kind, ['a']), node: { id: 'somebody-else' } });
      await stream.next('EDS');
      expect(xds.connected.map(({ id }) => id)).toEqual(['proxy-1']);
    });

    test('a stream that begins without a node is refused with a reason', async () => {
      await serve(cluster('a'));
      const stream = xds.client()[kind]({});
      stream.send('CDS');
      expect(await stream.status()).toMatchObject({ code: 3, details: /node with an id/ });
    });

    test('a type that is not served is not answered, and costs nothing but itself', async () => {
      await serve(cluster('a'));
      const stream = open(kind);
      stream.send({ typeUrl: 'type.googleapis.com/envoy.no.Such' }, wish(kind, ['x']));
      stream.send('CDS');
      expect(namesOf(await stream.next())).toEqual(['a']);
      await expectSilence(stream, kind);
    });

    test('over ADS a message must say of which type it is', async () => {
      await serve(cluster('a'));
      const stream = open(kind);
      stream.send({ typeUrl: '' });
      expect(await stream.status()).toMatchObject({ code: 3, details: /type_url/ });
    });
  });

  describe.each(flavours)('How the client specifies what resources to return (%s)', (kind) => {
    test('only what was asked for is sent, and all of it', async () => {
      await serve(endpoints('a'), endpoints('b'), endpoints('c'));
      const stream = open(kind);
      stream.send('EDS', wish(kind, ['a', 'c']));
      expect(namesOf(await stream.next())).toEqual(['a', 'c']);
    });

    test('a type that was not asked for is not sent', async () => {
      await serve(cluster('a'), endpoints('a'), listener('l', 'r'), routes('r', ['a']));
      const stream = open(kind);
      stream.send('CDS');
      stream.ack(await stream.next());
      await expectSilence(stream, kind);
    });

    test.each(['CDS', 'LDS'] as const)('a first request of %s without names is a wildcard', async (type) => {
      await serve(cluster('a'), cluster('b'), listener('a', 'r'), listener('b', 'r'));
      const stream = open(kind);
      stream.send(type);
      expect(namesOf(await stream.next())).toEqual(['a', 'b']);
    });

    test.each(['EDS', 'RDS'] as const)('a first request of %s without names asks for nothing', async (type) => {
      await serve(endpoints('a'), routes('r', ['a']));
      const stream = open(kind);
      stream.send(type);
      await expectSilence(stream, kind);
    });

    test('`*` is a wildcard, also beside names', async () => {
      await serve(cluster('a'), cluster('b'));
      const stream = open(kind);
      stream.send('CDS', wish(kind, ['*', 'a']));
      expect(namesOf(await stream.next())).toEqual(['a', 'b']);
      show(cluster('a'), cluster('b'), cluster('c'));
      stream.ack(stream.responses[0] as XdsResponse, kind === 'sotw' ? { resourceNames: ['*', 'a'] } : {});
      expect(namesOf(await stream.next())).toContain('c');
    });

    test('names of clusters and listeners are no wildcard', async () => {
      await serve(cluster('a'), cluster('b'));
      const stream = open(kind);
      stream.send('CDS', wish(kind, ['b']));
      const first = await stream.next();
      expect(namesOf(first)).toEqual(['b']);
      stream.ack(first, kind === 'sotw' ? { resourceNames: ['b'] } : {});
      show(cluster('a', 1), cluster('b'));
      await expectSilence(stream, kind);
    });

    test('a wildcard may come after names', async () => {
      await serve(cluster('a'), cluster('b'));
      const stream = open(kind);
      stream.send('CDS', wish(kind, ['a']));
      const first = await stream.next();
      stream.ack(first, wish(kind, ['*', 'a']));
      expect(namesOf(await stream.next())).toContain('b');
    });

    test('a name that is asked for before it exists is sent when it comes', async () => {
      await serve();
      const stream = open(kind);
      stream.send('RDS', wish(kind, ['later']));
      if (kind === 'delta') stream.ack(await stream.next());
      show(routes('later', ['a']));
      expect(namesOf(await stream.next())).toEqual(['later']);
    });

    test('a name that is given up is not sent any more', async () => {
      await serve(endpoints('a'), endpoints('b'));
      const stream = open(kind);
      stream.send('EDS', wish(kind, ['a', 'b']));
      stream.ack(
        await stream.next(),
        kind === 'delta' ? { resourceNamesUnsubscribe: ['b'] } : { resourceNames: ['a'] },
      );
      show(endpoints('a'), endpoints('b', 1));
      await expectSilence(stream, kind);
    });

    test('a name that is asked for again is sent again, though it did not change', async () => {
      await serve(endpoints('a'), endpoints('b'));
      const stream = open(kind);
      stream.send('EDS', wish(kind, ['a', 'b']));
      const first = await stream.next();
      const without = kind === 'delta' ? { resourceNamesUnsubscribe: ['b'] } : { resourceNames: ['a'] };
      stream.ack(first, without);
      stream.send('EDS', { ...wish(kind, ['a', 'b']), ...(kind === 'sotw' ? { responseNonce: first.nonce } : {}) });
      expect(namesOf(await stream.next())).toContain('b');
    });

    test('a wildcard that is given up leaves the names', async () => {
      await serve(cluster('a'), cluster('b'));
      const stream = open(kind);
      stream.send('CDS', wish(kind, ['*', 'a']));
      const first = await stream.next();
      stream.ack(first, kind === 'delta' ? { resourceNamesUnsubscribe: ['*'] } : { resourceNames: ['a'] });
      show(cluster('a'), cluster('b', 1), cluster('c'));
      await expectSilence(stream, kind);
      show(cluster('a', 1), cluster('b', 1), cluster('c'));
      expect(namesOf(await stream.next())).toEqual(['a']);
    });

    test('wishes may change while a response is under way', async () => {
      await serve(endpoints('a'), endpoints('b'));
      const stream = open(kind);
      stream.send('EDS', wish(kind, ['a']));
      const first = await stream.next();
      // Before the acknowledgement: with the newest nonce in state-of-the-world, without one in delta.
      if (kind === 'delta') stream.send('EDS', wish(kind, ['b']));
      stream.ack(first, kind === 'sotw' ? { resourceNames: ['a', 'b'] } : {});
      expect(namesOf(await stream.next())).toContain('b');
    });

    test('what changes is sent without being asked for', async () => {
      await serve(endpoints('a'), endpoints('b'));
      const stream = open(kind);
      stream.send('EDS', wish(kind, ['a', 'b']));
      stream.ack(await stream.next(), kind === 'sotw' ? { resourceNames: ['a', 'b'] } : {});
      show(endpoints('a'), endpoints('b', 1));
      // Of types that are asked for by name the others may be left out, in both flavours.
      expect(namesOf(await stream.next())).toEqual(['b']);
    });
  });

  describe('State of the world', () => {
    test.each(['CDS', 'LDS'] as const)(
      'a response of %s is everything, and what it leaves out is gone',
      async (type) => {
        const make = type === 'CDS' ? cluster : (name: string) => listener(name, 'r');
        await serve(make('a'), make('b'));
        const stream = open('sotw');
        stream.send(type);
        const first = await stream.next();
        expect(namesOf(first)).toEqual(['a', 'b']);
        stream.ack(first);
        show(make('b'));
        expect(namesOf(await stream.next())).toEqual(['b']);
      },
    );

    test('a named cluster that does not exist is answered by a response without it', async () => {
      await serve(cluster('a'));
      const stream = open('sotw');
      stream.send('CDS', { resourceNames: ['missing'] });
      expect(namesOf(await stream.next())).toEqual([]);
    });

    test('a removed route configuration is not sent as something: absence means nothing', async () => {
      await serve(routes('r', ['a']), routes('s', ['a']));
      const stream = open('sotw');
      stream.send('RDS', { resourceNames: ['r', 's'] });
      stream.ack(await stream.next(), { resourceNames: ['r', 's'] });
      show(routes('s', ['a']));
      await expectSilence(stream, 'sotw');
    });

    test('a message with a stale nonce does not change what is wanted', async () => {
      await serve(endpoints('a'), endpoints('b'));
      const stream = open('sotw');
      stream.send('EDS', { resourceNames: ['a'] });
      const first = await stream.next();
      stream.send('EDS', { resourceNames: ['b'], responseNonce: 'stale' });
      stream.ack(first, { resourceNames: ['a'] });
      show(endpoints('a'), endpoints('b', 1));
      await expectSilence(stream, 'sotw');
    });

    test('no names after a first request without any stay the wildcard', async () => {
      await serve(cluster('a'));
      const stream = open('sotw');
      stream.send('CDS');
      stream.ack(await stream.next(), { resourceNames: [] });
      show(cluster('a'), cluster('b'));
      expect(namesOf(await stream.next())).toEqual(['a', 'b']);
    });

    test.each([['*'], ['a']])('no names after %s mean that nothing is wanted any more', async (name) => {
      await serve(cluster('a'));
      const stream = open('sotw');
      stream.send('CDS', { resourceNames: [name] });
      stream.ack(await stream.next(), { resourceNames: [] });
      show(cluster('a', 1));
      await expectSilence(stream, 'sotw');
    });

    test('no names mean nothing once names were given, whatever came first', async () => {
      await serve(cluster('a'), cluster('b'));
      const stream = open('sotw');
      stream.send('CDS');
      const first = await stream.next();
      stream.ack(first, { resourceNames: ['a'] });
      const second = await stream.next();
      expect(namesOf(second)).toEqual(['a']);
      stream.ack(second, { resourceNames: [] });
      show(cluster('a', 1), cluster('b', 1));
      await expectSilence(stream, 'sotw');
    });

    test('a proxy that comes back with the version that is served is sent nothing', async () => {
      await serve(cluster('a'), listener('l', 'r'));
      const first = open('sotw');
      first.send('CDS');
      first.send('LDS');
      const clusters = await first.next('CDS');
      first.ack(clusters);
      const listeners = await first.next('LDS');
      const second = open('sotw', 'proxy-2');
      second.send('CDS', { versionInfo: clusters.version });
      second.send('LDS', { versionInfo: listeners.version });
      await expectSilence(second, 'sotw');
    });

    test('and everything when the version is another', async () => {
      await serve(cluster('a'), cluster('b'));
      const stream = open('sotw');
      stream.send('CDS', { versionInfo: 'of yesterday' });
      expect(namesOf(await stream.next())).toEqual(['a', 'b']);
    });

    test('a first message counts whatever nonce it has: that of an earlier stream means nothing here', async () => {
      await serve(cluster('a'), endpoints('a'));
      const stream = open('sotw');
      stream.send('CDS', { responseNonce: '7', versionInfo: 'x' });
      expect(namesOf(await stream.next())).toEqual(['a']);
      stream.send('EDS', { responseNonce: '9', resourceNames: ['a'] });
      expect(namesOf(await stream.next('EDS'))).toEqual(['a']);
    });
  });

  describe('Incremental xDS', () => {
    test('a resource has its name and a version of its own, which changes with it alone', async () => {
      await serve(cluster('a'), cluster('b'));
      const stream = open('delta');
      stream.send('CDS');
      const first = await stream.next();
      stream.ack(first);
      show(cluster('a'), cluster('b', 1));
      const second = await stream.next();
      expect(namesOf(second)).toEqual(['b']);
      expect(second.resources.get('b')?.version).not.toBe(first.resources.get('b')?.version);
      expect(first.resources.get('a')?.version).toBe(cluster('a').digest);
    });

    test('what is gone is named, once', async () => {
      await serve(cluster('a'), cluster('b'));
      const stream = open('delta');
      stream.send('CDS');
      stream.ack(await stream.next());
      show(cluster('a'));
      const removal = await stream.next();
      expect(removal).toMatchObject({ removed: ['b'] });
      expect(namesOf(removal)).toEqual([]);
      stream.ack(removal);
      show(cluster('a'));
      await expectSilence(stream, 'delta');
    });

    test('a name that does not exist is answered as removed', async () => {
      await serve(endpoints('a'));
      const stream = open('delta');
      stream.send('EDS', { resourceNamesSubscribe: ['a', 'missing'] });
      const first = await stream.next();
      expect(namesOf(first)).toEqual(['a']);
      expect(first.removed).toEqual(['missing']);
    });

    test('a named resource that was removed is sent when it comes back', async () => {
      await serve(endpoints('a'));
      const stream = open('delta');
      stream.send('EDS', { resourceNamesSubscribe: ['a'] });
      stream.ack(await stream.next());
      show();
      const removal = await stream.next();
      expect(removal.removed).toEqual(['a']);
      stream.ack(removal);
      show(endpoints('a'));
      expect(namesOf(await stream.next())).toEqual(['a']);
    });

    test('a proxy that comes back is sent what changed and told what is gone, and nothing else', async () => {
      await serve(cluster('a'), cluster('b', 1), cluster('d'));
      const stream = open('delta');
      const digests = { a: cluster('a').digest, b: cluster('b').digest, c: cluster('c').digest };
      stream.send('CDS', { initialResourceVersions: digests });
      const first = await stream.next();
      expect(namesOf(first)).toEqual(['b', 'd']);
      stream.ack(first);
      const second = await stream.next();
      expect(second.removed).toEqual(['c']);
    });

    test('a proxy that comes back and is up to date is sent nothing', async () => {
      await serve(cluster('a'), endpoints('a'));
      const stream = open('delta');
      stream.send('CDS', { initialResourceVersions: { a: cluster('a').digest } });
      stream.send('EDS', { resourceNamesSubscribe: ['a'], initialResourceVersions: { a: endpoints('a').digest } });
      await expectSilence(stream, 'delta');
    });

    test('what a proxy had by name and is gone is named when it comes back', async () => {
      await serve(endpoints('a'));
      const stream = open('delta');
      const initialResourceVersions = { a: endpoints('a').digest, gone: 'x' };
      stream.send('EDS', { resourceNamesSubscribe: ['a', 'gone'], initialResourceVersions });
      expect((await stream.next()).removed).toEqual(['gone']);
    });

    test('versions of what it has count in the first message of a type only', async () => {
      await serve(cluster('a'));
      const stream = open('delta');
      stream.send('CDS');
      stream.ack(await stream.next());
      stream.send('CDS', { initialResourceVersions: { a: 'x', ghost: 'y' } });
      await expectSilence(stream, 'delta');
    });

    test('wishes count in a message with a stale nonce too: they are told once', async () => {
      await serve(endpoints('a'), endpoints('b'));
      const stream = open('delta');
      stream.send('EDS', { resourceNamesSubscribe: ['a'] });
      stream.ack(await stream.next());
      stream.send('EDS', { resourceNamesSubscribe: ['b'], responseNonce: 'stale' });
      expect(namesOf(await stream.next())).toEqual(['b']);
    });

    test('a message may answer and wish at once', async () => {
      await serve(endpoints('a'), endpoints('b'));
      const stream = open('delta');
      stream.send('EDS', { resourceNamesSubscribe: ['a'] });
      stream.ack(await stream.next(), { resourceNamesSubscribe: ['b'] });
      const second = await stream.next();
      expect(namesOf(second)).toEqual(['b']);
      stream.nack(second, 'no', { resourceNamesUnsubscribe: ['a'] });
      show(endpoints('a', 1), endpoints('b'));
      await expectSilence(stream, 'delta');
    });

    test('giving up what was never asked for is no error', async () => {
      await serve(endpoints('a'));
      const stream = open('delta');
      stream.send('EDS', { resourceNamesUnsubscribe: ['never'] });
      await expectSilence(stream, 'delta');
    });

    test('names and a wildcard together: the name given up is told, since the wildcard still covers it', async () => {
      await serve(cluster('a'), cluster('b'));
      const stream = open('delta');
      stream.send('CDS', { resourceNamesSubscribe: ['*', 'a', 'missing'] });
      stream.ack(await stream.next());
      stream.send('CDS', { resourceNamesUnsubscribe: ['a'] });
      const again = await stream.next();
      expect(namesOf(again)).toEqual(['a']);
      stream.ack(again);
      show(cluster('a', 1), cluster('b'));
      expect(namesOf(await stream.next())).toEqual(['a']);
    });

    test('after names a message without any is no wildcard', async () => {
      await serve(cluster('a'), cluster('b'));
      const stream = open('delta');
      stream.send('CDS', { resourceNamesSubscribe: ['a'] });
      stream.ack(await stream.next());
      stream.send('CDS');
      await expectSilence(stream, 'delta');
    });

    test('after all names were given up a message without any is no wildcard', async () => {
      await serve(cluster('a'));
      const stream = open('delta');
      stream.send('CDS', { resourceNamesSubscribe: ['*'] });
      stream.ack(await stream.next(), { resourceNamesUnsubscribe: ['*'] });
      stream.send('CDS');
      show(cluster('a', 1));
      await expectSilence(stream, 'delta');
    });

    test('a wildcard that is asked for again is answered in full', async () => {
      await serve(cluster('a'));
      const stream = open('delta');
      stream.send('CDS', { resourceNamesSubscribe: ['*'] });
      stream.ack(await stream.next(), { resourceNamesUnsubscribe: ['*'] });
      stream.send('CDS', { resourceNamesSubscribe: ['*'] });
      expect(namesOf(await stream.next())).toEqual(['a']);
    });
  });

  describe.each(flavours)('Eventual consistency considerations (%s)', (kind) => {
    const world = (variant: number): EncodedResource[] => [
      cluster('a', variant),
      endpoints('a', variant),
      listener('l', 'r', variant),
      routes('r', ['a'], variant),
    ];
    /** Like a proxy: asks for what it learns of, and acknowledges everything. */
    function follow(stream: XdsStream): ResourceShort[] {
      const order: ResourceShort[] = [];
      const asked = new Set<ResourceShort>();
      const names: Partial<Record<ResourceShort, string[]>> = { EDS: ['a'], RDS: ['r'] };
      stream.onResponse((response) => {
        order.push(response.type);
        const next = response.type === 'CDS' ? 'EDS' : response.type === 'LDS' ? 'RDS' : undefined;
        if (next && !asked.has(next)) stream.send(next, wish(kind, names[next] ?? []));
        if (next) asked.add(next);
        stream.ack(response, kind === 'sotw' ? wish(kind, names[response.type] ?? []) : {});
      });
      stream.send('LDS');
      stream.send('CDS');
      return order;
    }

    test('clusters, then endpoints, then listeners, then routes, though listeners were asked for first', async () => {
      await serve(...world(0));
      const stream = open(kind);
      const order = follow(stream);
      await until('all is acknowledged', () => xds.server.proxies()[0]?.ackedRevision === BigInt(revision));
      order.length = 0;
      show(...world(1));
      await until('all is acknowledged', () => only().ackedRevision === BigInt(revision));
      expect(order).toEqual(['CDS', 'EDS', 'LDS', 'RDS']);
    });

    test('what is not referred to any more goes last', async () => {
      await serve(cluster('a'), cluster('b'), listener('l', 'r'), routes('r', ['a', 'b']));
      const stream = open(kind);
      stream.send('CDS');
      stream.ack(await stream.next('CDS'));
      stream.send('LDS');
      stream.ack(await stream.next('LDS'));
      stream.send('RDS', wish(kind, ['r']));
      stream.ack(await stream.next('RDS'), kind === 'sotw' ? { resourceNames: ['r'] } : {});
      show(cluster('a'), listener('l', 'r'), routes('r', ['a']));
      const route = await stream.next();
      expect(route.type).toBe('RDS');
      stream.ack(route, kind === 'sotw' ? { resourceNames: ['r'] } : {});
      const removal = await stream.next();
      expect(removal.type).toBe('CDS');
      if (kind === 'delta') expect(removal.removed).toEqual(['b']);
      else expect(namesOf(removal)).toEqual(['a']);
    });

    test('a changed cluster warms: its endpoints are sent again', async () => {
      await serve(cluster('a'), endpoints('a'));
      const stream = open(kind);
      stream.send('CDS');
      stream.send('EDS', wish(kind, ['a']));
      stream.ack(await stream.next('CDS'));
      stream.ack(await stream.next('EDS'), kind === 'sotw' ? { resourceNames: ['a'] } : {});
      show(cluster('a', 1), endpoints('a'));
      expect((await stream.next()).type).toBe('CDS');
      expect(namesOf(await stream.next('EDS'))).toEqual(['a']);
    });
  });

  describe.each(flavours)('A service for each type (%s)', (kind) => {
    const method = { delta: 'Delta', sotw: 'Stream' }[kind];
    const single = (service: string, noun: string): XdsStream =>
      xds.client().at(`/envoy.service.${service}/${method}${noun}`, kind);
    const clusters = (): XdsStream => single('cluster.v3.ClusterDiscoveryService', 'Clusters');

    test.each([
      ['RTDS', 'runtime.v3.RuntimeDiscoveryService', 'Runtime', ['layer']],
      ['CDS', 'cluster.v3.ClusterDiscoveryService', 'Clusters', []],
      ['SDS', 'secret.v3.SecretDiscoveryService', 'Secrets', ['secret']],
      ['EDS', 'endpoint.v3.EndpointDiscoveryService', 'Endpoints', ['a']],
      ['LDS', 'listener.v3.ListenerDiscoveryService', 'Listeners', []],
      ['RDS', 'route.v3.RouteDiscoveryService', 'Routes', ['r']],
      ['ECDS', 'extension.v3.ExtensionConfigDiscoveryService', 'ExtensionConfigs', ['filter']],
    ] as const)('%s has one, which needs no type_url', async (type, service, noun, names) => {
      const secret = encodeResource('SDS', { name: 'secret', genericSecret: { secret: { inlineString: 'x' } } });
      const router = any('envoy.extensions.filters.http.router.v3.Router', {});
      const filter = encodeResource('ECDS', { name: 'filter', typedConfig: router });
      const others = [secret, filter, runtimeLayer('layer', {})];
      await serve(cluster('a'), endpoints('a'), listener('l', 'r'), routes('r', ['a']), ...others);
      const stream = single(service, noun);
      stream.send({ typeUrl: '' }, wish(kind, [...names]));
      const answer = await stream.next();
      expect(answer.type).toBe(type);
      stream.ack(answer, kind === 'sotw' ? { resourceNames: names } : {});
      await until('it is acknowledged', () => only().types[type]?.state === 'SYNCED');
    });

    test('another type than its own is refused with a reason', async () => {
      await serve();
      const stream = clusters();
      stream.send('LDS');
      expect(await stream.status()).toMatchObject({ code: 3, details: /serves .*Cluster, not .*Listener/ });
    });

    test('a proxy has a stream for each, and has acknowledged what all of them have', async () => {
      await serve(cluster('a'), listener('l', 'r'));
      const first = clusters();
      const second = single('listener.v3.ListenerDiscoveryService', 'Listeners');
      first.send('CDS');
      const answer = await first.next();
      second.send('LDS');
      second.ack(await second.next());
      await until('one is acknowledged', () => only().types.LDS?.state === 'SYNCED');
      expect(only()).toMatchObject({ ackedRevision: -1n, types: { CDS: { state: 'STALE' } } });
      first.ack(answer);
      await until('both are', () => only().ackedRevision === BigInt(revision));
      expect(Object.keys(only().types)).toEqual(['CDS', 'LDS']);
    });
  });
});
