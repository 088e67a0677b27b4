/**
 * The second witness. When so many instances have lost their leases at once that the pilots have frozen evictions, the registry
 * may be in trouble and not they. So the agents of other nodes go and look: a connection and the service's health check, from
 * where callers are. What they saw stands in `witness/<node>` for as long as anything is frozen; the pilots' leader judges.
 */
import { createHash } from 'node:crypto';
import type { Eviction, WitnessReport } from '../model/eviction.js';
import { durationMs } from '../model/fields.js';
import { splitHostPort } from '../model/host-port.js';
import { byText } from '../model/order.js';
import { valueOf } from '../model/stored-value.js';
import type { Clock } from '../runtime/clock.js';
import { Latest } from '../runtime/latest.js';
import type { Logger } from '../runtime/logger.js';
import type { Entry, Mirror, Registrar, Store } from '../store/store.js';
import { type Probe, type ProbeKind, probe } from './probe.js';

/** Of one agent. Others look at others: the choice differs from node to node. */
const MAX_SUSPECTS = 200;
const INTERVAL_MS = 3000;
const CONNECT_LIMIT_MS = 1000;
/** Failures in a row before it is called dead; one success is life. */
const FALL = 3;
const REPORT_INTERVAL_MS = 500;

export interface Witness {
  close(): Promise<void>;
}

export interface WitnessOptions {
  readonly store: Store;
  readonly node: string;
  /** Its lease is what the report hangs on. */
  readonly registrar: Pick<Registrar, 'set' | 'remove'>;
  readonly clock: Clock;
  readonly log: Logger;
  /** 0 to 1: where in its interval a suspect is looked at first, so that they are not all asked at once. */
  readonly random: () => number;
}

export interface Sight {
  readonly failures: number;
  /** Undefined until there is enough to say. */
  readonly alive: boolean | undefined;
  readonly at: number;
  readonly why: string;
}

export const noSight: Sight = { failures: 0, alive: undefined, at: 0, why: '' };

/** `failure` is undefined for a success. `at` is when it became so. Pure. */
export function nextSight(before: Sight, failure: string | undefined, at: number): Sight {
  const failures = failure === undefined ? 0 : before.failures + 1;
  const alive = failure === undefined ? true : failures >= FALL ? false : before.alive;
  return alive === before.alive ? { ...before, failures } : { failures, alive, at, why: failure ?? 'it answers' };
}

export interface Suspect {
  /** `<ns>/<service>/<id>` */
  readonly name: string;
  readonly eviction: Eviction;
}

/** Whom this node looks at: nobody of its own, and of very many a part that differs from node to node. Pure. */
export function suspectsFor(node: string, suspects: readonly Suspect[]): readonly Suspect[] {
  const others = suspects.filter(({ eviction }) => eviction.state === 'suspect' && eviction.node !== node);
  if (others.length <= MAX_SUSPECTS) return others;
  const rank = ({ name }: Suspect): string => createHash('sha256').update(`${node} ${name}`).digest('hex');
  return others
    .map((suspect) => ({ suspect, rank: rank(suspect) }))
    .toSorted(byText((one) => one.rank))
    .slice(0, MAX_SUSPECTS)
    .map(({ suspect }) => suspect);
}

export function openWitness(options: WitnessOptions): Witness {
  const { store, node, registrar, clock, log } = options;
  const { keys } = store;
  const key = keys.witness(node);
  const watched = new Map<string, Watched>();
  let suspects: Mirror | undefined;
  let isReporting = false;

  const round = async (): Promise<void> => {
    if (freezes.entries.size === 0) return rest();
    suspects ??= open(keys.below('evict'));
    const wanted = new Map(suspectsFor(node, suspectsIn(suspects)).map((suspect) => [suspect.name, suspect]));
    for (const [name, own] of watched) {
      if (wanted.get(name)?.eviction.address === own.address) continue;
      own.abort.abort(new Error('no suspect any more'));
      watched.delete(name);
    }
    for (const [name, suspect] of wanted) if (!watched.has(name)) watched.set(name, watch(suspect, options, note));
    report();
  };
  const report = (): void => {
    const seen = [...watched].flatMap(([name, own]) => {
      const { alive, at, why } = own.sight();
      return alive === undefined ? [] : [[name, { alive, at, why }] as const];
    });
    const value: WitnessReport = Object.fromEntries(seen.toSorted(byText(([name]) => name)));
    if (!isReporting && seen.length > 0) log.info({ node, suspects: watched.size }, 'looks at suspects of other nodes');
    isReporting ||= seen.length > 0;
    if (isReporting) registrar.set(key, JSON.stringify(value));
  };
  const rest = async (): Promise<void> => {
    for (const { abort } of watched.values()) abort.abort(new Error('nothing is frozen any more'));
    watched.clear();
    if (isReporting) void registrar.remove(key).catch(() => {}); // closed: it ends with the lease
    isReporting = false;
    await suspects?.close();
    suspects = undefined;
  };
  const suspectsIn = (mirror: Mirror): Suspect[] => [...mirror.entries.values()].flatMap((entry) => suspectOf(entry));
  const suspectOf = (entry: Entry): Suspect[] => {
    const parsed = keys.parse(entry.key);
    const eviction = valueOf<Eviction>(entry.value, ['state', 'address', 'node']);
    if (parsed?.kind !== 'evict' || eviction === undefined) return [];
    return [{ name: `${parsed.namespace}/${parsed.service}/${parsed.instance}`, eviction }];
  };
  const rounds = new Latest(clock, REPORT_INTERVAL_MS, round);
  const note = (): void => rounds.note();
  const open = (range: ReturnType<typeof keys.below>): Mirror =>
    store.mirror({ list: [range], watch: [range], onChange: note });
  const freezes = open(keys.below('freeze'));
  return {
    async close() {
      await rounds.close();
      const all = [...watched.values()];
      await rest();
      await Promise.all([freezes.close(), ...all.map(({ done }) => done)]);
    },
  };
}

interface Watched {
  readonly address: string;
  readonly abort: AbortController;
  readonly done: Promise<void>;
  sight(): Sight;
}

function watch({ eviction }: Suspect, { clock, random }: WitnessOptions, onChange: () => void): Watched {
  const abort = new AbortController();
  const target = probeOf(eviction);
  let sight = noSight;
  const look = async (): Promise<void> => {
    let pauseMs = random() * INTERVAL_MS;
    while (!abort.signal.aborted) {
      await clock.sleep(pauseMs, abort.signal).catch(() => {}); // ended
      if (abort.signal.aborted) return;
      const failure = await probe(target, abort.signal);
      if (abort.signal.aborted) return;
      const before = sight;
      sight = nextSight(before, failure, clock.now());
      if (sight.alive !== before.alive) onChange();
      pauseMs = INTERVAL_MS;
    }
  };
  return { address: eviction.address, abort, done: look(), sight: () => sight };
}

/** Through its sidecar, as callers reach it. A command can be run on its own node only: there a connection must do. */
function probeOf({ address, health }: Eviction): Probe {
  const timeoutMs = health === undefined ? CONNECT_LIMIT_MS : durationMs(health.timeout);
  return { what: checkOf(health), ...splitHostPort(address), timeoutMs };
}

function checkOf(health: Eviction['health']): ProbeKind {
  if (health?.http !== undefined) {
    return { kind: 'http', path: health.http, isOk: (status) => status >= 200 && status < 400 };
  }
  return health?.grpc === undefined ? { kind: 'tcp' } : { kind: 'grpc', service: health.grpc };
}
