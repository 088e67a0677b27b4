/**
 * The node's own keys: durable records of its instances, and the naming keys under its one lease. Nobody else writes them,
 * so what is remembered here is what the store has.
 */
import { hostPort } from '../model/host-port.js';
import type { InstanceRecord } from '../model/instance.js';
import { namingTarget, versionNamingTarget } from '../model/names.js';
import { valueOf } from '../model/stored-value.js';
import { MeshError } from '../runtime/mesh-error.js';
import { untilAborted } from '../runtime/until-aborted.js';
import { decodeNamingValue } from '../store/naming.js';
import type { Entry, Registrar, Store, Transaction, TransactionResult } from '../store/store.js';
import { inTransactions } from '../store/transact.js';
import type { NamingPut } from './steps.js';

export interface OwnRecord {
  readonly record: InstanceRecord;
  /** Of its last write: what acknowledgements are compared with. */
  readonly storeRevision: bigint;
}

export interface Registration {
  records(): ReadonlyMap<string, OwnRecord>;
  /** Naming keys and values that are in the store for this instance, as far as this process has put them there. */
  keysOf(instance: string): ReadonlyMap<string, string>;
  write(record: InstanceRecord, signal: AbortSignal): Promise<bigint>;
  forget(instance: string, signal: AbortSignal): Promise<void>;
  /** Makes the records in the store be those that this process knows: after the store has lost what it had. */
  restate(signal: AbortSignal): Promise<void>;
  /** Resolves when all of them are in the store under a live lease. */
  put(instance: string, keys: readonly NamingPut[], signal: AbortSignal): Promise<void>;
  /** Resolves when they are gone. */
  remove(instance: string, keys: Iterable<string>, signal: AbortSignal): Promise<void>;
  /** Every naming key it can have, also those that an agent before us has put: gone. */
  removeAll(record: InstanceRecord, signal: AbortSignal): Promise<void>;
  /** Is there an address of this version among those that plain traffic gets, from whichever node? */
  isStableListed(namespace: string, service: string, version: string, signal: AbortSignal): Promise<boolean>;
}

/** Takes over the records that an agent of this node has left. Those with planRevision 0 belong to a `mesh sidecar`. */
export async function openRegistration(
  store: Store,
  registrar: Registrar,
  node: string,
  signal: AbortSignal,
): Promise<Registration> {
  const records = new Map<string, OwnRecord>();
  const registered = new Map<string, Map<string, string>>();
  for (const entry of (await store.list(store.keys.below('instance', node), {}, signal)).entries) {
    // A damaged one counts as absent, and is written again when its instance is seen.
    const record = valueOf<InstanceRecord>(entry.value, ['instance', 'ports', 'planRevision']);
    if (record !== undefined && record.planRevision > 0)
      records.set(record.instance, { record, storeRevision: entry.modRevision });
  }
  /** Records belong to whoever has the node: an agent that was cut off must not write over its successor. */
  const transact = async (change: Omit<Transaction, 'compare'>, own: AbortSignal): Promise<TransactionResult> => {
    const createRevision = registrar.claimRevision;
    if (createRevision !== undefined) {
      const compare = [{ key: store.keys.node(node), createRevision }];
      const result = await store.transact({ compare, ...change }, own);
      if (result.ok) return result;
    }
    throw new MeshError('MESH2004', `this agent does not hold node ${node} at the moment`, { retryable: true });
  };
  const keysOf = (instance: string): Map<string, string> => {
    let keys = registered.get(instance);
    if (keys === undefined) registered.set(instance, (keys = new Map()));
    return keys;
  };
  const remove = async (instance: string, keys: Iterable<string>, removeSignal: AbortSignal): Promise<void> => {
    const list = [...keys];
    // Forgotten first: whoever is to be listed again, even while this waits for the store, puts them again.
    for (const key of list) keysOf(instance).delete(key);
    await untilAborted(Promise.all(list.map((key) => registrar.remove(key))), removeSignal);
  };
  const write = async (record: InstanceRecord, writeSignal: AbortSignal): Promise<bigint> => {
    const put = { key: store.keys.instance(node, record.instance), value: JSON.stringify(record) };
    const { storeRevision } = await transact({ put: [put], delete: [] }, writeSignal);
    records.set(record.instance, { record, storeRevision });
    return storeRevision;
  };
  return {
    records: () => records,
    keysOf: (instance) => registered.get(instance) ?? new Map(),
    write,
    async forget(instance, writeSignal) {
      await transact({ put: [], delete: [store.keys.instance(node, instance)] }, writeSignal);
      records.delete(instance);
      registered.delete(instance);
    },
    async restate(writeSignal) {
      const found = (await store.list(store.keys.below('instance', node), {}, writeSignal)).entries;
      const isPlanned = ({ value }: Entry): boolean => {
        return (valueOf<InstanceRecord>(value, ['planRevision'])?.planRevision ?? 0) > 0;
      };
      const known = new Set([...records.keys()].map((instance) => store.keys.instance(node, instance)));
      const strange = found.filter((entry) => !known.has(entry.key) && isPlanned(entry)).map(({ key }) => key);
      const deletes = strange.map((key) => ({ key, value: undefined }));
      for (const batch of inTransactions(deletes)) await transact(batch, writeSignal);
      for (const { record } of records.values()) await write(record, writeSignal);
    },
    async put(instance, keys, writeSignal) {
      for (const { key, value } of keys) registrar.set(key, value);
      await registrar.flush(writeSignal);
      for (const { key, value } of keys) keysOf(instance).set(key, value);
    },
    remove,
    removeAll: (record, removeSignal) => {
      const keys = new Set([...keysOf(record.instance).keys(), ...possibleKeys(record)]);
      return remove(record.instance, keys, removeSignal);
    },
    async isStableListed(namespace, service, version, readSignal) {
      const range = { prefix: `${namingTarget(namespace, service)}/` };
      const { entries } = await store.list(range, {}, readSignal);
      return entries.some((entry) => {
        const value = decodeNamingValue(entry.value);
        return value.kind === 'endpoint' && value.version === version;
      });
    },
  };
}

function possibleKeys(record: InstanceRecord): string[] {
  const { namespace, service, version, address, ports } = record;
  const targets = [namingTarget(namespace, service), versionNamingTarget(namespace, service, version)];
  return Object.values(ports.inbound).flatMap((port) =>
    targets.map((target) => `${target}/${hostPort(address, port)}`),
  );
}
