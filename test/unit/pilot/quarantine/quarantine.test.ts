import { describe, expect, it } from 'vitest';
import { allKinds } from '../../../../src/dsl/kinds.js';
import { type Definition, indexDefinitions, viewOf } from '../../../../src/model/definition.js';
import type { MeshSnapshot } from '../../../../src/model/mesh-snapshot.js';
import type { Refusal } from '../../../../src/model/refusal.js';
import { documentDigest } from '../../../../src/pilot/quarantine/document-digest.js';
import { openQuarantine, type Quarantine, type Subject } from '../../../../src/pilot/quarantine/quarantine.js';
import { type ProxyScope, translate } from '../../../../src/pilot/translate/index.js';
import { silentLogger } from '../../../../src/runtime/logger.js';
import type { Rejection } from '../../../../src/xds/ads-host.js';
import { handClock } from '../../../support/hand-clock.js';
import { proxy, serviceYaml, world, yamls } from '../../../support/mesh-world.js';

const WAIT_MS = 500;
const services = [serviceYaml('productpage', ['v1']), serviceYaml('reviews', ['v1'])];

function filter(name: string, says: string): string {
  return `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: ${name} }
spec: { configPatches: [{ applyTo: LISTENER, match: { context: SIDECAR_INBOUND }, patch: { operation: MERGE, value: { metadata: { filter_metadata: { ${name}: { says: ${says} } } } } } }] }`;
}

function route(status: number): string {
  return `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec: { hosts: [reviews], http: [{ directResponse: { status: ${status} } }] }`;
}

/** Proxies that have what they were last told of, and say what the test tells them to say. */
function stage() {
  const { clock, pass } = handClock();
  const written: Refusal[] = [];
  const ended: Refusal[] = [];
  const known = new Map<string, Definition>();
  let storeRevision = 0n;
  const quarantine: Quarantine = openQuarantine({
    kinds: allKinds,
    translate,
    clock,
    log: silentLogger,
    changed: () => undefined,
    refused: async (refusal) => void written.push(refusal),
    ended: (refusal) => void ended.push(refusal),
  });
  const update = (...texts: readonly string[]): void => {
    storeRevision += 1n;
    const snapshot = world({ yaml: yamls(...services, ...texts) });
    // As in a pilot, what did not change is the same object.
    const same = allKinds
      .flatMap((kind) => snapshot.definitions.all(kind))
      .map((one) => {
        const digest = documentDigest(one);
        known.set(digest, known.get(digest) ?? one);
        return known.get(digest) ?? one;
      });
    quarantine.update({ ...snapshot, definitions: viewOf(indexDefinitions(same)), storeRevision });
  };
  const join = (instance: string, over: Partial<ProxyScope> = {}) => {
    const scope = proxy([{ service: 'reviews' }], { instance, ...over });
    let acknowledged: MeshSnapshot | undefined;
    const subject: Subject = {
      scope,
      get acknowledged() {
        return acknowledged;
      },
      isSettled: true,
      isServed: (type, name, digest) => digest === `${type} ${name}: ${text(type, name)}`,
    };
    const served = (): MeshSnapshot => quarantine.holds(subject) as MeshSnapshot; // after the first update
    const text = (type: Rejection['type'], name: string): string => {
      const { listeners, routes } = translate(served(), scope);
      return JSON.stringify((type === 'LDS' ? listeners : routes).get(name));
    };
    quarantine.joined(subject);
    return {
      subject,
      has: (words: string) => [text('LDS', 'inbound'), text('RDS', 'outbound')].some((one) => one.includes(words)),
      revision: () => served().storeRevision,
      accept() {
        acknowledged = served();
        quarantine.settled(subject);
      },
      refuse(type: 'LDS' | 'RDS', error = 'no such thing') {
        const name = type === 'LDS' ? 'inbound' : 'outbound';
        const digest = `${type} ${name}: ${text(type, name)}`;
        quarantine.rejected(subject, { type, error, resources: [{ name, digest }] });
      },
    };
  };
  return {
    quarantine,
    update,
    join,
    pass,
    written,
    ended,
    refused: () => quarantine.refusals().map(({ name }) => name),
  };
}

