/** Laws of translation that hold for any rules, right or half taken away. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { type ProxyScope, type TranslatedResources, translate } from '../../src/pilot/translate/index.js';
import { problemsIn, proxy, uncheckedWorld, world } from './mesh-world.js';
import { type Definition, rules, scenery, upstreams, yamlOf } from './random-rules.js';
import { checkResources } from './simulate.js';

const { definitions: common, endpoints } = scenery(9000);

/** Somebody of each namespace, one with listeners of its own, and the edge. */
const readers: readonly ProxyScope[] = [
  proxy(upstreams.map((upstream, i) => (i % 2 === 0 ? { ...upstream, listener: 30_000 + i } : upstream))),
  proxy(upstreams, { namespace: 'shop', version: 'v2', labels: { version: 'v2' } }),
  proxy([], {
    service: 'edge',
    instance: 'edge-v1-1',
    isGateway: true,
    labels: { app: 'edge' },
    servicePorts: [{ name: 'http', port: 80, protocol: 'http' }],
    ports: { app: {}, inbound: { http: 80 }, proxy: 1, metrics: 2, upstreams: {} },
  }),
];

const MAX_DEFINITIONS = 100;

/** By what each of them says. */
export const laws: Readonly<Record<string, (runs: fc.Parameters<unknown>) => void>> = {
  // So that the other laws are about rules that a pilot would take.
  'the rules that are drawn here are right': (runs) => fc.assert(fc.property(rules, areRight), runs),

  'nothing throws, and nothing is named that is not there': (runs) =>
    fc.assert(fc.property(rules, standsByItself), runs),

  'that holds although any of the definitions are gone': (runs) => {
    const isThere = fc.array(fc.boolean(), { minLength: MAX_DEFINITIONS, maxLength: MAX_DEFINITIONS });
    fc.assert(fc.property(rules, isThere, standsWithout), runs);
  },

  'their order means nothing': (runs) => {
    const shuffled = rules.chain((all) =>
      fc.tuple(fc.constant(all), fc.shuffledSubarray([...all], { minLength: all.length })),
    );
    fc.assert(
      fc.property(shuffled, ([all, other]) => isTheSame(all, other)),
      runs,
    );
  },

  'what did not change is the same object': (runs) => fc.assert(fc.property(rules, isMadeOnce), runs),
};

const worldOf = (drawn: readonly Definition[]) => world({ yaml: yamlOf([...common, ...drawn]), endpoints });

function areRight(drawn: readonly Definition[]): void {
  const problems = problemsIn(yamlOf([...common, ...drawn]));
  expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
}

/** Envoy's types know it all, and the clusters, routes and endpoints that are named are there. */
function standsByItself(drawn: readonly Definition[]): void {
  const snapshot = worldOf(drawn);
  for (const reader of readers) checkResources(translate(snapshot, reader));
}

/** As a store may be left when objects are removed one by one. */
function standsWithout(drawn: readonly Definition[], isThere: readonly boolean[]): void {
  const left = [...common, ...drawn].filter((_, i) => isThere[i]);
  for (const reader of readers) checkResources(translate(uncheckedWorld(yamlOf(left)), reader));
}

function isTheSame(drawn: readonly Definition[], shuffled: readonly Definition[]): void {
  const [first, second] = [worldOf(drawn), worldOf(shuffled)];
  for (const reader of readers) expect(textOf(translate(second, reader))).toBe(textOf(translate(first, reader)));
}

function textOf({ problems, ...resources }: TranslatedResources): string {
  return JSON.stringify([problems, ...Object.values(resources).map((map) => [...map])]);
}

/** Of equal inputs other objects would be sent to everybody again. */
function isMadeOnce(drawn: readonly Definition[]): void {
  const snapshot = worldOf(drawn);
  for (const reader of readers) {
    const [once, again] = [translate(snapshot, reader), translate({ ...snapshot, revision: 2 }, reader)];
    for (const key of ['clusters', 'endpoints', 'listeners', 'routes'] as const) expect(again[key]).toBe(once[key]);
  }
}
