/** What we send is what Envoy demands, and so what a patch is judged by: a finding in our own resources would be a mistake of one of them. */
import { describe, expect, it } from 'vitest';
import { scopeOfInstance } from '../../../src/pilot/caller-view.js';
import { translate } from '../../../src/pilot/translate/index.js';
import { violation } from '../../../src/xds/constraints.js';
import type { Form } from '../../../src/xds/proto-form.js';
import { type ResourceShort, resourceType } from '../../../src/xds/resource-types.js';
import { uncheckedWorld } from '../../support/mesh-world.js';
import { planWorld, readWorld, worldNames, worldOf } from '../../support/worlds.js';

describe('resources of every proxy', () => {
  it.each(worldNames().filter((name) => name !== 'port-clash'))('of the world %s hold', (name) => {
    const text = readWorld(name);
    const snapshot = uncheckedWorld(text);
    const scopes = planWorld(worldOf(text)).plans.flatMap((plan) =>
      plan.instances.map((instance) => scopeOfInstance(plan, instance)),
    );
    expect(scopes.length).toBeGreaterThan(0);
    const found = scopes.flatMap((scope) => {
      const { clusters, endpoints, listeners, routes } = translate(snapshot, scope);
      const all: readonly (readonly [ResourceShort, ReadonlyMap<string, object>])[] = [
        ['CDS', clusters],
        ['EDS', endpoints],
        ['LDS', listeners],
        ['RDS', routes],
      ];
      return all.flatMap(([short, map]) =>
        [...map].flatMap(([key, json]) => {
          const wrong = violation(resourceType(short).message, json as Form, false);
          return wrong === undefined ? [] : [`${short} ${key}: ${wrong}`];
        }),
      );
    });
    expect([...new Set(found)]).toEqual([]);
  });
});