function stageOf(...names: readonly string[]) {
  const it = stage();
  it.update(filter('mine', 'before'));
  const proxies = names.map((name) => it.join(name));
  for (const one of proxies) one.accept();
  return { ...it, proxies };
}

describe('a filter that is new', () => {
  it('is at one proxy until that accepts it, then at all, and nothing newer counts as acknowledged until then', () => {
    const { update, proxies } = stageOf('a', 'b', 'c');
    update(filter('mine', 'after'));
    expect(proxies.map((one) => one.has('after'))).toEqual([true, false, false]);
    expect(proxies.map((one) => one.revision())).toEqual([1n, 1n, 1n]);
    proxies[0]?.accept();
    expect(proxies.map((one) => one.has('after'))).toEqual([true, true, true]);
    expect(proxies.map((one) => one.revision())).toEqual([2n, 2n, 2n]);
  });

  it('is at nobody once it is refused, and its words are written down with what holds instead', () => {
    const { update, proxies, written, refused } = stageOf('a', 'b');
    update(filter('mine', 'after'));
    proxies[0]?.refuse('LDS', 'a: no\n');
    expect(proxies.map((one) => one.has('before'))).toEqual([true, true]);
    expect(refused()).toEqual(['mine']);
    expect(written).toMatchObject([
      { kind: 'EnvoyFilter', error: 'a: no', resource: 'LDS inbound', instead: { metadata: { name: 'mine' } } },
    ]);
  });

  it('goes to another canary when the first is silent, and after three of them to everybody', async () => {
    const { update, proxies, pass } = stageOf('a', 'b', 'c', 'd');
    const tagged = (): readonly boolean[] => proxies.map((one) => one.has('after'));
    update(filter('mine', 'after'));
    expect(tagged()).toEqual([true, false, false, false]);
    await pass(WAIT_MS);
    expect(tagged()).toEqual([false, true, false, false]);
    await pass(WAIT_MS);
    expect(tagged()).toEqual([false, false, true, false]);
    await pass(WAIT_MS);
    expect(tagged()).toEqual([true, true, true, true]);
    expect(proxies.map((one) => one.revision())).toEqual([2n, 2n, 2n, 2n]);
  });

  it('goes to another canary when the first leaves, and to the next that comes when there is none', () => {
    const { update, proxies, quarantine, join } = stageOf('a', 'b');
    update(filter('mine', 'after'));
    for (const { subject } of proxies) quarantine.left(subject);
    const [c, d] = [join('c'), join('d')];
    expect([c.has('after'), d.has('after')]).toEqual([true, false]);
    c.accept();
    expect(d.has('after')).toBe(true);
  });

  it('makes those that come meanwhile wait, until it is decided', async () => {
    const { update, proxies, quarantine } = stageOf('a');
    expect(quarantine.whenQuiet(AbortSignal.abort())).toBeUndefined();
    update(filter('mine', 'after'));
    const quiet = quarantine.whenQuiet(new AbortController().signal);
    expect(quiet).toBeDefined();
    proxies[0]?.accept();
    await quiet;
    expect(quarantine.whenQuiet(AbortSignal.abort())).toBeUndefined();
  });

  it('is not tried when it says what was accepted before', () => {
    const { update, proxies } = stageOf('a', 'b');
    update(filter('mine', 'after'));
    proxies[0]?.accept();
    update(filter('mine', 'before'));
    expect(proxies.map((one) => one.has('before'))).toEqual([true, true]);
  });

  it('that is corrected before the verdict is tried as it is now', () => {
    const { update, proxies, refused } = stageOf('a', 'b');
    update(filter('mine', 'after'));
    update(filter('mine', 'corrected'));
    expect(proxies.map((one) => one.has('corrected'))).toEqual([true, false]);
    proxies[0]?.accept();
    expect(proxies.map((one) => one.has('corrected'))).toEqual([true, true]);
    expect(refused()).toEqual([]);
  });

  it('is tried for as long as other changes come, too', async () => {
    const { update, proxies, pass } = stageOf('a', 'b');
    update(filter('mine', 'after'));
    for (let status = 500; status < 500 + 12; status++) {
      update(filter('mine', 'after'), route(status));
      expect(proxies.every((one) => one.has(String(status)))).toBe(true);
      await pass(WAIT_MS / 10);
    }
    expect(proxies.map((one) => one.has('after'))).toEqual([false, true]);
  });
});

