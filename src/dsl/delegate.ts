/**
 * A rule that leaves its requests to another VirtualService: the rules of that one, narrowed to what the first rule takes
 * (reference: 1.1 "Delegate merge"). Pure.
 */
import type { IstioDestination, IstioStringMatch } from './fields.js';
import { gatewayKey } from './gateway-name.js';
import type { HttpRule, IstioMatch } from './virtual-service-shape.js';

/** A delegated rule of which no match can ever hold together with one of the root's is left out, and counted in `dropped`. */
export function mergeDelegate(
  root: HttpRule,
  delegated: readonly HttpRule[],
): { readonly rules: readonly HttpRule[]; readonly dropped: number } {
  const rules = delegated.flatMap((rule) => {
    const match = mergeMatches(root.match, rule.match);
    return match === 'conflict' ? [] : [mergeRule(root, rule, match)];
  });
  return { rules, dropped: delegated.length - rules.length };
}

/** What the delegated rule does not say itself, the root's says. */
function mergeRule(root: HttpRule, rule: HttpRule, match: IstioMatch[] | undefined): HttpRule {
  const { delegate: _, ...inherited } = root;
  const own = Object.fromEntries(Object.entries(rule).filter(([, value]) => value !== undefined));
  const name = joined(root.name, rule.name);
  return { ...inherited, ...own, match, ...(name === '' ? {} : { name }) };
}

/** Every pair that can hold at once; `conflict` when one of the delegated matches finds no partner. */
function mergeMatches(
  root: readonly IstioMatch[] = [],
  delegated: readonly IstioMatch[] = [],
): IstioMatch[] | undefined | 'conflict' {
  if (root.length === 0 || delegated.length === 0) {
    const matches = [...root, ...delegated];
    return matches.length === 0 ? undefined : matches;
  }
  const merged: IstioMatch[] = [];
  for (const one of delegated) {
    const partners = root.filter((candidate) => !conflicts(candidate, one));
    if (partners.length === 0) return 'conflict';
    merged.push(...partners.map((partner) => mergeMatch(partner, one)));
  }
  return merged;
}

function mergeMatch(root: IstioMatch, one: IstioMatch): IstioMatch {
  const name = joined(root.name, one.name);
  return {
    ...root,
    ...Object.fromEntries(Object.entries(one).filter(([, value]) => value !== undefined)),
    ...(name === '' ? {} : { name }),
    ignoreUriCase: one.ignoreUriCase,
    headers: { ...root.headers, ...one.headers },
    withoutHeaders: { ...root.withoutHeaders, ...one.withoutHeaders },
    queryParams: { ...root.queryParams, ...one.queryParams },
    ...(root.sourceLabels === undefined && one.sourceLabels === undefined
      ? {}
      : { sourceLabels: { ...root.sourceLabels, ...one.sourceLabels } }),
  };
}

function joined(a = '', b = ''): string {
  return [a, b].filter((part) => part !== '').join('-');
}

/** Could a request never meet both, or could that not be told without running a regular expression? */
export function conflicts(root: IstioMatch, one: IstioMatch): boolean {
  const texts = (['uri', 'scheme', 'method', 'authority'] as const).map((field) => [root[field], one[field]] as const);
  const maps = (['headers', 'withoutHeaders', 'queryParams'] as const).flatMap((field) =>
    Object.entries(one[field]).map(([key, match]) => [root[field][key], match] as const),
  );
  return (
    [...texts, ...maps].some(
      ([wide, narrow]) => wide !== undefined && narrow !== undefined && !isWithin(narrow, wide),
    ) ||
    root.ignoreUriCase !== one.ignoreUriCase ||
    differs(root.port, one.port) ||
    differs(root.sourceNamespace, one.sourceNamespace) ||
    !(one.gateways ?? []).every((name) => root.gateways?.includes(name) ?? true) ||
    Object.entries(one.sourceLabels ?? {}).some(([key, value]) => differs(root.sourceLabels?.[key], value))
  );
}

function differs<Value>(a: Value | undefined, b: Value | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b;
}

function isWithin(narrow: IstioStringMatch, wide: IstioStringMatch): boolean {
  if (narrow.regex !== undefined || wide.regex !== undefined) return false;
  if (wide.exact !== undefined) return narrow.exact === wide.exact;
  const { prefix } = wide;
  if (prefix === undefined) return true; // it only has to be there
  return (narrow.exact ?? narrow.prefix)?.startsWith(prefix) ?? false;
}

/** The same rule wherever it stands: hosts and gateways that are relative to its namespace are written in full. */
export function withFullNames(rule: HttpRule, namespace: string, full: (host: string) => string): HttpRule {
  const named = (destination: IstioDestination): IstioDestination => ({ ...destination, host: full(destination.host) });
  return {
    ...rule,
    ...(rule.match === undefined ? {} : { match: rule.match.map((match) => withFullGateways(match, namespace)) }),
    ...(rule.route === undefined
      ? {}
      : { route: rule.route.map((one) => ({ ...one, destination: named(one.destination) })) }),
    ...(rule.mirror === undefined ? {} : { mirror: named(rule.mirror) }),
    ...(rule.mirrors === undefined
      ? {}
      : { mirrors: rule.mirrors.map((one) => ({ ...one, destination: named(one.destination) })) }),
  };
}

function withFullGateways(match: IstioMatch, namespace: string): IstioMatch {
  if (match.gateways === undefined) return match;
  return { ...match, gateways: match.gateways.map((name) => gatewayKey(name, namespace)) };
}
