/** Istio's merge of the policies of a host, of a subset and of a port as data, 78 cases. */
import { describe, expect, it } from 'vitest';
import type { TrafficPolicy } from '../../../src/dsl/destination-rule-shape.js';
import { policyAt } from '../../../src/pilot/translate/policy-levels.js';
import { goldenCases, unseenMutants } from '../../support/golden.js';

interface GoldenCase {
  readonly destinationRulePolicy: TrafficPolicy | null;
  readonly subsetPolicy: TrafficPolicy | null;
  readonly port: number;
  readonly merged: object | null;
}

const cases = goldenCases<GoldenCase>('subset-policy-merge.jsonl');

function ourPolicy({ destinationRulePolicy, subsetPolicy, port }: GoldenCase): object {
  return policyAt(destinationRulePolicy ?? undefined, subsetPolicy ?? undefined, port) ?? {};
}

/** Settings of other ports may go along: nobody reads them any more. None and an empty policy say the same. */
function normal(policy: object | null): object {
  const { portLevelSettings: _, ...blocks } = { portLevelSettings: undefined, ...policy };
  return JSON.parse(JSON.stringify(blocks)) as object;
}

describe("Istio's merge of policies", () => {
  it('is there with 78 cases', () => {
    expect(cases).toHaveLength(78);
  });

  it.each(cases.map((one, i) => [i + 1, one] as const))('case %i', (_line, one) => {
    expect(normal(ourPolicy(one))).toEqual(normal(one.merged));
  });

  it('would be seen to differ in every field', () => {
    const ours = cases.map((one, i) => [`case ${i + 1}`, normal(ourPolicy(one))] as const);
    const { mutants, unseen } = unseenMutants(ours, normal);
    expect(mutants).toBeGreaterThan(200);
    expect(unseen).toEqual([]);
  });
});
