/** What the journal holds, and its bytes: per record two lengths, JSON for the facts, then the values as they are. */
import type { KeyVersion, Revision } from './mvcc.js';

export type JournalRecord =
  /** First in every journal. Another cluster id means another store, whatever its revisions say. */
  | { readonly type: 'store'; readonly clusterId: string; readonly compacted: number; readonly head: number }
  /** A part of all keys as they were at the compacted revision. */
  | { readonly type: 'base'; readonly versions: readonly KeyVersion[] }
  /** Everything one revision has changed; `revoked` is the lease that ended with it. */
  | { readonly type: 'revision'; readonly revision: Revision; readonly revoked?: string }
  | { readonly type: 'grant'; readonly lease: string; readonly ttlSeconds: number }
  | { readonly type: 'revoke'; readonly lease: string }
  | { readonly type: 'compact'; readonly revision: number }
  /** The quota is used up: nothing is written any more until an operator has made room and said so. */
  | { readonly type: 'alarm'; readonly isRaised: boolean };

/** Key, mod, create and version revision, lease, bytes of the value. Keys are latin1 text, as everywhere inside. */
type PackedVersion = [string, number, number, number, string, number];

export function encodeRecord(record: JournalRecord): Buffer {
  const versions = versionsOf(record);
  const facts = Buffer.from(JSON.stringify(factsOf(record, versions)));
  const values = versions.map((version) => version.value);
  const lengths = Buffer.alloc(8);
  lengths.writeUInt32LE(facts.length, 0);
  lengths.writeUInt32LE(
    values.reduce((sum, value) => sum + value.length, 0),
    4,
  );
  return Buffer.concat([lengths, facts, ...values]);
}

export function* decodeRecords(body: Buffer): Generator<JournalRecord> {
  for (let at = 0; at < body.length; ) {
    const factsEnd = at + 8 + body.readUInt32LE(at);
    const end = factsEnd + body.readUInt32LE(at + 4);
    const facts = JSON.parse(body.toString('utf8', at + 8, factsEnd)) as ReturnType<typeof factsOf>; // we wrote it, its checksum holds
    yield recordOf(facts, body.subarray(factsEnd, end));
    at = end;
  }
}

function versionsOf(record: JournalRecord): readonly KeyVersion[] {
  if (record.type === 'base') return record.versions;
  return record.type === 'revision' ? record.revision.changes : [];
}

function factsOf(record: JournalRecord, versions: readonly KeyVersion[]) {
  const packed = versions.map(({ key, modRevision, createRevision, version, lease, value }): PackedVersion => {
    return [key, modRevision, createRevision, version, lease, value.length];
  });
  switch (record.type) {
    case 'base':
      return { type: record.type, versions: packed };
    case 'revision': {
      const { revision, atMs } = record.revision;
      return { type: record.type, revision, atMs, versions: packed, revoked: record.revoked };
    }
    case 'store':
    case 'grant':
    case 'revoke':
    case 'compact':
    case 'alarm':
      return record;
  }
}

function recordOf(facts: ReturnType<typeof factsOf>, values: Buffer): JournalRecord {
  if (facts.type === 'base') return { type: 'base', versions: unpack(facts.versions, values) };
  if (facts.type !== 'revision') return facts;
  const { revision, atMs, revoked } = facts;
  const changes = unpack(facts.versions, values);
  return { type: 'revision', revision: { revision, atMs, changes }, ...(revoked === undefined ? {} : { revoked }) };
}

function unpack(packed: readonly PackedVersion[], values: Buffer): KeyVersion[] {
  let at = 0;
  return packed.map(([key, modRevision, createRevision, version, lease, bytes]) => {
    // A copy: a slice would keep the whole file in memory for one value.
    const value = Buffer.from(values.subarray(at, at + bytes));
    at += bytes;
    return { key, modRevision, createRevision, version, lease, value };
  });
}
