/** What a stream is sent, message by message: the cases that drawn interleavings meet too rarely, and the corners of the protocol. */
import { describe, expect, test } from 'vitest';
import { createStreamState, NEED_WAIT_MS, nextStep, receive, updateView } from '../../../src/xds/ordering.js';
import type { EncodedResource, View } from '../../../src/xds/resource-cache.js';
import { type ResourceShort, resourceType } from '../../../src/xds/resource-types.js';
import type { Response } from '../../../src/xds/response.js';
import type { DeltaRequest, SotwRequest } from '../../../src/xds/subscribe.js';
import type { StreamKind } from '../../../src/xds/subscription.js';
import { cluster, endpoints, listener, routes, runtimeLayer, viewOf } from '../../support/xds-resources.js';

/** A stream whose messages a test writes; `sent` lists what came out, as `CDS a b -c`. */
function streamOf(kind: StreamKind, first: View) {
  const state = createStreamState(kind, first);
  const last = new Map<ResourceShort, Response>();
  let nowMs = 0;
  const step = (): string[] =>
    nextStep(state, nowMs).responses.map((response) => {
      const { short } = response.subscription.type;
      last.set(short, response);
      const names = response.resources.map(({ name }) => name);
      return [short, ...names, ...response.removed.map((name) => `-${name}`)].join(' ');
    });
  const say = (
    short: ResourceShort,
    fields: Partial<Omit<DeltaRequest, 'kind'> & Omit<SotwRequest, 'kind'>>,
  ): string[] => {
    const type = resourceType(short);
    const base = { typeUrl: type.typeUrl, nonce: '', error: undefined };
    const delta = { ...base, subscribe: [], unsubscribe: [], initialVersions: [], ...fields, kind: 'delta' as const };
    const sotw = { ...base, names: [], version: '', ...fields, kind: 'sotw' as const };
    receive(state, type, kind === 'delta' ? delta : sotw, nowMs);
    return step();
  };
  const nonceOf = (short: ResourceShort): string => last.get(short)?.nonce ?? '';
  return {
    state,
    say,
    ask: (short: ResourceShort, ...subscribe: string[]) => say(short, { subscribe, names: subscribe }),
    ack: (short: ResourceShort, ...names: string[]) => say(short, { nonce: nonceOf(short), names }),
    nack: (short: ResourceShort, ...names: string[]) => say(short, { nonce: nonceOf(short), error: 'bad', names }),
    show: (...resources: EncodedResource[]) => {
      updateView(state, viewOf(Number(state.view.storeRevision) + 1, resources));
      return step();
    },
    after: (ms: number) => {
      nowMs += ms;
      return step();
    },
  };
}

const base = [cluster('a'), endpoints('a'), listener('l', 'r'), routes('r', ['a'])];

function settled() {
  const stream = streamOf('delta', viewOf(1, base));
  stream.ask('CDS');
  stream.ask('EDS', 'a');
  stream.ack('CDS');
  stream.ack('EDS');
  stream.ask('LDS');
  stream.ask('RDS', 'r');
  stream.ack('LDS');
  expect(stream.ack('RDS')).toEqual([]);
  expect(stream.state.ackedRevision).toBe(1n);
  return stream;
}

