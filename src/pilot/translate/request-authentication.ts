/** RequestAuthentications of an instance as the filter that checks tokens at its door (reference: 1.12). */
import type { JwtRule, RequestAuthenticationSpec } from '../../dsl/request-authentication-shape.js';
import { selectsInstance } from '../../dsl/selector.js';
import type { Definition } from '../../model/definition.js';
import { durationMs } from '../../model/fields.js';
import { byText } from '../../model/order.js';
import { any } from '../../xds/envoy-any.js';
import type {
  HttpFilterJson,
  JwtAuthenticationJson,
  JwtProviderJson,
  JwtRequirementJson,
} from '../../xds/envoy-json.js';
import { remember, sameContent, sameList } from './remember.js';
import type { Caller } from './rules.js';

type RequestAuthentication = Definition<RequestAuthenticationSpec>;

/** Rules of all that select the instance, by issuer: they add up. */
export const jwtRulesFor: (
  all: readonly RequestAuthentication[],
  instance: Caller,
  rootNamespace: string,
) => readonly JwtRule[] = remember(
  (all: readonly RequestAuthentication[], instance: Caller, rootNamespace: string): readonly JwtRule[] =>
    sameList(
      all
        .filter((one) => selectsInstance(one, instance, rootNamespace))
        .flatMap(({ spec }) => spec.jwtRules)
        .toSorted(byText(({ issuer = '' }) => issuer)),
    ),
);

export interface KeyHost {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

export function keyHostOf(uri: string): KeyHost {
  const { protocol, hostname, port } = new URL(uri);
  const isTls = protocol === 'https:';
  return { host: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? (isTls ? 443 : 80) : Number(port), isTls };
}

/** Where AuthorizationPolicies look for claims. */
export const TOKENS = 'envoy.filters.http.jwt_authn';
export const PAYLOAD = 'payload';

/** Istio's setting. */
const KEYS_ARE_GOOD_FOR = '300s';

/** `clusterOf`: by `jwksUri`. None for no rules. */
export const tokenGuard: (
  rules: readonly JwtRule[],
  clusterOf: Readonly<Record<string, string>>,
) => readonly HttpFilterJson[] = remember(
  (rules: readonly JwtRule[], clusterOf: Readonly<Record<string, string>>): readonly HttpFilterJson[] => {
    if (rules.length === 0) return [];
    const config = jwtAuthentication(rules, clusterOf);
    return [
      sameContent({
        name: TOKENS,
        typedConfig: any('envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication', config),
      }),
    ];
  },
);

export function jwtAuthentication(
  rules: readonly JwtRule[],
  clusterOf: Readonly<Record<string, string>>,
): JwtAuthenticationJson {
  const named = rules.map((rule, i) => [`origins-${i}`, providerOf(rule, clusterOf)] as const);
  return {
    providers: Object.fromEntries(named),
    rules: [{ match: { prefix: '/' }, requires: requirement(named.map(([name]) => name)) }],
    bypassCorsPreflight: true,
  };
}

function providerOf(rule: JwtRule, clusterOf: Readonly<Record<string, string>>): JwtProviderJson {
  const { issuer, audiences, fromHeaders, fromParams, fromCookies, outputClaimToHeaders } = rule;
  return {
    ...(issuer === undefined ? {} : { issuer }),
    ...(audiences.length === 0 ? {} : { audiences }),
    ...keysOf(rule, clusterOf),
    ...(fromHeaders.length === 0
      ? {}
      : { fromHeaders: fromHeaders.map(({ name, prefix }) => ({ name, valuePrefix: prefix })) }),
    ...(fromParams.length === 0 ? {} : { fromParams }),
    ...(fromCookies.length === 0 ? {} : { fromCookies }),
    ...(rule.outputPayloadToHeader === undefined ? {} : { forwardPayloadHeader: rule.outputPayloadToHeader }),
    ...(outputClaimToHeaders.length === 0
      ? {}
      : {
          claimToHeaders: outputClaimToHeaders.map(({ header, claim }) => ({ headerName: header, claimName: claim })),
        }),
    ...(rule.forwardOriginalToken ? { forward: true } : {}),
    payloadInMetadata: PAYLOAD,
    normalizePayloadInMetadata: {
      spaceDelimitedClaims: [...new Set(['permission', 'scope', ...rule.spaceDelimitedClaims])].toSorted(),
    },
  };
}

function keysOf(
  { jwks, jwksUri, timeout }: JwtRule,
  clusterOf: Readonly<Record<string, string>>,
): Pick<JwtProviderJson, 'localJwks' | 'remoteJwks'> {
  if (jwksUri === undefined) return { localJwks: { inlineString: jwks ?? '' } };
  const httpUri = { uri: jwksUri, cluster: clusterOf[jwksUri] ?? '', timeout: `${durationMs(timeout) / 1000}s` };
  return { remoteJwks: { httpUri, cacheDuration: KEYS_ARE_GOOD_FOR } };
}

/** A wrong token is refused. None is let by: that is for AuthorizationPolicies to say. Of several, each may be missing. */
function requirement(names: readonly string[]): JwtRequirementJson {
  const [only] = names;
  if (names.length === 1 && only !== undefined) return orMissing(only);
  const each: JwtRequirementJson = { requiresAll: { requirements: names.map(orMissing) } };
  return { requiresAny: { requirements: [...names.map((providerName) => ({ providerName })), each] } };
}

function orMissing(providerName: string): JwtRequirementJson {
  return { requiresAny: { requirements: [{ providerName }, { allowMissing: {} }] } };
}
