/**
 * What Istio makes of token rules, as data. istiod fetches keys and puts them into the filter where Envoy fetches them here, so keys that
 * it has fetched count as those that are to be fetched from there.
 */
import { expect, it } from 'vitest';
import { type JwtRule, requestAuthenticationSchema } from '../../../src/dsl/request-authentication-shape.js';
import { jwtAuthentication, keyHostOf } from '../../../src/pilot/translate/request-authentication.js';
import { decodeMessage, encodeMessage } from '../../../src/xds/encode.js';
import type { JwtAuthenticationJson, JwtProviderJson } from '../../../src/xds/envoy-json.js';
import { goldenCases, unseenMutants } from '../../support/golden.js';

interface Case {
  readonly jwtRules: readonly { readonly jwksUri?: string; readonly jwks?: string }[];
  readonly jwtAuthentication: JwtAuthenticationJson | null;
}

const differences: ReadonlyMap<number, string> = new Map([
  [13, 'an issuer alone is refused here: nobody looks for its keys there'],
]);

const TYPE = 'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication';
const cases = goldenCases<Case>('jwt-filter.jsonl').map((one, i) => [i, one] as const);

/** Keys that are given are none in these tests. */
const someKeys = '{"keys":[{"kty":"oct","k":"AAAA"}]}';

function rulesOf({ jwtRules }: Case): readonly JwtRule[] {
  const rules = jwtRules.map((rule) => (rule.jwks === undefined ? rule : { ...rule, jwks: someKeys }));
  return requestAuthenticationSchema
    .parse({ jwtRules: rules })
    .jwtRules.map((rule, i) => ({ ...rule, ...(rule.jwks === undefined ? {} : { jwks: jwtRules[i]?.jwks }) }));
}

/** As Istio names the clusters of hosts, those of its own mesh by their full names. */
function clustersOf(rules: readonly JwtRule[]): Record<string, string> {
  return Object.fromEntries(
    rules.flatMap(({ jwksUri }) => {
      if (jwksUri === undefined) return [];
      const { host, port } = keyHostOf(jwksUri);
      return [[jwksUri, `outbound|${port}||${host.replace(/\.mesh$/, '.mesh.svc.cluster.local')}`]];
    }),
  );
}

function normal(filter: JwtAuthenticationJson | null, { jwtRules }: Case): unknown {
  if (filter === null) return undefined;
  const { providers = {}, ...rest } = decodeMessage(TYPE, encodeMessage(TYPE, filter)) as JwtAuthenticationJson;
  const named = Object.entries(providers).map(([name, provider], i) => [
    name,
    withKeys(provider, jwtRules[i]?.jwksUri),
  ]);
  return { ...rest, providers: Object.fromEntries(named) };
}

function withKeys(provider: JwtProviderJson, jwksUri: string | undefined): JwtProviderJson {
  const { localJwks, ...rest } = provider;
  if (localJwks === undefined || jwksUri === undefined) return provider;
  const { host, port } = keyHostOf(jwksUri);
  const httpUri = { uri: jwksUri, cluster: `outbound|${port}||${host}`, timeout: '5s' };
  return { ...rest, remoteJwks: { httpUri, cacheDuration: '300s' } };
}

it.each(cases.filter(([i]) => !differences.has(i)))('case %i: the filter is the same', (_i, one) => {
  const rules = rulesOf(one);
  const ours = rules.length === 0 ? null : jwtAuthentication(rules, clustersOf(rules));
  expect(normal(ours, one)).toEqual(normal(one.jwtAuthentication, one));
});

it.each([...differences])('case %i differs: %s', (i) => {
  expect(() => rulesOf(cases[i]?.[1] as Case)).toThrow('nobody looks for keys at the issuer');
});

it('notices what is changed in any field', () => {
  const made = cases.flatMap(([i, one]) => {
    if (differences.has(i) || one.jwtRules.length === 0) return [];
    const rules = rulesOf(one);
    return [[String(i), jwtAuthentication(rules, clustersOf(rules))] as const];
  });
  const { mutants, unseen } = unseenMutants(made, (filter, i) => normal(filter, cases[Number(i)]?.[1] as Case));
  expect(unseen.length / mutants, unseen.join('\n')).toBeLessThanOrEqual(0.05);
});