describe('additions', () => {
  test('routes wait until the proxy has asked for a new cluster’s endpoints and has them', () => {
    const stream = settled();
    const next = [...base.slice(0, 3), cluster('b'), endpoints('b'), routes('r', ['b'])];
    expect(stream.show(...next)).toEqual(['CDS b']);
    expect(stream.ack('CDS')).toEqual([]); // this proxy acknowledges before it asks
    expect(stream.ask('EDS', 'b')).toEqual(['EDS b']);
    expect(stream.ack('EDS')).toEqual(['RDS r']);
  });

  test('a proxy that never asks for the endpoints of a new cluster holds up its routes for a second', () => {
    const stream = settled();
    stream.show(...base.slice(0, 3), cluster('b'), endpoints('b'), routes('r', ['b']));
    stream.ack('CDS');
    expect(stream.after(NEED_WAIT_MS - 1)).toEqual([]);
    expect(stream.after(1)).toEqual(['RDS r']);
  });

  test('endpoints of a changed cluster follow it without waiting', () => {
    const stream = settled();
    expect(stream.show(cluster('a', 1), ...base.slice(1))).toEqual(['CDS a', 'EDS a']);
  });

  test('endpoints that a proxy has from before are sent again when the cluster came on this stream', () => {
    const stream = streamOf('delta', viewOf(1, [cluster('a', 1), endpoints('a')]));
    expect(stream.say('CDS', { initialVersions: [['a', cluster('a').digest]] })).toEqual(['CDS a']);
    const initialVersions = [['a', endpoints('a').digest]] as const;
    expect(stream.say('EDS', { subscribe: ['a'], initialVersions })).toEqual(['EDS a']);
  });

  test('endpoints alone, and runtime, wait for nothing', () => {
    const stream = settled();
    stream.show(cluster('a', 1), ...base.slice(1));
    stream.ack('EDS');
    expect(stream.show(cluster('a', 1), endpoints('a', 5), ...base.slice(2))).toEqual(['EDS a']);
    stream.ask('RTDS', 'layer');
    stream.ack('RTDS');
    const layer = runtimeLayer('layer', { x: 1 });
    expect(stream.show(cluster('a', 1), endpoints('a', 5), ...base.slice(2), layer)).toEqual(['RTDS layer']);
  });

  test('a name that vanishes before it could be sent is answered', () => {
    const stream = streamOf('delta', viewOf(1, base));
    stream.ask('CDS'); // not acknowledged, so that routes must wait
    expect(stream.ask('RDS', 'r')).toEqual([]);
    expect(stream.show(cluster('a'), endpoints('a'))).toEqual([]);
    stream.ask('EDS', 'a');
    stream.ack('CDS');
    expect(stream.ack('EDS')).toEqual(['RDS -r']);
  });
});

describe('removals', () => {
  test('come after all additions, what refers first', () => {
    const stream = settled();
    const next = [cluster('b'), endpoints('b'), listener('m', 's'), routes('s', ['b'])];
    expect(stream.show(...next)).toEqual(['CDS b']);
    expect(stream.ask('EDS', 'b')).toEqual(['EDS b']);
    stream.ack('CDS');
    expect(stream.ack('EDS')).toEqual(['LDS m']);
    stream.ack('LDS');
    expect(stream.ask('RDS', 's')).toEqual(['RDS s']);
    expect(stream.ack('RDS')).toEqual(['LDS -l']);
    expect(stream.ack('LDS')).toEqual(['RDS -r']);
    stream.say('RDS', { unsubscribe: ['r'] });
    expect(stream.ack('RDS')).toEqual(['CDS -a']);
    expect(stream.ack('CDS')).toEqual(['EDS -a']);
    stream.ack('EDS');
    expect(stream.state.ackedRevision).toBe(2n);
  });

  test('wait while anything is refused, since the proxy still works with what is old', () => {
    const stream = settled();
    stream.show(cluster('a'), endpoints('a'), cluster('b'), endpoints('b'), listener('l', 'r'), routes('r', ['b']));
    stream.ask('EDS', 'b');
    stream.ack('CDS');
    expect(stream.ack('EDS')).toEqual(['RDS r']);
    stream.nack('RDS');
    expect(stream.show(cluster('b'), endpoints('b'), listener('l', 'r'), routes('r', ['b']))).toEqual([]);
    expect(stream.show(cluster('b'), endpoints('b'), listener('l', 'r'), routes('r', ['b'], 1))).toEqual(['RDS r']);
    expect(stream.ack('RDS')).toEqual(['CDS -a']);
  });

  test('are not repeated when they are refused', () => {
    const stream = streamOf('delta', viewOf(1, [cluster('a'), cluster('b')]));
    stream.ask('CDS');
    stream.ack('CDS');
    expect(stream.show(cluster('a'))).toEqual(['CDS -b']);
    expect(stream.nack('CDS')).toEqual([]);
    expect(stream.state.ackedRevision).toBe(1n);
  });
});

