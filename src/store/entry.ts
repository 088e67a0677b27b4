/** From etcd's wire form to ours. 64-bit integers arrive as decimal text; comparing them as text would be wrong. */
import type { IKeyValue } from 'etcd3';
import type { Entry } from './store.js';

export function toEntry(kv: IKeyValue): Entry {
  return {
    key: kv.key.toString(),
    value: kv.value.toString(),
    modRevision: BigInt(kv.mod_revision),
    createRevision: BigInt(kv.create_revision),
    lease: kv.lease,
  };
}
