/** Conditions as Envoy writes them. */
import type {
  HeaderMatcherJson,
  QueryParameterMatcherJson,
  RouteMatchJson,
  StringMatcherJson,
} from '../../xds/envoy-json.js';
import type { HeaderCondition, QueryCondition, RequestMatch, TextMatch } from './policy.js';

/** Caller and port were decided when we translated; what is left are conditions on the request. */
export function routeMatch(match: RequestMatch): RouteMatchJson {
  return {
    ...pathMatch(match.path),
    ...(match.ignoreCase ? { caseSensitive: false } : {}),
    ...(match.headers.length === 0 ? {} : { headers: match.headers.map(headerMatcher) }),
    ...(match.queryParameters.length === 0 ? {} : { queryParameters: match.queryParameters.map(queryMatcher) }),
  };
}

function pathMatch(path: TextMatch | undefined): RouteMatchJson {
  switch (path?.kind) {
    case undefined:
    case 'present':
      return { prefix: '/' };
    case 'exact':
      return { path: path.text };
    case 'prefix':
      return { prefix: path.text === '' ? '/' : path.text };
    case 'regex':
      return { safeRegex: { regex: path.text } };
  }
}

function headerMatcher({ name, match, inverted }: HeaderCondition): HeaderMatcherJson {
  const invert = inverted ? { invertMatch: true } : {};
  if (match.kind === 'present') return { name, presentMatch: true, ...invert };
  return {
    name,
    stringMatch: stringMatcher(match),
    ...invert,
    ...(inverted ? { treatMissingHeaderAsEmpty: true } : {}),
  };
}

function queryMatcher({ name, match }: QueryCondition): QueryParameterMatcherJson {
  return match.kind === 'present' ? { name, presentMatch: true } : { name, stringMatch: stringMatcher(match) };
}

export function stringMatcher(match: Exclude<TextMatch, { kind: 'present' }>): StringMatcherJson {
  switch (match.kind) {
    case 'exact':
      return { exact: match.text };
    case 'prefix':
      return { prefix: match.text };
    case 'regex':
      return { safeRegex: { regex: match.text } };
  }
}