describe('delta subscriptions', () => {
  test('a name that is asked for again is sent again', () => {
    const stream = settled();
    expect(stream.ask('EDS', 'a')).toEqual(['EDS a']);
  });

  test('wishes in a message with a stale nonce count, its verdict does not', () => {
    const stream = streamOf('delta', viewOf(1, [endpoints('a'), endpoints('b')]));
    stream.ask('EDS', 'a');
    expect(stream.say('EDS', { nonce: 'stale', error: 'bad', subscribe: ['b'] })).toEqual([]);
    expect(stream.ack('EDS')).toEqual(['EDS b']);
  });

  test('what is no longer wanted is not sent any more', () => {
    const stream = settled();
    stream.say('EDS', { unsubscribe: ['a'] });
    expect(stream.show(cluster('a'), endpoints('a', 3), ...base.slice(2))).toEqual([]);
    expect(stream.state.ackedRevision).toBe(2n);
  });

  test('a wildcard may be asked for by name, beside names, and ended', () => {
    const stream = streamOf('delta', viewOf(1, [endpoints('a'), endpoints('b')]));
    expect(stream.ask('EDS', 'a')).toEqual(['EDS a']);
    stream.ack('EDS');
    expect(stream.ask('EDS', '*')).toEqual(['EDS b']);
    stream.ack('EDS');
    expect(stream.say('EDS', { unsubscribe: ['a'] })).toEqual(['EDS a']); // still one of all
    stream.ack('EDS');
    stream.ask('EDS', 'b');
    stream.ack('EDS');
    stream.say('EDS', { unsubscribe: ['*'] });
    expect(stream.show(endpoints('a', 1), endpoints('b', 1))).toEqual(['EDS b']);
  });

  test('what was before a refused change is sent when it comes back', () => {
    const stream = settled();
    stream.show(...base.slice(0, 3), routes('r', ['a'], 1));
    stream.nack('RDS');
    expect(stream.show(...base)).toEqual(['RDS r']);
    stream.ack('RDS');
    expect(stream.state.ackedRevision).toBe(3n);
  });

  test('a new stream tells what went while the proxy was away', () => {
    const stream = streamOf('delta', viewOf(1, [cluster('a')]));
    const initialVersions = [['a', cluster('a').digest] as const, ['gone', 'x'] as const];
    expect(stream.say('CDS', { initialVersions })).toEqual([]);
    stream.ask('LDS');
    stream.ack('LDS');
    expect(stream.ask('RDS')).toEqual(['CDS -gone']);
  });

  test('a reconnected proxy that never asks for listeners or routes is told for a second only what is new', () => {
    const stream = streamOf('delta', viewOf(1, [cluster('a')]));
    stream.say('CDS', { initialVersions: [['gone', 'x'] as const] });
    stream.ack('CDS');
    expect(stream.after(NEED_WAIT_MS - 1)).toEqual([]);
    expect(stream.after(1)).toEqual(['CDS -gone']);
  });
});

describe('state-of-the-world subscriptions', () => {
  test('endpoints and routes are sent only where they changed', () => {
    const stream = streamOf('sotw', viewOf(1, [endpoints('a'), endpoints('b')]));
    expect(stream.ask('EDS', 'a', 'b')).toEqual(['EDS a b']);
    stream.ack('EDS', 'a', 'b');
    expect(stream.show(endpoints('a'), endpoints('b', 1))).toEqual(['EDS b']);
    expect(stream.ack('EDS', 'a', 'b')).toEqual([]);
    expect(stream.state.ackedRevision).toBe(2n);
  });

  test('a refused full state is not repeated until something changes', () => {
    const stream = streamOf('sotw', viewOf(1, [cluster('a'), cluster('b')]));
    stream.ask('CDS');
    expect(stream.nack('CDS')).toEqual([]);
    expect(stream.show(cluster('a'), cluster('b', 1))).toEqual(['CDS a b']);
  });

  test('named clusters are those names only', () => {
    const stream = streamOf('sotw', viewOf(1, [cluster('a'), cluster('b')]));
    expect(stream.ask('CDS', 'b')).toEqual(['CDS b']);
    expect(stream.ack('CDS', 'a', 'b')).toEqual(['CDS a b']);
    expect(stream.ack('CDS', 'a')).toEqual([]);
    expect(stream.show(cluster('a'), cluster('b', 1))).toEqual([]);
  });
});
