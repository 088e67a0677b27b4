/** What an operator asks: size, alarms, a journal without history. `etcdctl endpoint status|hashkv`, `alarm`, `defrag`. */
import { crc32 } from 'node:zlib';
import type { ServerUnaryCall, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import type { IAlarmRequest, IHashKVRequest } from 'etcd3';
import { messageOf } from '../../runtime/mesh-error.js';
import type { Engine } from './engine.js';
import { EtcdError } from './etcd-error.js';
import { bytesOf } from './kv-range.js';
import type { Unary } from './unary.js';

/** Clients show it; ours speaks what etcd 3.4 speaks. */
const VERSION = '3.4.0+lightmesh';

export function maintenanceService(engine: Engine, unary: Unary): UntypedServiceImplementation {
  const alarms = (): object[] => {
    return engine.isOutOfSpace ? [{ memberID: engine.header.member_id, alarm: 'Nospace' }] : [];
  };
  /** Also while the disk is full and everything else waits: an operator has to see why. */
  const atOnce = (answer: () => object) => {
    return (_call: object, callback: sendUnaryData<object>): void => callback(null, answer());
  };
  const setAlarm = unary((request: IAlarmRequest) => {
    const before = alarms();
    const isRaised = String(request.action) === 'Activate';
    if (['Nospace', 'None'].includes(String(request.alarm ?? 'None'))) engine.setOutOfSpace(isRaised);
    return { header: engine.header, alarms: isRaised ? alarms() : before };
  });
  return {
    Status: atOnce(() => ({
      header: engine.header,
      version: VERSION,
      dbSize: engine.journalBytes,
      dbSizeInUse: engine.mvcc.bytes,
      leader: engine.header.member_id,
      raftIndex: engine.mvcc.head,
      raftAppliedIndex: engine.mvcc.head,
      raftTerm: engine.header.raft_term,
      errors: engine.isOutOfSpace ? [`memberID:${engine.header.member_id} alarm:NOSPACE `] : [],
    })),
    Alarm: (call: ServerUnaryCall<IAlarmRequest, object>, callback: sendUnaryData<object>) => {
      if (String(call.request.action ?? 'Get') === 'Get') {
        return callback(null, { header: engine.header, alarms: alarms() });
      }
      return setAlarm(call, callback);
    },
    Hash: unary(() => ({ header: engine.header, hash: hashOf(engine, engine.mvcc.head) })),
    HashKV: unary((request: IHashKVRequest) => {
      const revision = Number(request.revision ?? 0) || engine.mvcc.head;
      engine.mvcc.checkReadable(revision);
      return {
        header: engine.header,
        hash: hashOf(engine, revision),
        compact_revision: Math.max(0, engine.mvcc.compacted),
      };
    }),
    // What etcdctl would save is a database file that its restore reads; ours is none, and must not be taken for one.
    Snapshot: (call: { emit(event: 'error', error: object): void }) => {
      const details = 'etcdserver: the embedded store makes no etcd snapshot: use `mesh store backup FILE`';
      call.emit('error', { code: status.UNIMPLEMENTED, details });
    },
    Defragment: (_call: object, callback: sendUnaryData<object>) => {
      engine.rewriteJournal().then(
        () => callback(null, { header: engine.header }),
        (error: unknown) => {
          const failure = { code: status.RESOURCE_EXHAUSTED, details: `etcdserver: ${messageOf(error)}` };
          callback(engine.hasFailed ? new EtcdError('stopped') : failure);
        },
      );
    },
  };
}

/** Comparable with another of ours only: members of an etcd cluster hash their database files' records. */
function hashOf({ mvcc }: Engine, revision: number): number {
  let hash = 0;
  for (const { key, value, modRevision } of mvcc.range({ key: '', single: false, end: undefined }, revision)) {
    hash = crc32(value, crc32(bytesOf(`${key}\0${modRevision}\0`), hash));
  }
  return hash;
}
