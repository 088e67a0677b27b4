/** A gray release laid over rules that stay as their owner wrote them (docs/architecture.md, "Gray release"). */
import { isActive, type Release } from '../../model/release.js';
import type { ServiceSpec } from '../../model/service-shape.js';
import {
  type Action,
  anyRequest,
  type Destination,
  type HeaderCondition,
  type RequestMatch,
  type Rule,
  type Rules,
  type Selection,
} from './policy.js';

/** What a release does to traffic now. */
export interface Shift {
  /** Of the released service. */
  readonly host: string;
  readonly from: string;
  readonly to: string;
  /** Hundredths of a percent, 0 to 10,000. */
  readonly weight: number;
  /** All of these send a request to the new version, whatever the weight. */
  readonly matches: readonly HeaderCondition[];
}

const WHOLE = 10_000;

/** Undefined when the release moves nothing. A succeeded one stands in for the definitions until they name the new version. */
export function shiftOf(service: ServiceSpec, host: string, release: Release | undefined): Shift | undefined {
  if (release === undefined) return undefined;
  const { stable: from, gray: to } = release;
  if (isActive(release)) {
    const matches = release.matches.map(headerCondition);
    return { host, from, to, weight: Math.round(release.weight * 100), matches };
  }
  if (release.phase === 'succeeded' && service.stable === from) return { host, from, to, weight: WHOLE, matches: [] };
  return undefined;
}

function headerCondition({ header, exact }: Release['matches'][number]): HeaderCondition {
  return { name: header.toLowerCase(), match: { kind: 'exact', text: exact }, inverted: false };
}

/** The versions that a destination of the released service can reach. */
export type VersionsOf = (selection: Selection) => readonly string[];

/** The rules with the release in them; the same object when it changes nothing. */
export function overlay(rules: Rules, shift: Shift, versionsOf: VersionsOf): Rules {
  const isOld = oldDestination(shift, versionsOf);
  let isChanged = false;
  const result = rules.flatMap((rule) => {
    const shifted = shiftRule(rule, shift, isOld);
    if (shifted.length !== 1 || shifted[0] !== rule) isChanged = true;
    return shifted;
  });
  return isChanged ? result : rules;
}

type Forward = Extract<Action, { kind: 'forward' }>;
type IsOld = (destination: Destination) => boolean;

/** Does it select just the old version? */
function oldDestination(shift: Shift, versionsOf: VersionsOf): IsOld {
  return (destination) => {
    if (destination.host !== shift.host) return false;
    const versions = versionsOf(destination.selection);
    return versions.length === 1 && versions[0] === shift.from;
  };
}

function shiftRule(rule: Rule, shift: Shift, isOld: IsOld): readonly Rule[] {
  const { action } = rule;
  if (action.kind !== 'forward') return [rule];
  const old = action.destinations.find(isOld);
  if (old === undefined) return [rule];
  const weighted = shift.weight === 0 ? rule : { ...rule, action: shiftAction(action, shift, isOld) };
  // A connection has no headers.
  const isMarked = shift.matches.length > 0 && rule.layer === 'http';
  return isMarked ? [releaseCopy(rule, action, old, shift), weighted] : [weighted];
}

/**
 * Weights stay integers: each is multiplied by the whole of the release's scale and then parted, so that their sum is exact. What
 * is common to all is divided out again where they are written down.
 */
function shiftAction(action: Forward, shift: Shift, isOld: IsOld): Forward {
  const isAll = shift.weight === WHOLE;
  const destinations = action.destinations.flatMap((destination) => {
    if (!isOld(destination)) return [isAll ? destination : { ...destination, weight: destination.weight * WHOLE }];
    if (isAll) return [toNew(destination, shift, destination.weight)];
    return [
      { ...destination, weight: destination.weight * (WHOLE - shift.weight) },
      toNew(destination, shift, destination.weight * shift.weight),
    ];
  });
  return { ...action, destinations };
}

function toNew(destination: Destination, shift: Shift, weight: number): Destination {
  return { ...destination, selection: { kind: 'version', version: shift.to }, weight };
}

/** The rule once more, for requests that carry the release's mark: all of them to the new version. */
function releaseCopy(rule: Rule, action: Forward, old: Destination, shift: Shift): Rule {
  const matches: readonly RequestMatch[] = rule.matches.length === 0 ? [anyRequest] : rule.matches;
  return {
    ...rule,
    isReleaseCopy: true,
    matches: matches.map((match) => ({ ...match, headers: [...match.headers, ...shift.matches] })),
    action: { ...action, destinations: [toNew(old, shift, 1)] },
  };
}

/** What a release from one version to another meets in a rule. */
export interface OverlayFinding {
  readonly rule: Rule;
  readonly selection: Selection;
  readonly versions: readonly string[];
  /** `shifts`: it will be weighed. `mixes`: it selects both versions, so no weight can hold. `stays`: it is no matter of this release. */
  readonly effect: 'shifts' | 'mixes' | 'stays';
}

/** Every destination of the released service in these rules, in order. */
export function overlayFindings(
  rules: Rules,
  release: Pick<Shift, 'host' | 'from' | 'to'>,
  versionsOf: VersionsOf,
): readonly OverlayFinding[] {
  return rules.flatMap((rule) => {
    if (rule.action.kind !== 'forward') return [];
    const own = rule.action.destinations.filter(({ host }) => host === release.host);
    return own.map(({ selection }) => {
      const versions = versionsOf(selection);
      return { rule, selection, versions, effect: effectOf(versions, release) };
    });
  });
}

function effectOf(versions: readonly string[], { from, to }: Pick<Shift, 'from' | 'to'>): OverlayFinding['effect'] {
  if (versions.length === 1 && versions[0] === from) return 'shifts';
  return versions.includes(from) && versions.includes(to) ? 'mixes' : 'stays';
}
