/** What the agent reads of the store: its plan, which version plain traffic gets, and the pilots. It always answers with the last good. */
import type { LostHistory, PilotStatus } from '../model/leased-values.js';
import { fullName } from '../model/names.js';
import type { NodePlan } from '../model/node-plan.js';
import { parseStored } from '../model/parse.js';
import { effectiveStable, type Release } from '../model/release.js';
import type { StoredDefinition } from '../model/revision.js';
import { serviceKind } from '../model/service.js';
import type { ServiceSpec } from '../model/service-shape.js';
import type { Logger } from '../runtime/logger.js';
import { untilAborted } from '../runtime/until-aborted.js';
import { parseEpoch } from '../store/epoch.js';
import { followHistory, lostIn, noHistory } from '../store/history.js';
import type { Entry, Mirror, MirrorBatch, Range, Store } from '../store/store.js';

export interface StoreView {
  /** Undefined when there is none: never written, or gone. */
  plan(): NodePlan | undefined;
  /** By `<ns>/<service>`; undefined means all versions. Services without a definition are absent. */
  stable(): ReadonlyMap<string, string | undefined>;
  /** `host:port` of the live pilots' xDS, sorted. */
  pilots(): readonly string[];
  /** Why this may be out of date; undefined when it is not. */
  problem(): string | undefined;
  /** What this agent knew and the store has lost. */
  lost(): LostHistory | undefined;
  close(): Promise<void>;
}

export interface StoreViewOptions {
  readonly store: Store;
  readonly node: string;
  readonly log: Logger;
  readonly onChange: () => void;
  /** The store is not the one that it was: what this node has written there may be gone. */
  readonly onOtherStore: () => void;
}

/** Resolves when all that it shows is there. One narrow watch per kind: a node must not hear of every other node. */
export async function openStoreView(options: StoreViewOptions, signal: AbortSignal): Promise<StoreView> {
  const { store, node, log, onChange } = options;
  const { keys } = store;
  const { read, forget: forgetValue } = readerOf(log);
  let stable: ReadonlyMap<string, string | undefined> | undefined;
  const open = (range: Range, seen: (batch: MirrorBatch) => void = () => {}): Mirror => {
    const onBatch = (batch: MirrorBatch): void => {
      for (const { key } of batch.deletes) forgetValue(key);
      seen(batch);
      onChange();
    };
    return store.mirror({ list: [range], watch: [range], onChange: onBatch });
  };
  const forgetStable = (): void => {
    stable = undefined;
  };
  let history = noHistory;
  const follow = (batch: MirrorBatch): void => {
    // An agent has no head to know a history by: only an operator's word ends what it has seen.
    history = followHistory(history, { ...batch, epoch: parseEpoch(plans.epoch), head: undefined });
    if (history.lost !== undefined) log.error({ node, reason: history.lost }, 'the store is not the one that it was');
    if (batch.regressed) options.onOtherStore();
  };
  const plans = open({ key: keys.plan(node) }, follow);
  const services = open(keys.below('def', 'Service'), forgetStable);
  const releases = open(keys.below('release'), forgetStable);
  const pilots = open(keys.below('pilot'));
  const mirrors = [plans, services, releases, pilots];
  const stopListening = mirrors.map((mirror) => mirror.onState(onChange));
  const close = async (): Promise<void> => {
    for (const stop of stopListening) stop();
    await Promise.all(mirrors.map((mirror) => mirror.close()));
  };
  try {
    await untilAborted(Promise.all(mirrors.map((mirror) => mirror.whenListed)), signal);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    plan: () => read<NodePlan>(plans.entries.get(keys.plan(node))),
    stable: () => (stable ??= stableVersions(store, services, releases, read)),
    pilots: () => {
      const found = [...pilots.entries.values()].map((entry) => read<PilotStatus>(entry)?.xds ?? '');
      return found.filter((address) => address !== '').toSorted();
    },
    problem: () => {
      const behind = mirrors.find((mirror) => !mirror.synced);
      return behind === undefined ? undefined : `${store.description} does not answer: going on with what is known`;
    },
    lost: () => lostIn(history),
    close,
  };
}

type Read = <Value>(entry: Entry | undefined) => Value | undefined;

/** Each value is read once; a damaged one keeps what its key had before. A key that has gone must be forgotten. */
function readerOf(log: Logger): { readonly read: Read; readonly forget: (key: string) => void } {
  const good = new Map<string, { readonly modRevision: bigint; readonly value: unknown }>();
  const read: Read = <Value>(entry: Entry | undefined): Value | undefined => {
    if (entry === undefined) return undefined;
    const known = good.get(entry.key);
    if (known?.modRevision === entry.modRevision) return known.value as Value;
    let value = known?.value;
    try {
      value = JSON.parse(entry.value);
    } catch (error) {
      log.error({ key: entry.key, error }, 'a value of the store is damaged: going on with the one before');
    }
    good.set(entry.key, { modRevision: entry.modRevision, value });
    return value as Value | undefined; // the key's one writer has written this type
  };
  return { read, forget: (key) => void good.delete(key) };
}

function stableVersions(
  store: Store,
  services: Mirror,
  releases: Mirror,
  read: Read,
): ReadonlyMap<string, string | undefined> {
  const stable = new Map<string, string | undefined>();
  for (const entry of services.entries.values()) {
    const key = store.keys.parse(entry.key);
    if (key?.kind !== 'def' || key.namespace === undefined) continue;
    const document = read<StoredDefinition>(entry)?.document;
    const definition = document && parseStored(document, [serviceKind]);
    if (definition === undefined) continue;
    const release = read<Release>(releases.entries.get(store.keys.release(key.namespace, key.name)));
    // parseStored has found the shape of the one kind it was given.
    stable.set(fullName(key.namespace, key.name), effectiveStable(definition.spec as ServiceSpec, release));
  }
  return stable;
}
