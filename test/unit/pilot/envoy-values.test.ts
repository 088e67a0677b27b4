import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allKinds } from '../../../src/dsl/kinds.js';
import { parseDefinitions } from '../../../src/model/parse.js';
import { envoyValueProblems } from '../../../src/pilot/envoy-values.js';

const text = (value: string): string => `apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: { name: f }
spec:
  configPatches:
    - { applyTo: CLUSTER, patch: { operation: REMOVE } }
    - applyTo: CLUSTER
      patch:
        operation: MERGE
        value: ${value}
`;

const problemsOf = (value: string) => {
  const { definitions, problems } = parseDefinitions([{ name: 'f.yaml', text: text(value) }], allKinds);
  expect(problems).toEqual([]);
  return envoyValueProblems(definitions);
};

describe('values of an EnvoyFilter', () => {
  it.each([
    ['{ conect_timeout: 1s }', 'envoy.config.cluster.v3.Cluster at conect_timeout'],
    ['{ connect_timeout: 0s }', 'envoy.config.cluster.v3.Cluster: connectTimeout must be greater than 0s'],
  ])('%s is told with its line', (value, message) => {
    const [problem, ...others] = problemsOf(value);
    expect(others).toEqual([]);
    expect(problem).toMatchObject({
      code: 'MESH1005',
      severity: 'error',
      file: 'f.yaml',
      line: 10,
      path: 'EnvoyFilter default/f spec.configPatches[1].patch.value',
    });
    expect(problem?.message).toContain(message);
    expect(problem?.hint).toContain('@type');
  });

  it('by which Istio loses the changes of others are refused before anybody is sent them', () => {
    const file = new URL('../../../fixtures/conformance/istio/live/nack-sequence.json', import.meta.url);
    const { cases } = JSON.parse(readFileSync(file, 'utf8')) as { cases: { inline: string[] | null }[] };
    const bad = cases.flatMap(({ inline }) => inline ?? []).filter((one) => one.includes('kind: EnvoyFilter'));
    const told = bad.map((one) => {
      const { definitions } = parseDefinitions([{ name: 'f.yaml', text: one }], allKinds);
      return envoyValueProblems(definitions).map(({ message }) => message.replace(/^[^:]*: /, ''));
    });
    expect(told).toEqual([
      ['connectTimeout must be greater than 0s'],
      ['route.retryPolicy.retryBackOff.maxInterval must be at least baseInterval'],
    ]);
  });

  it('are right when they are messages of Envoy', () => {
    expect(problemsOf('{ connect_timeout: 250ms, lb_policy: RANDOM }')).toEqual([]);
  });
});
