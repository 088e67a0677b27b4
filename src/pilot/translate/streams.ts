/** Rules for connections that are passed on as they are, in the order in which Envoy asks them: the closest match, not the first. */
import { isWithinHost } from '../../dsl/host.js';
import { defaultRule } from './compile-route.js';
import type { Callable } from './envoy-clusters.js';
import { hashOf } from './hash-policy.js';
import type { PassedOn } from './listeners.js';
import type { MeshHost } from './mesh-index.js';
import type { Destination, RequestMatch, Rule, Rules } from './policy.js';
import { clusterName, weighedDestinations } from './route-action.js';
import { targetPolicy } from './target-policy.js';

/** A filter chain of a listener: what it takes, and where that goes. */
export interface Stream {
  /** Of TLS; empty for any connection. */
  readonly serverNames: readonly string[];
  readonly subnets: readonly string[];
  readonly destinations: readonly Destination[];
}

/**
 * Envoy takes the chain with the closest match and refuses two that are equal, so of equal ones the first stands alone. Of rules
 * for TCP nothing is asked behind the first that takes every connection.
 */
export function streamsOf(rules: Rules): readonly Stream[] {
  const seen = new Set<string>();
  return matchesOf(rules).flatMap(({ serverNames, subnets, destinations }) => {
    // By what is left of the ranges, which is all of them but for odd cases.
    const groups = new Map<string, Stream>();
    for (const name of serverNames.length === 0 ? [NOTHING] : serverNames) {
      const left = (subnets.length === 0 ? [NOTHING] : subnets).filter((subnet) => !seen.has(`${name} ${subnet}`));
      if (left.length === 0) continue;
      for (const subnet of left) seen.add(`${name} ${subnet}`);
      const names = groups.get(left.join())?.serverNames ?? [];
      groups.set(left.join(), { serverNames: [...names, name], subnets: left, destinations });
    }
    return [...groups.values()].map((stream) => ({
      serverNames: stream.serverNames.filter(isSomething),
      subnets: stream.subnets.filter(isSomething),
      destinations,
    }));
  });
}

const NOTHING = '';
const isSomething = (text: string): boolean => text !== NOTHING;

function matchesOf(rules: Rules): readonly Stream[] {
  const tls = rules.filter((rule) => rule.layer === 'tls');
  const tcp = rules.filter((rule) => rule.layer === 'tcp');
  const last = tcp.findIndex(takesAll);
  return [...tls, ...(last === -1 ? tcp : tcp.slice(0, last + 1))].flatMap((rule) => {
    const destinations = destinationsOf(rule);
    if (takesAll(rule)) return [{ serverNames: [], subnets: [], destinations }];
    return rule.matches.map(({ serverNames, subnets }) => ({ serverNames, subnets, destinations }));
  });
}

/** Whom it is for was decided before: a match without names and ranges takes everything. */
function takesAll({ matches }: Rule): boolean {
  return matches.length === 0 || matches.some(isAny);
}

function isAny({ serverNames, subnets }: RequestMatch): boolean {
  return serverNames.length === 0 && subnets.length === 0;
}

function destinationsOf({ action }: Rule): readonly Destination[] {
  return action.kind === 'forward' ? weighedDestinations(action.destinations) : [];
}

/** With where everything goes that no rule for connections takes. */
export function streamsOfHost(entry: MeshHost, rules: Rules): readonly Stream[] {
  const streams = streamsOf(rules);
  return streams.some((stream) => stream.serverNames.length === 0 && stream.subnets.length === 0)
    ? streams
    : [...streams, { serverNames: [], subnets: [], destinations: unaskedDestinations(entry, rules) }];
}

/**
 * Where CONNECT to a service that speaks no HTTP leads. Nobody has looked inside yet, but the client will ask for the name that it
 * gave, if it speaks TLS.
 */
export function connectDestinations(entry: MeshHost, rules: Rules): readonly Destination[] {
  const byName = rules.find(
    (rule) =>
      rule.layer === 'tls' &&
      rule.matches.some(({ serverNames }) => serverNames.some((name) => isWithinHost(entry.host, name))),
  );
  const tcp = rules.find((rule) => rule.layer === 'tcp' && takesAll(rule));
  const found = byName ?? tcp;
  return found === undefined ? unaskedDestinations(entry, rules) : destinationsOf(found);
}

/** Rules for requests hold for connections as far as they ask nothing; without any it is the plain service. */
function unaskedDestinations(entry: MeshHost, rules: Rules): readonly Destination[] {
  const requests = rules.filter((rule) => rule.layer === 'http');
  const rule = [...requests, defaultRule(entry.identity)].find((candidate) => candidate.matches.length === 0);
  return rule === undefined ? [] : destinationsOf(rule);
}

/** With the names of the Envoy clusters. The first destination says whether a caller keeps to one instance, and of a tunnel. */
export function passedOn({ serverNames, subnets, destinations }: Stream, place: Callable): PassedOn {
  const [first] = destinations;
  return {
    serverNames,
    subnets,
    clusters: destinations.map((target) => ({ name: clusterName(target, place), weight: target.weight })),
    isBySource: first !== undefined && hashOf(first, place)?.useSourceIp === true,
    tunnel: first && targetPolicy(first, place)?.tunnel,
  };
}
