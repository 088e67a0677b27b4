/**
 * What Envoy refuses never reaches more proxies than it must (docs/decisions/0019). Definitions that can hold anything are first
 * tried by one proxy; whatever a proxy refuses is traced to the definition that led to it, and that is replaced by what it was
 * before, for everybody, until it says something else. All other definitions go on.
 */
import { envoyFilterKind } from '../../dsl/envoy-filter.js';
import { wasmPluginKind } from '../../dsl/wasm-plugin.js';
import { type Definition, describeDefinition } from '../../model/definition.js';
import type { AnyKind } from '../../model/kind.js';
import type { MeshSnapshot } from '../../model/mesh-snapshot.js';
import type { Refusal } from '../../model/refusal.js';
import type { Clock } from '../../runtime/clock.js';
import type { Logger } from '../../runtime/logger.js';
import { RecentSet } from '../../runtime/recent-set.js';
import { untilAborted } from '../../runtime/until-aborted.js';
import type { Rejection } from '../../xds/ads-host.js';
import type { ProxyScope, TranslatedResources } from '../translate/index.js';
import { documentDigest, MAX_ACCEPTED } from './document-digest.js';
import { holdsInstead, refusedIn, replacementsFor } from './in-effect.js';
import { asOf, changedDefinitions, type Replacements, withReplaced } from './overlay.js';
import { isOfOneHost, isTouched, resourcesDiffer } from './touched.js';
import { accepted, keepOnly, refused, type Step, type Trial, tryAll, tryHalves, tryWithout } from './trial.js';

/** A proxy that says nothing for so long is no canary any more; another one is asked, … */
const CANARY_WAIT_MS = 500;
/** … up to so many, and then everybody gets it. */
const MAX_CANARIES = 3;
/** More suspects are not looked at one by one before they are tried. */
const MAX_LOOKED_AT = 8;

/** In these a user can write whatever Envoy's messages can hold. */
const triedKinds: readonly AnyKind[] = [envoyFilterKind, wasmPluginKind];

/** A proxy that is connected. */
export interface Subject {
  readonly scope: ProxyScope;
  /** What it last had entirely acknowledged; absent before the first. */
  readonly acknowledged: MeshSnapshot | undefined;
  /** Has it acknowledged all that it was sent? */
  readonly isSettled: boolean;
  /** Is this what it is to be sent? */
  isServed(type: Rejection['type'], name: string, digest: string): boolean;
}

export interface QuarantineOptions {
  readonly kinds: readonly AnyKind[];
  /** Undefined when it fails. */
  readonly translate: (snapshot: MeshSnapshot, scope: ProxyScope) => TranslatedResources | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** These (default: all) may be served something else now. Called when no other call of this house is under way. */
  readonly changed: (subjects?: readonly Subject[]) => void;
  /** Tells everybody; resolves when it has, or cannot. */
  readonly refused: (refusal: Refusal) => Promise<void>;
  /** The definition says something else: nobody needs it any more. */
  readonly ended: (refusal: Refusal) => void;
}

export interface Quarantine {
  update(snapshot: MeshSnapshot): void;
  /** What stands in the store; undefined: it is gone. */
  learn(name: Named, refusal: Refusal | undefined): void;
  /** What of the last snapshot holds for this proxy. The same object while nothing has changed. */
  holds(subject: Subject): MeshSnapshot | undefined;
  joined(subject: Subject): void;
  left(subject: Subject): void;
  /** The proxy has acknowledged everything. */
  settled(subject: Subject): void;
  rejected(subject: Subject, rejection: Rejection): void;
  /** Those that are in effect. */
  refusals(): readonly Refusal[];
  /** While something is tried, a new proxy waits: it would begin without what may protect it. Undefined when nothing is. */
  whenQuiet(signal: AbortSignal): Promise<void> | undefined;
  close(): void;
}

interface Named {
  readonly kind: string;
  readonly namespace?: string | undefined;
  readonly name: string;
}

interface Running {
  readonly canary: Subject;
  /** All that this trial is about, each with what the canary has while it is not in effect. */
  readonly suspects: Map<Definition, Definition | undefined>;
  trial: Trial;
  /** Ends the wait for the canary. */
  patience: AbortController;
}

