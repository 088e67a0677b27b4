/** Our Route, and the default of a service without any, as rules. */
import { regexProblem } from '../../dsl/regex.js';
import type { Definition } from '../../model/definition.js';
import { durationMs, type StringMatch } from '../../model/fields.js';
import { fullName, serviceHost } from '../../model/names.js';
import { byText } from '../../model/order.js';
import type { RouteMatch, RouteRule, RouteSpec } from '../../model/route.js';
import { splitServiceName } from '../../model/service-shape.js';
import { escaped } from './escaped.js';
import { type HostIdentity, isExternalKey } from './mesh-index.js';
import {
  anyRequest,
  type CallerCondition,
  type Fallback,
  type HeaderCondition,
  type RequestMatch,
  type Retries,
  type Rule,
  type Rules,
  type TextMatch,
} from './policy.js';
import { remember } from './remember.js';

/** Rules, and what of their definition could not be used. */
export interface Compiled {
  readonly rules: Rules;
  readonly problems: readonly string[];
}

/**
 * Requests that certainly did not reach the app, whatever their method, and idempotent ones whose connection broke. Nothing that
 * may have been done is done twice.
 */
export const defaultRetries: Retries = {
  attempts: 2,
  on: ['connect-failure', 'refused-stream', 'reset-before-request'],
  statusCodes: [],
  behindSidecar: 'unreached-or-idempotent',
  perTryTimeoutMs: undefined,
  backoffMs: undefined,
  previousHosts: 'unless-hashed',
  remoteLocalities: false,
};

/** Everything to the plain service: what a service gets whose owner wrote nothing, and what a Route leaves over. */
export const defaultRule: (identity: HostIdentity) => Rule = remember(
  ({ namespace, name, key, host }: HostIdentity): Rule => ({
    source: { kind: isExternalKey(key) ? 'ServiceEntry' : 'Service', namespace, name },
    name: 'default',
    layer: 'http',
    isReleaseCopy: false,
    matches: [],
    action: {
      kind: 'forward',
      destinations: [{ host, selection: { kind: 'plain' }, port: undefined, weight: 1, edits: undefined }],
      timeoutMs: 0,
      retries: defaultRetries,
      fault: undefined,
      mirrors: [],
      rewrite: undefined,
    },
    edits: undefined,
    cors: undefined,
    fallback: undefined,
  }),
);

export const compileRoute: (definition: Definition<RouteSpec>, domain: string) => Compiled = remember(
  (definition: Definition<RouteSpec>, domain: string): Compiled => {
    const problems: string[] = [];
    const rules: Rule[] = [];
    for (const [i, rule] of definition.spec.rules.entries()) {
      const name = rule.name ?? String(i);
      const wrong = patternsOf(rule)
        .map(regexProblem)
        .find((problem) => problem !== undefined);
      if (wrong === undefined) rules.push(compileRule(rule, name, definition, domain));
      else problems.push(`rule "${name}" is left out: ${wrong}`);
    }
    return { rules, problems };
  },
);

function compileRule(rule: RouteRule, name: string, definition: Definition<RouteSpec>, domain: string): Rule {
  const namespace = definition.namespace as string; // the kind is namespaced
  return {
    source: { kind: 'Route', namespace, name: definition.name },
    name,
    layer: 'http',
    isReleaseCopy: false,
    matches: (rule.match ?? []).map((match) => compileMatch(match, namespace)),
    action: {
      kind: 'forward',
      destinations: rule.split.map(({ version, weight }) => ({
        host: serviceHost(namespace, definition.spec.service, domain),
        selection: { kind: 'version', version },
        port: undefined,
        // Two decimals at most, so this is an integer.
        weight: Math.round(weight * 100),
        edits: undefined,
      })),
      timeoutMs: rule.timeout === undefined ? 0 : durationMs(rule.timeout),
      retries: rule.retries === undefined ? defaultRetries : compileRetries(rule.retries),
      fault: undefined,
      mirrors: [],
      rewrite: undefined,
    },
    edits: undefined,
    cors: undefined,
    fallback: compileFallback(rule.fallback),
  };
}

function compileFallback(fallback: RouteRule['fallback']): Fallback | undefined {
  if (fallback === undefined) return undefined;
  const { on, status, headers, body } = fallback;
  const edits = Object.entries(headers).map(([name, value]) => ({ name, value }));
  return { on, status, headers: edits.toSorted(byText(({ name }) => name)), body };
}

function compileRetries(retries: NonNullable<RouteRule['retries']>): Retries | undefined {
  if (retries.attempts === 0) return undefined;
  return {
    attempts: retries.attempts,
    on: retries.on,
    statusCodes: [],
    behindSidecar: behindSidecar(retries.on),
    perTryTimeoutMs: retries.perTryTimeout === undefined ? undefined : durationMs(retries.perTryTimeout),
    backoffMs: undefined,
    previousHosts: 'unless-hashed',
    remoteLocalities: false,
  };
}

/** A user who asks for retries after a failed connection means the app's, not only that of the sidecar before it. */
export function behindSidecar(on: readonly string[]): Retries['behindSidecar'] {
  if (on.includes('reset') || on.includes('5xx')) return 'any-reset';
  return on.includes('connect-failure') ? 'unreached' : 'none';
}

function compileMatch(match: RouteMatch, namespace: string): RequestMatch {
  const headers: HeaderCondition[] = [
    ...Object.entries(match.headers ?? {}).map(([name, text]) => condition(name.toLowerCase(), textMatch(text))),
    ...(match.method === undefined ? [] : [condition(':method', textMatch(match.method))]),
    ...Object.entries(match.cookies ?? {}).map(([name, text]) => condition('cookie', cookieMatch(name, text))),
  ];
  return {
    ...anyRequest,
    path: match.path === undefined ? undefined : textMatch(match.path),
    headers: headers.toSorted(byText(({ name }) => name)),
    caller: callerCondition(match, namespace),
  };
}

function condition(name: string, match: TextMatch): HeaderCondition {
  return { name, match, inverted: false };
}

function callerCondition({ callers, clusters }: RouteMatch, namespace: string): CallerCondition | undefined {
  if (callers === undefined && clusters === undefined) return undefined;
  const services = callers?.map((caller) => {
    const name = splitServiceName(caller, namespace);
    return fullName(name.namespace, name.service);
  });
  return { services, clusters, labels: undefined, namespace: undefined, gateways: undefined };
}

function textMatch(match: StringMatch): TextMatch {
  if (match.exact !== undefined) return { kind: 'exact', text: match.exact };
  if (match.prefix !== undefined) return { kind: 'prefix', text: match.prefix };
  if (match.regex !== undefined) return { kind: 'regex', text: match.regex };
  return { kind: 'present' };
}

/** Envoy matches whole headers: one cookie is found between the others. */
function cookieMatch(name: string, match: StringMatch): TextMatch {
  return { kind: 'regex', text: `(?:.*;\\s*)?${escaped(name)}=${cookieValue(match)}(?:;.*)?` };
}

function cookieValue(match: StringMatch): string {
  if (match.exact !== undefined) return escaped(match.exact);
  if (match.prefix !== undefined) return `${escaped(match.prefix)}[^;]*`;
  return match.regex === undefined ? '[^;]*' : `(?:${match.regex})`;
}

function patternsOf(rule: RouteRule): readonly string[] {
  return (rule.match ?? [])
    .flatMap((m) => [...Object.values(m.headers ?? {}), ...Object.values(m.cookies ?? {}), m.path, m.method])
    .flatMap((match) => (match?.regex === undefined ? [] : [match.regex]));
}
