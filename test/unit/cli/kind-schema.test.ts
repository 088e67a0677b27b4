import { describe, expect, it } from 'vitest';
import { type FieldSchema, fieldsOf, notesOf, refusalOf, schemaAt, specSchema } from '../../../src/cli/kind-schema.js';
import { allKinds } from '../../../src/dsl/kinds.js';

/** Words come first in the notes and begin with a capital; `one of`, `default` and a range follow. */
function undescribed(schema: FieldSchema, above: readonly string[] = []): string[] {
  return fieldsOf(schema).flatMap(({ name, notes }) => {
    const path = [...above, name];
    const inner = undescribed(schemaAt(schema, [name]) ?? {}, path);
    return /^[A-Z`]/.test(notes) ? inner : [path.join('.'), ...inner];
  });
}

describe('a field that is not served', () => {
  it('is never right for an editor, and says why', () => {
    const [kind] = allKinds.filter((one) => one.kind === 'VirtualService');
    const field = kind && schemaAt(specSchema(kind), ['http', 'fault', 'delay', 'exponentialDelay']);
    expect(field).toMatchObject({ not: {}, description: 'Not served: Istio refuses it too' });
    expect(field && refusalOf(field)).toBe('Istio refuses it too');
  });

  it('is told of a value as well', () => {
    const [kind] = allKinds.filter((one) => one.kind === 'Gateway');
    const mode = kind && schemaAt(specSchema(kind), ['servers', 'tls', 'mode']);
    expect(mode && notesOf(mode)).toContain('not served: AUTO_PASSTHROUGH joins networks');
  });
});

describe('the fields of the kinds', () => {
  it.each(allKinds.map((kind) => [kind.kind, kind] as const))('%s: each says what it is for', (_name, kind) => {
    expect(undescribed(specSchema(kind))).toEqual([]);
  });

  it('tell their words, what is allowed, the default and the range', () => {
    expect(notesOf({ description: 'How loud', enum: ['a', 'b'], default: 'a', minimum: 1, maximum: 2 ** 31 - 1 })).toBe(
      'How loud; one of a, b; default "a"; at least 1',
    );
    expect(notesOf({ minimum: 1, maximum: 65535 })).toBe('1 to 65535');
  });
});
