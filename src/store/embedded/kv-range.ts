/** etcd's Range request on our versions: filters, order, limit, counts. */
import type { IRangeRequest } from 'etcd3';
import { EtcdError } from './etcd-error.js';
import type { KeySpan, KeyVersion, Mvcc } from './mvcc.js';

/** Bytes on the wire, latin1 text inside: see sorted-keys.ts. */
export function textOf(bytes: Buffer): string {
  return bytes.toString('latin1');
}

export function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** etcd's convention: no end is the single key, an end of one zero byte is "to the last key". */
export function spanOf(key: Buffer | undefined, rangeEnd: Buffer | undefined): KeySpan {
  const end = textOf(rangeEnd ?? Buffer.alloc(0));
  const start = textOf(key ?? Buffer.alloc(0));
  return { key: start, single: end === '', end: end === '' || end === '\0' ? undefined : end };
}

export function spanContains(span: KeySpan, key: string): boolean {
  return span.single ? key === span.key : key >= span.key && (span.end === undefined || key < span.end);
}

export interface WireKeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly mod_revision: number;
  readonly create_revision: number;
  readonly version: number;
  readonly lease: string;
}

export function toWire(version: KeyVersion, keysOnly = false): WireKeyValue {
  return {
    key: bytesOf(version.key),
    value: keysOnly ? Buffer.alloc(0) : version.value,
    mod_revision: version.modRevision,
    create_revision: version.createRevision,
    version: version.version,
    lease: version.lease,
  };
}

export function checkRange(mvcc: Mvcc, request: IRangeRequest): void {
  if (!request.key?.length) throw new EtcdError('emptyKey');
  const revision = Number(request.revision ?? 0);
  if (revision > 0) mvcc.checkReadable(revision);
}

export function answerRange(mvcc: Mvcc, request: IRangeRequest) {
  const revision = Number(request.revision ?? 0);
  const span = spanOf(request.key, request.range_end);
  const all = [...mvcc.range(span, revision > 0 ? revision : undefined)];
  if (request.count_only) return { kvs: [], more: false, count: all.length };
  const limit = Number(request.limit ?? 0);
  const filter = filterOf(request);
  // Without an order etcd stops reading one key after the limit, whatever it sorts by then.
  const isCutFirst = limit > 0 && !filter && String(request.sort_order ?? 'None') === 'None';
  const read = isCutFirst ? all.slice(0, limit + 1) : all;
  const found = sorted(filter ? read.filter(filter) : read, request);
  const more = limit > 0 && found.length > limit;
  const kvs = (more ? found.slice(0, limit) : found).map((version) => toWire(version, request.keys_only));
  // As etcd counts: all keys of the range, whatever the limit and the filters leave of them.
  return { kvs, more, count: all.length };
}

/** Undefined when the request names no bound. */
function filterOf(request: IRangeRequest): ((version: KeyVersion) => boolean) | undefined {
  const minMod = Number(request.min_mod_revision ?? 0);
  const maxMod = Number(request.max_mod_revision ?? 0);
  const minCreate = Number(request.min_create_revision ?? 0);
  const maxCreate = Number(request.max_create_revision ?? 0);
  if (minMod === 0 && maxMod === 0 && minCreate === 0 && maxCreate === 0) return undefined;
  return ({ modRevision: mod, createRevision: create }) =>
    mod >= minMod && create >= minCreate && (maxMod === 0 || mod <= maxMod) && (maxCreate === 0 || create <= maxCreate);
}

/** They come ascending by key, and keep that order among equals; another target without an order means ascending. */
function sorted(versions: KeyVersion[], request: IRangeRequest): KeyVersion[] {
  const compare = COMPARISONS[String(request.sort_target ?? 'Key')];
  const isDescending = String(request.sort_order ?? 'None') === 'Descend';
  if (!compare) return isDescending ? versions.reverse() : versions;
  return versions.sort((a, b) => (isDescending ? compare(b, a) : compare(a, b)));
}

/** By key they are sorted already. */
const COMPARISONS: Readonly<Record<string, (a: KeyVersion, b: KeyVersion) => number>> = {
  Version: (a, b) => a.version - b.version,
  Create: (a, b) => a.createRevision - b.createRevision,
  Mod: (a, b) => a.modRevision - b.modRevision,
  Value: (a, b) => a.value.compare(b.value),
};
