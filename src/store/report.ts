/** One look at a store, for its operator: members, size, history, keys by kind, and what waits for a person. */
import { valueOf } from '../model/stored-value.js';
import type { Member } from './admin.js';
import { type Frozen, frozenIn } from './adopt.js';
import { everything } from './durable.js';
import { type Epoch, parseEpoch } from './epoch.js';
import type { Incoming } from './move.js';
import { parseNamingKey } from './naming.js';
import type { OpenedStore } from './open-store.js';
import type { Entry, Store } from './store.js';

export interface StoreReport {
  readonly description: string;
  readonly type: 'etcd' | 'embedded';
  readonly prefix: string;
  /** Of the mesh; 0 while there is none. */
  readonly revision: number;
  readonly storeRevision: string;
  readonly epoch: Epoch | null;
  readonly members: readonly MemberReport[];
  readonly alarms: readonly { readonly alarm: string; readonly member: string }[];
  readonly history: {
    /** Older revisions cannot be read any more; `0` for none. */
    readonly compactedRevision: string;
    readonly revisions: number;
    readonly lastCompaction: Compaction | null;
  };
  readonly pilots: readonly string[];
  readonly frozen: readonly Frozen[];
  readonly unfinished: Incoming | null;
  readonly keys: readonly KeysOfKind[];
  /** What a person has to do something about, in sentences. Empty when all is well. */
  readonly needs: readonly string[];
}

type MemberReport = Omit<Member, 'failure' | 'storeRevision'> & {
  readonly failure: string | null;
  readonly storeRevision: string;
};

export interface Compaction {
  readonly at: number;
  readonly by: string;
  readonly storeRevision: string;
}

interface KeysOfKind {
  readonly kind: string;
  readonly count: number;
  readonly leased: number;
  readonly bytes: number;
}

/** How our own server calls itself. */
const EMBEDDED = '+lightmesh';

export async function storeReport(store: OpenedStore): Promise<StoreReport> {
  const { keys, admin } = store;
  const [{ entries, storeRevision }, members, alarms, compactedRevision] = await Promise.all([
    store.list(everything(store)),
    admin.members(),
    admin.alarms(),
    admin.compactedRevision(),
  ]);
  const byKey = new Map(entries.map((entry) => [entry.key, entry.value]));
  const epoch = parseEpoch(byKey.get(keys.metaEpoch));
  const unfinished = valueOf<Incoming>(byKey.get(keys.metaIncoming) ?? '', ['command', 'from']);
  const compaction = valueOf<Compaction>(byKey.get(keys.metaCompaction) ?? '', ['at', 'by']);
  const facts = { members, alarms, frozen: frozenIn(store, entries, epoch), unfinished };
  return {
    description: store.description,
    type: members.some(({ version }) => version.includes(EMBEDDED)) ? 'embedded' : 'etcd',
    prefix: store.prefix,
    revision: valueOf<{ revision: number }>(byKey.get(keys.revHead) ?? '', ['revision'])?.revision ?? 0,
    storeRevision: String(storeRevision),
    epoch: epoch ?? null,
    members: members.map((member) => {
      return { ...member, failure: member.failure ?? null, storeRevision: String(member.storeRevision) };
    }),
    alarms,
    history: {
      compactedRevision: String(compactedRevision),
      revisions: Number(storeRevision - compactedRevision),
      lastCompaction: compaction ?? null,
    },
    pilots: entries.flatMap(({ key }) => {
      const parsed = keys.parse(key);
      return parsed?.kind === 'pilot' ? [parsed.id] : [];
    }),
    frozen: facts.frozen,
    unfinished: unfinished ?? null,
    keys: keysByKind(store, entries),
    needs: needsOf(facts),
  };
}

/** Pure. */
function needsOf(facts: {
  readonly members: readonly Member[];
  readonly alarms: StoreReport['alarms'];
  readonly frozen: readonly Frozen[];
  readonly unfinished: Incoming | undefined;
}): string[] {
  const needs = facts.members
    .filter(({ failure }) => failure !== undefined)
    .map(({ address, failure }) => `${address} does not answer (${failure}): see why, a cluster lives on its majority`);
  for (const alarm of new Set(facts.alarms.map((one) => one.alarm))) {
    needs.push(
      alarm === 'NOSPACE'
        ? 'NOSPACE: nothing new is taken, what is registered stays: `mesh store compact --keep 10 --defrag` makes room and ends it'
        : `${alarm}: see the documentation of etcd before anything is written`,
    );
  }
  if (facts.unfinished !== undefined) {
    const { command, from, by } = facts.unfinished;
    needs.push(
      `a ${command} from ${from} (${by}) has not been finished: type the same \`mesh store ${command}\` again`,
    );
  }
  for (const { who, lost } of facts.frozen) {
    needs.push(`${who} is frozen, ${lost.reason}: restore the store, or take it as it is with \`mesh store adopt\``);
  }
  return needs;
}

function keysByKind(store: Pick<Store, 'keys'>, entries: readonly Entry[]): KeysOfKind[] {
  const kinds = new Map<string, { count: number; leased: number; bytes: number }>();
  for (const { key, value, lease } of entries) {
    const kind = kindOf(store, key);
    const sum = kinds.get(kind) ?? { count: 0, leased: 0, bytes: 0 };
    sum.count++;
    sum.leased += lease === '0' ? 0 : 1;
    sum.bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    kinds.set(kind, sum);
  }
  return [...kinds].map(([kind, sum]) => ({ kind, ...sum })).toSorted((a, b) => (a.kind < b.kind ? -1 : 1));
}

function kindOf({ keys }: Pick<Store, 'keys'>, key: string): string {
  const parsed = keys.parse(key);
  if (parsed?.kind === 'def') return `def/${parsed.defKind}`;
  if (parsed !== undefined) return parsed.kind;
  const naming = parseNamingKey(key);
  if (naming !== undefined) return naming.version === undefined ? 'services' : 'versions';
  return '(not ours)';
}
