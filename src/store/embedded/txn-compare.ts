/** etcd's comparisons of a transaction with the state. */
import type { ICompare } from 'etcd3';
import { spanOf } from './kv-range.js';
import type { KeyVersion, Mvcc } from './mvcc.js';

/** On a range: for every key in it. A key that does not exist has revisions, version and lease 0, and no value. */
export function holds(mvcc: Mvcc, compare: ICompare): boolean {
  const found = [...mvcc.range(spanOf(compare.key, compare.range_end))];
  if (found.length === 0) return compare.target !== 'Value' && matches(compare, undefined);
  return found.every((version) => matches(compare, version));
}

function matches(compare: ICompare, version: KeyVersion | undefined): boolean {
  const order = orderOf(compare, version);
  switch (String(compare.result ?? 'Equal')) {
    case 'Equal':
      return order === 0;
    case 'NotEqual':
      return order !== 0;
    case 'Greater':
      return order > 0;
    default:
      return order < 0;
  }
}

/** Negative, zero or positive: what the store has against what the client named. */
function orderOf(compare: ICompare, version: KeyVersion | undefined): number {
  switch (String(compare.target ?? 'Version')) {
    case 'Value':
      return (version?.value ?? Buffer.alloc(0)).compare(compare.value ?? Buffer.alloc(0));
    case 'Create':
      return (version?.createRevision ?? 0) - Number(compare.create_revision ?? 0);
    case 'Mod':
      return (version?.modRevision ?? 0) - Number(compare.mod_revision ?? 0);
    case 'Lease': {
      const difference = BigInt(version?.lease ?? 0) - BigInt(compare.lease ?? 0);
      return difference === 0n ? 0 : difference > 0n ? 1 : -1;
    }
    default:
      return (version?.version ?? 0) - Number(compare.version ?? 0);
  }
}
