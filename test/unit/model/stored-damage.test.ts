import { expect, test } from 'vitest';
import type { Document } from '../../../src/model/definition.js';
import { parseStored } from '../../../src/model/parse.js';
import { serviceKind } from '../../../src/model/service.js';
import { valueOf } from '../../../src/model/stored-value.js';

test('a stored document that is damaged is no definition, and throws nothing', () => {
  const damaged = [{ kind: 'Service', spec: 7 }, { kind: 'Service', metadata: null }, {}, []];
  for (const document of damaged) expect(parseStored(document as unknown as Document, [serviceKind])).toBeUndefined();
});

test('a stored value is read when it is whole, else it is absent', () => {
  expect(valueOf<{ a: number }>('{"a":1}', ['a'])).toEqual({ a: 1 });
  for (const text of ['', 'x', '7', '[]', 'null', '{"b":1}'])
    expect(valueOf<{ a: number }>(text, ['a'])).toBeUndefined();
});
