/** Which route of Envoy's a request meets, by the rules of Envoy. What is not known here throws, so that nothing is overlooked. */
import { compileRe2 } from '../model/re2.js';
import type {
  HeaderMatcherJson,
  QueryParameterMatcherJson,
  RouteMatchJson,
  StringMatcherJson,
  VirtualHostJson,
} from '../xds/envoy-json.js';
import { type MeshRequest, pathOnly, queryOf } from './request.js';

/** Exact before `*.suffix` before `prefix.*` before `*`; of wildcards the longest. */
export function virtualHostOf(hosts: readonly VirtualHostJson[], authority: string): VirtualHostJson | undefined {
  const wanted = withoutTrailingDot(authority.toLowerCase());
  const named = hosts.flatMap((host) => (host.domains ?? []).map((domain) => ({ host, domain: domain.toLowerCase() })));
  const exact = named.find(({ domain }) => domain === wanted);
  const longest = (fits: (domain: string) => boolean): VirtualHostJson | undefined =>
    named.filter(({ domain }) => domain.length > 1 && fits(domain)).toSorted(byLength)[0]?.host;
  return (
    exact?.host ??
    longest((domain) => domain.startsWith('*') && isLonger(wanted, domain) && wanted.endsWith(domain.slice(1))) ??
    longest((domain) => domain.endsWith('*') && isLonger(wanted, domain) && wanted.startsWith(domain.slice(0, -1))) ??
    named.find(({ domain }) => domain === '*')?.host
  );
}

const byLength = (a: { domain: string }, b: { domain: string }): number => b.domain.length - a.domain.length;
/** A wildcard stands for at least one character. */
const isLonger = (name: string, domain: string): boolean => name.length >= domain.length;

function withoutTrailingDot(authority: string): string {
  return authority.replace(/\.(:\d+)?$/, '$1');
}

/** The first condition of a route that a request does not meet, in words; undefined when it meets all of them. */
export function mismatch(match: RouteMatchJson, request: MeshRequest): string | undefined {
  const unknown = Object.keys(match).find((key) => !knownConditions.has(key));
  if (unknown !== undefined) throw new Error(`a route with the condition ${unknown}, which is not known here`);
  if (match.connectMatcher !== undefined) return request.method === 'CONNECT' ? undefined : 'it is for CONNECT';
  if (request.method === 'CONNECT') return 'it is not for CONNECT';
  return (
    pathMismatch(match, pathOnly(request.path)) ??
    (match.grpc === undefined ? undefined : grpcMismatch(request)) ??
    firstOf((match.headers ?? []).map((matcher) => headerMismatch(matcher, headerOf(request, matcher.name ?? '')))) ??
    firstOf((match.queryParameters ?? []).map((matcher) => queryMismatch(matcher, queryOf(request.path))))
  );
}

/** `runtimeFraction` is a share, and the caller's to look at. */
const knownConditions = new Set([
  'caseSensitive',
  'connectMatcher',
  'grpc',
  'headers',
  'path',
  'pathSeparatedPrefix',
  'prefix',
  'queryParameters',
  'runtimeFraction',
  'safeRegex',
]);

const firstOf = (words: readonly (string | undefined)[]): string | undefined =>
  words.find((word) => word !== undefined);

function pathMismatch(match: RouteMatchJson, path: string): string | undefined {
  const fold = (text: string): string => (match.caseSensitive === false ? text.toLowerCase() : text);
  const found = fold(path);
  if (match.path !== undefined) return found === fold(match.path) ? undefined : `the path is not ${match.path}`;
  if (match.safeRegex !== undefined) {
    const { regex = '' } = match.safeRegex;
    return isMatch(regex, path) ? undefined : `the path does not match ${regex}`;
  }
  if (match.pathSeparatedPrefix !== undefined) {
    const prefix = fold(match.pathSeparatedPrefix);
    return found === prefix || found.startsWith(`${prefix}/`) ? undefined : `the path is not below ${prefix}`;
  }
  const prefix = match.prefix ?? '';
  return found.startsWith(fold(prefix)) ? undefined : `the path does not begin with ${prefix}`;
}

function grpcMismatch({ headers }: MeshRequest): string | undefined {
  return /^application\/grpc(\+|;|$)/.test(headers['content-type'] ?? '') ? undefined : 'it is for gRPC';
}

function headerOf({ host, path, method, scheme, headers }: MeshRequest, name: string): string | undefined {
  const pseudo: Readonly<Record<string, string>> = {
    ':authority': host,
    host,
    ':path': path,
    ':method': method,
    ':scheme': scheme,
  };
  return pseudo[name] ?? headers[name.toLowerCase()];
}

/** A missing header meets no condition, and none of "not" either, unless it is said to count as an empty one. */
function headerMismatch(matcher: HeaderMatcherJson, value: string | undefined): string | undefined {
  const { name = '', invertMatch = false, treatMissingHeaderAsEmpty = false } = matcher;
  const not = invertMatch ? 'not ' : '';
  if (matcher.presentMatch !== undefined) {
    const isMet = ((value !== undefined) === matcher.presentMatch) !== invertMatch;
    const wanted = matcher.presentMatch !== invertMatch ? 'is not there' : 'is there';
    return isMet ? undefined : `header ${name} ${wanted}`;
  }
  if (matcher.stringMatch === undefined) throw new Error(`a condition on the header ${name} that is not known here`);
  const seen = value ?? (treatMissingHeaderAsEmpty ? '' : undefined);
  if (seen === undefined) return `header ${name} is not there`;
  if (isText(matcher.stringMatch, seen) !== invertMatch) return undefined;
  return `header ${name} is ${JSON.stringify(seen)}, must ${not}${textWords(matcher.stringMatch)}`;
}

function queryMismatch(
  { name = '', presentMatch, stringMatch }: QueryParameterMatcherJson,
  query: ReadonlyMap<string, string>,
): string | undefined {
  const value = query.get(name);
  if (value === undefined) return presentMatch === false ? undefined : `parameter ${name} is not there`;
  if (stringMatch === undefined) return presentMatch === false ? `parameter ${name} is there` : undefined;
  if (isText(stringMatch, value)) return undefined;
  return `parameter ${name} is ${JSON.stringify(value)}, must ${textWords(stringMatch)}`;
}

export function isText(matcher: StringMatcherJson, value: string): boolean {
  const fold = (text: string): string => (matcher.ignoreCase === true ? text.toLowerCase() : text);
  const found = fold(value);
  if (matcher.exact !== undefined) return found === fold(matcher.exact);
  if (matcher.prefix !== undefined) return found.startsWith(fold(matcher.prefix));
  if (matcher.suffix !== undefined) return found.endsWith(fold(matcher.suffix));
  if (matcher.contains !== undefined) return found.includes(fold(matcher.contains));
  if (matcher.safeRegex !== undefined) return isMatch(matcher.safeRegex.regex ?? '', value);
  throw new Error('a condition on a text that is not known here');
}

function textWords({ exact, prefix, suffix, contains, safeRegex }: StringMatcherJson): string {
  if (exact !== undefined) return `be ${JSON.stringify(exact)}`;
  if (prefix !== undefined) return `begin with ${prefix}`;
  if (suffix !== undefined) return `end with ${suffix}`;
  if (contains !== undefined) return `contain ${contains}`;
  return `match ${safeRegex?.regex}`;
}

function isMatch(regex: string, text: string): boolean {
  const compiled = compileRe2(regex);
  if (compiled.kind === 'refused') throw new Error(`the expression ${regex} is not known here: ${compiled.reason}`);
  return compiled.matches(text);
}