describe('what a proxy refuses without a trial', () => {
  it('is traced to the one definition that has changed it, and no other', () => {
    const { update, proxies, refused } = stageOf('a', 'b');
    update(filter('mine', 'before'), route(500));
    for (const one of proxies) one.accept();
    update(filter('mine', 'before'), route(418));
    proxies[1]?.refuse('RDS');
    expect(refused()).toEqual(['reviews']);
    expect(proxies.map((one) => one.has('500'))).toEqual([true, true]);
  });

  it('blames no definition for what is of one host, nor for what none has changed', () => {
    const { update, proxies, refused } = stageOf('a');
    update(filter('mine', 'before'), route(418));
    proxies[0]?.refuse('RDS', "cannot bind '127.0.0.1:80': Address already in use");
    proxies[0]?.refuse('LDS');
    expect(refused()).toEqual([]);
    expect(proxies[0]?.has('418')).toBe(true);
  });

  it('of a proxy that is new is first looked at without filters, then with half of them, until the one is found', () => {
    const { update, join, refused } = stage();
    update(filter('mine', 'bad'), filter('other', 'good'));
    const [a, b] = [join('a'), join('b')];
    a.refuse('LDS');
    expect([a.has('bad'), a.has('good'), b.has('bad'), b.has('good')]).toEqual([false, false, true, true]);
    a.accept();
    expect([a.has('bad'), a.has('good')]).toEqual([true, false]);
    a.refuse('LDS');
    expect([a.has('bad'), a.has('good')]).toEqual([false, true]);
    a.accept();
    expect(refused()).toEqual(['mine']);
    expect([a.has('bad'), a.has('good'), b.has('bad'), b.has('good')]).toEqual([false, true, false, true]);
  });

  it('of a proxy that is new is no fault of the filters when it refuses the same without them', () => {
    const { update, join, refused } = stage();
    update(filter('mine', 'good'));
    const a = join('a');
    a.refuse('LDS');
    a.refuse('LDS');
    expect(refused()).toEqual([]);
    expect(a.has('good')).toBe(true);
  });

  it('of a proxy that is new does not touch what others of its service have accepted', () => {
    const { join, proxies, refused } = stageOf('a');
    const late = join('late');
    late.refuse('LDS');
    expect(refused()).toEqual([]);
    expect(proxies[0]?.has('before')).toBe(true);
  });
});

describe('a refusal', () => {
  it('ends when the definition says something else, and its key may go', () => {
    const { update, proxies, refused, ended } = stageOf('a');
    update(filter('mine', 'after'));
    proxies[0]?.refuse('LDS');
    update(filter('mine', 'corrected'));
    proxies[0]?.accept();
    expect(refused()).toEqual([]);
    expect(ended.map(({ name }) => name)).toEqual(['mine']);
    expect(proxies[0]?.has('corrected')).toBe(true);
  });

  it('of another pilot holds here too, also in the middle of a trial and before the first snapshot', () => {
    const first = stageOf('a');
    first.update(filter('mine', 'after'));
    first.proxies[0]?.refuse('LDS');
    const [refusal] = first.written as [Refusal];

    const second = stageOf('b', 'c');
    second.update(filter('mine', 'after'));
    expect(second.proxies.map((one) => one.has('after'))).toEqual([true, false]);
    second.quarantine.learn({ ...refusal, namespace: 'default' }, refusal);
    expect(second.proxies.map((one) => one.has('before'))).toEqual([true, true]);
    expect(second.written).toEqual([]);

    const third = stage();
    third.quarantine.learn({ ...refusal, namespace: 'default' }, refusal);
    third.update(filter('mine', 'after'));
    expect(third.join('d').has('before')).toBe(true);
  });

  it('whose key is gone gives the definition another chance with the next change', () => {
    const { update, proxies, quarantine, written, refused } = stageOf('a', 'b');
    update(filter('mine', 'after'));
    proxies[0]?.refuse('LDS');
    const [refusal] = written as [Refusal];
    quarantine.learn({ ...refusal, namespace: 'default' }, undefined);
    expect(refused()).toEqual(['mine']);
    update(filter('mine', 'after'), route(500));
    expect(refused()).toEqual([]);
    expect(proxies.map((one) => one.has('after'))).toEqual([true, false]);
  });
});
