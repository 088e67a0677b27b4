import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { key, quoted, yamlBlock } from '../../../src/planner/yaml-text.js';
import { quotingProbes } from '../../support/quoting-probes.js';

const runs = { seed: 20_261_121, numRuns: 60 };
const versions = ['1.1', '1.2'] as const;
const readBack = (value: unknown): unknown[] =>
  versions.map((version) => parse(`x:${yamlBlock(value, 2)}\n`, { version }) as unknown);

describe('YAML text', () => {
  it.each(quotingProbes)('reads back as it was: %j', (probe) => {
    expect(readBack({ value: probe, list: [probe], [`k${probe}`]: 1 })).toEqual(
      versions.map(() => ({ x: { value: probe, list: [probe], [`k${probe}`]: 1 } })),
    );
  });

  it('reads back as it was, whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(readBack({ text })).toEqual(versions.map(() => ({ x: { text } })));
      }),
      runs,
    );
  });

  it('reads back as it was, whatever the shape', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.string(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        tie('list'),
        tie('map'),
      ),
      list: fc.array(tie('any'), { maxLength: 4 }),
      map: fc.dictionary(
        fc.string({ minLength: 1, maxLength: 12 }).filter((name) => name !== '__proto__'),
        tie('any'),
        {
          maxKeys: 4,
          noNullPrototype: true,
        },
      ),
    })).any;
    fc.assert(
      fc.property(value, (any) => {
        expect(readBack(any)).toEqual(versions.map(() => ({ x: any })));
      }),
      runs,
    );
  });

  it('is printable ASCII, so that no reader has to guess an encoding', () => {
    expect(quoted('网格 🚀\u0085')).toBe('"\\u7f51\\u683c \\U0001f680\\u0085"');
  });

  it('leaves keys readable unless YAML 1.1 would take them for something else', () => {
    expect(['image', 'io.lightmesh.node', 'LOG_LEVEL', 'on', 'Y', '1a', '@type', 'a b'].map(key)).toEqual([
      'image',
      'io.lightmesh.node',
      'LOG_LEVEL',
      '"on"',
      '"Y"',
      '"1a"',
      '"@type"',
      '"a b"',
    ]);
  });

  it('puts short lists on one line and long ones below each other', () => {
    expect(yamlBlock(['a', 1], 2)).toBe(' ["a", 1]');
    expect(yamlBlock(['a'.repeat(100), { b: 1, c: [] }], 2)).toBe(`\n  - "${'a'.repeat(100)}"\n  - b: 1\n    c: []`);
  });
});