export function openQuarantine(options: QuarantineOptions): Quarantine {
  const { kinds, translate, clock, log } = options;
  const kindOf = new Map(kinds.map((kind) => [kind.kind, kind]));
  const subjects = new Set<Subject>();
  /** By definition. */
  const refusals = new Map<string, Refusal>();
  /** Of the kinds that are tried, what everybody has: by definition. */
  const proven = new Map<string, Definition>();
  const provenDigests = new RecentSet<string>(MAX_ACCEPTED);
  /** Not tried to the end, each with what everybody has instead. */
  const held = new Map<Definition, Definition | undefined>();
  /** Refusals whose keys are gone: until the next snapshot, which may say why. */
  const orphans = new Set<string>();
  /** Canaries that have said nothing. */
  const silent = new Set<Subject>();
  /** What each proxy refused last, and nobody has looked into yet. */
  const grievances = new Map<Subject, Rejection>();
  const quiet = new Set<() => void>();
  let raw: MeshSnapshot | undefined;
  /** Refusals of what `raw` says, and what holds in its place. */
  let inEffect = new Map<Definition, Refusal>();
  let instead: Replacements = new Map();
  let forAll: Replacements = new Map();
  let forCanary: Replacements = new Map();
  /** With nothing held. */
  let forTrial: Replacements = new Map();
  let running: Running | undefined;
  /** Refusals on their way to the store. */
  let writing = 0;
  let isFirst = true;
  let isClosed = false;
  /** What may be said to be acknowledged while a trial is under way. */
  let decided: bigint | undefined;

  const name = ({ kind, namespace, name: called }: Named): string =>
    describeDefinition({ kind, namespace, name: called });

  const isThere = (one: Definition): boolean => {
    const kind = kindOf.get(one.kind);
    return kind !== undefined && raw?.definitions.get(kind, one.namespace, one.name) === one;
  };

  /** Brings everything that depends on the snapshot or on a verdict up to date. */
  const settle = (): void => {
    if (raw === undefined) return;
    const before = inEffect;
    inEffect = refusedIn(raw.definitions, refusals.values(), kinds);
    instead = replacementsFor(inEffect, kinds);
    const still = new Set(inEffect.values());
    for (const refusal of before.values()) {
      if (still.has(refusal) || refusals.get(name(refusal)) !== refusal) continue;
      refusals.delete(name(refusal));
      options.ended(refusal);
    }
    hold(raw);
    forAll = sameReplacements(forAll, new Map([...instead, ...held]));
    forTrial = sameReplacements(forTrial, instead);
    const untested = [...(running?.suspects ?? [])].filter(([one]) => !running?.trial.testing.includes(one));
    const others = [...held].filter(([one]) => !running?.suspects.has(one));
    forCanary = sameReplacements(forCanary, new Map([...instead, ...others, ...untested]));
  };

  /** Of the kinds that are tried, what nobody has accepted yet. All that a pilot finds when it starts was accepted before. */
  const hold = (snapshot: MeshSnapshot): void => {
    const now = triedKinds.flatMap((kind) => [...snapshot.definitions.all(kind)]);
    const there = new Set(now);
    for (const one of held.keys()) if (!there.has(one)) held.delete(one);
    const named = new Map(now.map((one) => [name(one), one]));
    for (const key of proven.keys()) if (!named.has(key)) proven.delete(key);
    for (const [key, one] of named) {
      if (inEffect.has(one)) {
        held.delete(one);
        const was = instead.get(one);
        if (was === undefined) proven.delete(key);
        else proven.set(key, was);
      } else if (isFirst || provenDigests.has(documentDigest(one))) prove(one);
      else if (proven.get(key) !== one) held.set(one, proven.get(key));
    }
    isFirst = false;
  };

  const prove = (definition: Definition): void => {
    held.delete(definition);
    if (!triedKinds.some(({ kind }) => kind === definition.kind)) return;
    proven.set(name(definition), definition);
    provenDigests.add(documentDigest(definition));
  };

  const holds = (subject: Subject): MeshSnapshot | undefined => {
    if (raw === undefined) return undefined;
    const snapshot = withReplaced(raw, subject === running?.canary ? forCanary : forAll);
    const isDecided = running === undefined && writing === 0;
    if (isDecided || decided === undefined || decided >= raw.storeRevision) return snapshot;
    return asOf(snapshot, String(decided));
  };

  /** Later, since whoever brings a verdict is in the middle of something. */
  const announce = (of?: readonly Subject[]): void =>
    queueMicrotask(() => {
      if (!isClosed) options.changed(of);
    });

  const decide = (since: bigint): void => {
    decided = decided === undefined || since < decided ? since : decided;
  };

  const begin = (canary: Subject, suspects: Running['suspects'], trial: Trial, since: bigint): void => {
    decide(since);
    running = { canary, suspects, trial, patience: new AbortController() };
    log.info({ proxy: canary.scope.id, definitions: [...suspects.keys()].map(describeDefinition) }, 'one proxy tries');
    awaitCanary(running);
    settle();
    announce([canary]);
  };

  const awaitCanary = (one: Running): void => {
    one.patience.abort(new Error('it has answered'));
    one.patience = new AbortController();
    clock.sleep(CANARY_WAIT_MS, one.patience.signal).then(
      () => giveUp(one),
      () => undefined, // it has answered, or the trial is over
    );
  };

  /** The canary says nothing. Another one is asked, and at last everybody gets it. */
  const giveUp = (one: Running): void => {
    silent.add(one.canary);
    if (silent.size >= MAX_CANARIES || canaryAmong(subjects) === undefined) {
      for (const definition of one.suspects.keys()) prove(definition);
    }
    end();
  };

  const end = (): void => {
    running?.patience.abort(new Error('the trial is over'));
    running = undefined;
    if (held.size === 0) silent.clear();
    settle();
    advance();
    if (running === undefined) {
      for (const resolve of quiet) resolve();
      quiet.clear();
    }
    announce();
  };

  /** What has left the mesh, or was refused elsewhere, is not tried any more. True when nothing is left and the trial is over. */
  const dropDecided = (): boolean => {
    if (running === undefined) return false;
    const isOpen = (one: Definition): boolean => isThere(one) && !inEffect.has(one);
    for (const one of running.suspects.keys()) if (!isOpen(one)) running.suspects.delete(one);
    const trial = keepOnly(running.trial, isOpen);
    if (trial === running.trial) return false;
    if (trial === undefined) {
      end();
      return true;
    }
    running.trial = trial;
    awaitCanary(running);
    settle();
    return false;
  };

  const take = (one: Running, step: Step, rejection: Rejection | undefined): void => {
    for (const definition of step.proven) {
      one.suspects.delete(definition);
      prove(definition);
    }
    if (step.guilty !== undefined && rejection !== undefined) {
      const was = one.suspects.get(step.guilty);
      one.suspects.delete(step.guilty);
      convict(step.guilty, was, one.canary, rejection);
    }
    if (step.next === undefined) return end();
    one.trial = step.next;
    awaitCanary(one);
    settle();
    // What was proven goes to everybody at once.
    announce(step.proven.length > 0 ? undefined : [one.canary]);
  };

  const convict = (
    definition: Definition,
    was: Definition | undefined,
    { scope }: Subject,
    { type, error, resources }: Rejection,
  ): void => {
    const { kind, namespace, name: called } = definition;
    const refusal: Refusal = {
      kind,
      ...(namespace === undefined ? {} : { namespace }),
      name: called,
      digest: documentDigest(definition),
      error: error.trim(),
      resource: `${type} ${resources[0]?.name ?? ''}`,
      proxy: scope.id,
      at: clock.now(),
      ...(was === undefined ? {} : { instead: was.document }),
    };
    if (was !== undefined) holdsInstead(refusal, was);
    refusals.set(name(refusal), refusal);
    provenDigests.delete(refusal.digest);
    log.warn(
      { definition: describeDefinition(definition), proxy: scope.id, error },
      'a definition is refused by Envoy',
    );
    writing += 1;
    void options.refused(refusal).finally(() => {
      writing -= 1;
      if (running !== undefined || writing > 0) return;
      decided = undefined;
      announce();
    });
  };

  /** What is to be done next: a verdict of the canary, a new trial, or what another proxy refuses. */
  const advance = (candidates: Iterable<Subject> = subjects): void => {
    if (raw === undefined || isClosed) return;
    if (running !== undefined) return judge(running);
    const canary = canaryAmong(candidates);
    if (canary !== undefined) {
      const without = (one: Definition): Replacements => new Map([...forAll].filter(([other]) => other !== one));
      const own = [...held].filter(([one]) => concerns(canary, without(one)));
      const suspects = new Map(own.length > 0 ? own : held); // there are patches of what another one has brought
      return begin(canary, suspects, tryAll([...suspects.keys()]), decided ?? 0n);
    }
    decided = writing > 0 ? decided : undefined;
    for (const [subject, rejection] of grievances) {
      grievances.delete(subject);
      inquire(subject, rejection);
      if (running !== undefined) return;
    }
  };

  /** Whom anything of what is held concerns. */
  const canaryAmong = (candidates: Iterable<Subject>): Subject | undefined => {
    if (held.size === 0) return undefined;
    const others = [...candidates].filter((subject) => !silent.has(subject));
    // One that lags, or refuses something else, could say nothing for long.
    const inOrder = [...others.filter((one) => one.isSettled), ...others.filter((one) => !one.isSettled)];
    return inOrder.find((subject) => concerns(subject, forTrial));
  };

  /** Would it be sent anything else with only these replaced? */
  const concerns = ({ scope }: Subject, replacements: Replacements): boolean => {
    if (raw === undefined) return false;
    const now = translate(withReplaced(raw, forAll), scope);
    const then = translate(withReplaced(raw, replacements), scope);
    return now !== undefined && then !== undefined && resourcesDiffer(now, then);
  };

  const isStanding = (subject: Subject, { type, resources }: Rejection): boolean =>
    resources.some(({ name: called, digest }) => subject.isServed(type, called, digest));

  const isToBlame = (subject: Subject, definition: Definition, was: Definition | undefined, rejection: Rejection) => {
    const now = holds(subject);
    if (now === undefined) return false;
    const without = translate(withReplaced(now, new Map([[definition, was]])), subject.scope);
    const has = translate(now, subject.scope);
    return has !== undefined && without !== undefined && isTouched(rejection, has, without);
  };

  const judge = (one: Running): void => {
    const rejection = grievances.get(one.canary);
    if (rejection === undefined || rejection.resources.length === 0) return;
    grievances.delete(one.canary);
    if (!isStanding(one.canary, rejection)) return;
    const [only] = one.trial.testing;
    const isSure = one.trial.testing.length !== 1 || only === undefined;
    if (isSure || isToBlame(one.canary, only, one.suspects.get(only), rejection)) {
      take(one, refused(one.trial), rejection);
    }
  };

  /** What a proxy that has never acknowledged anything may have met first: those of its own kind know the others. */
  const unproven = ({ scope }: Subject, now: MeshSnapshot): Replacements => {
    const alike = [...subjects].filter((one) => {
      return one.scope.namespace === scope.namespace && one.scope.service === scope.service;
    });
    const isKnown = (kind: AnyKind, definition: Definition): boolean =>
      alike.some(
        (one) => one.acknowledged?.definitions.get(kind, definition.namespace, definition.name) === definition,
      );
    return new Map(
      triedKinds.flatMap((kind) =>
        now.definitions.all(kind).flatMap((one) => (isKnown(kind, one) ? [] : [[one, undefined] as const])),
      ),
    );
  };

  /** A proxy refuses what it was sent without any trial. */
  const inquire = (subject: Subject, rejection: Rejection): void => {
    if (!subjects.has(subject) || !isStanding(subject, rejection) || isOfOneHost(rejection.error)) return;
    const now = holds(subject);
    if (now === undefined) return;
    const since = subject.acknowledged;
    const changed = since ? changedDefinitions(since.definitions, now.definitions, kinds) : unproven(subject, now);
    const suspects = [...changed].filter(
      ([one, was]) => isThere(one) && (changed.size > MAX_LOOKED_AT || isToBlame(subject, one, was, rejection)),
    );
    const [only] = suspects;
    if (only === undefined) {
      log.error({ proxy: subject.scope.id, ...rejection }, 'a proxy refuses what no definition has changed');
      return;
    }
    if (since !== undefined && suspects.length === 1) {
      decide(since.storeRevision);
      convict(...only, subject, rejection);
      settle();
      return announce();
    }
    const batch = suspects.map(([one]) => one);
    const trial = since === undefined ? tryWithout(batch) : tryHalves(batch);
    begin(subject, new Map(suspects), trial, since?.storeRevision ?? 0n);
  };

  return {
    update(snapshot) {
      const before = raw;
      raw = snapshot;
      for (const key of orphans) refusals.delete(key);
      orphans.clear();
      settle();
      if (held.size > 0) decided ??= before?.storeRevision ?? 0n;
      if (!dropDecided()) advance(before?.definitions === snapshot.definitions ? [] : subjects);
    },
    learn(key, refusal) {
      // Another pilot says that it has ended, perhaps because of a change that is not published here yet.
      if (refusal === undefined) return void orphans.add(name(key));
      orphans.delete(name(key));
      if (refusals.get(name(key))?.digest !== refusal.digest) refusals.set(name(key), refusal);
      else return;
      settle();
      if (!dropDecided()) advance();
      announce();
    },
    holds,
    joined(subject) {
      subjects.add(subject);
      advance([subject]);
    },
    left(subject) {
      subjects.delete(subject);
      grievances.delete(subject);
      silent.delete(subject);
      if (running?.canary === subject) end();
    },
    settled(subject) {
      if (running?.canary === subject) take(running, accepted(running.trial), undefined);
    },
    rejected(subject, rejection) {
      // Not found yet which of several it is: it is sent them again, half by half.
      if (rejection.resources.length === 0) return running?.canary === subject ? awaitCanary(running) : undefined;
      grievances.set(subject, rejection);
      advance([]);
    },
    refusals: () => [...inEffect.values()],
    whenQuiet: (signal) => running && untilAborted(new Promise<void>((resolve) => quiet.add(resolve)), signal),
    close() {
      isClosed = true;
      running?.patience.abort(new Error('closed'));
      for (const resolve of quiet) resolve();
    },
  };
}

function sameReplacements(before: Replacements, after: Replacements): Replacements {
  const isSame =
    before.size === after.size && [...after].every(([one, it]) => before.has(one) && before.get(one) === it);
  return isSame ? before : after;
}
