/** Istio's verdict on its own validation cases, and ours: equal, but for what is listed with a reason. */
import { describe, expect, it } from 'vitest';
import {
  crdCases,
  knownKinds,
  refusals,
  type ValidationCase,
  validationCases,
} from '../../support/istio-validation.js';
import { differences } from './validation-differences.js';

const cases = [...validationCases(), ...crdCases()];
const open = new Set(differences.flatMap((difference) => (difference.open === true ? difference.ids : [])));
const listed = new Set(differences.flatMap((difference) => difference.ids).filter((id) => !open.has(id)));
const isEqual = (one: ValidationCase): boolean => (refusals(one).length === 0) === one.isValid;

describe("Istio's validation cases", () => {
  it('are all there', () => {
    expect(validationCases()).toHaveLength(684);
    expect(new Set(crdCases().map(({ id }) => id.split(' ')[0])).size).toBe(22);
  });

  it('are of kinds that are there', () => {
    const kinds = new Set(cases.map(({ kind }) => kind));
    expect([...kinds].filter((kind) => !knownKinds.has(kind))).toEqual([]);
  });

  it('have the same verdict here', () => {
    const others = cases.filter((one) => !listed.has(one.id) && !open.has(one.id) && !isEqual(one));
    expect(
      others.map((one) =>
        one.isValid
          ? `${one.id}: we refuse: ${refusals(one)
              .map(({ path, message }) => `${path}: ${message}`)
              .join()}`
          : `${one.id}: we accept, Istio says: ${one.istioError}`,
      ),
    ).toEqual([]);
  });

  it('differ where it is listed: an entry that no longer holds goes', () => {
    expect(cases.filter((one) => listed.has(one.id) && isEqual(one)).map(({ id }) => id)).toEqual([]);
  });
});
