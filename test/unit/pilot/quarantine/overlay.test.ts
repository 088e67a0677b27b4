import { describe, expect, it } from 'vitest';
import { allKinds } from '../../../../src/dsl/kinds.js';
import { virtualServiceKind } from '../../../../src/dsl/virtual-service.js';
import type { Definition } from '../../../../src/model/definition.js';
import { serviceKind } from '../../../../src/model/service.js';
import { changedDefinitions, withReplaced } from '../../../../src/pilot/quarantine/overlay.js';
import { serviceYaml, world, yamls } from '../../../support/mesh-world.js';

const route = (name: string, status: number): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name} }
spec: { hosts: [${name}], http: [{ directResponse: { status: ${status} } }] }`;

const services = [serviceYaml('a', ['v1']), serviceYaml('b', ['v1'])];
const before = world({ yaml: yamls(...services, route('a', 200), route('b', 200)) });
const after = world({ yaml: yamls(...services, route('a', 503), route('b', 200)) });
const of = (snapshot: typeof before, name: string): Definition => {
  const found = snapshot.definitions.get(virtualServiceKind, 'default', name);
  if (found === undefined) throw new Error(name);
  return found;
};

describe('a snapshot with replaced definitions', () => {
  it('has the others, in their place', () => {
    const shown = withReplaced(after, new Map([[of(after, 'a'), of(before, 'a')]]));
    expect(shown.definitions.all(virtualServiceKind)).toEqual([of(before, 'a'), of(after, 'b')]);
    expect(shown.definitions.get(virtualServiceKind, 'default', 'a')).toBe(of(before, 'a'));
    expect(shown.definitions.has('VirtualService', 'default', 'a')).toBe(true);
  });

  it('has not those that are replaced by nothing', () => {
    const { definitions } = withReplaced(after, new Map([[of(after, 'a'), undefined]]));
    expect(definitions.all(virtualServiceKind)).toEqual([of(after, 'b')]);
    expect(definitions.get(virtualServiceKind, 'default', 'a')).toBeUndefined();
    expect(definitions.has('VirtualService', 'default', 'a')).toBe(false);
    expect(definitions.names('VirtualService', 'default')).toEqual(['b']);
  });

  it('is the same object again, keeps the lists that it does not touch, and is the snapshot itself for nothing', () => {
    const replacements = new Map([[of(after, 'a'), of(before, 'a')]]);
    const shown = withReplaced(after, replacements);
    expect(withReplaced(after, replacements)).toBe(shown);
    expect(shown.definitions.all(serviceKind)).toBe(after.definitions.all(serviceKind));
    expect(withReplaced(after, new Map())).toBe(after);
  });
});

it('tells what has changed since, with what it was', () => {
  const shared = withReplaced(after, new Map([[of(after, 'b'), of(before, 'b')]]));
  const changed = changedDefinitions(before.definitions, shared.definitions, [virtualServiceKind]);
  expect([...changed]).toEqual([[of(after, 'a'), of(before, 'a')]]);
  expect(changedDefinitions(before.definitions, before.definitions, allKinds).size).toBe(0);
  const added = withReplaced(before, new Map([[of(before, 'a'), undefined]]));
  expect([...changedDefinitions(added.definitions, before.definitions, [virtualServiceKind])]).toEqual([
    [of(before, 'a'), undefined],
  ]);
});
