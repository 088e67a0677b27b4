/**
 * Every key of the mesh in the store, written and read back in one place. The naming keys, which live outside of the
 * prefix so that plain Go clients find them, are in naming.ts.
 */
import { NO_NAMESPACE } from '../model/names.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Range } from './range.js';

export const DEFAULT_PREFIX = 'lightmesh/';
const REVISION_DIGITS = 12;
const TIME_DIGITS = 13;
const PART_DIGITS = 4;

export type ParsedKey =
  | { readonly kind: 'meta'; readonly name: string }
  | { readonly kind: 'def'; readonly defKind: string; readonly namespace: string | undefined; readonly name: string }
  | { readonly kind: 'rev'; readonly revision: number; readonly part: number | undefined }
  | { readonly kind: 'rev-head' }
  | { readonly kind: 'staged'; readonly id: string; readonly part: number }
  | { readonly kind: 'plan'; readonly node: string }
  | { readonly kind: 'deploy'; readonly id: string }
  | { readonly kind: 'instance'; readonly node: string; readonly instance: string }
  | { readonly kind: 'node'; readonly node: string }
  | { readonly kind: 'release'; readonly namespace: string; readonly service: string }
  | { readonly kind: 'pilot'; readonly id: string }
  | { readonly kind: 'ack'; readonly pilot: string }
  | { readonly kind: 'fact'; readonly namespace: string; readonly service: string; readonly pilot: string }
  | {
      readonly kind: 'quarantine';
      readonly defKind: string;
      readonly namespace: string | undefined;
      readonly name: string;
    }
  | { readonly kind: 'evict'; readonly namespace: string; readonly service: string; readonly instance: string }
  | { readonly kind: 'seen'; readonly namespace: string; readonly service: string; readonly address: string }
  | { readonly kind: 'freeze'; readonly namespace: string | undefined; readonly service: string | undefined }
  | { readonly kind: 'lock'; readonly name: string }
  | { readonly kind: 'leader'; readonly role: string }
  | { readonly kind: 'event'; readonly id: string }
  | { readonly kind: 'witness'; readonly node: string }
  | { readonly kind: 'txn'; readonly id: string };

export type Keys = ReturnType<typeof keysUnder>;

/** All keys below this prefix, which ends with a slash. */
export function keysUnder(prefix: string) {
  const at = (...segments: string[]): string => prefix + segments.map(segment).join('/');
  const below = (...segments: string[]): { readonly prefix: string } => ({ prefix: `${at(...segments)}/` });
  return {
    prefix,
    all: { prefix } satisfies Range as Range,

    metaEpoch: at('meta', 'epoch'),
    metaSchema: at('meta', 'schema'),
    /** While a copy or restore into this store is under way. */
    metaIncoming: at('meta', 'incoming'),
    /** Of the last `mesh store compact`. */
    metaCompaction: at('meta', 'compaction'),
    def: (kind: string, namespace: string | undefined, name: string) =>
      at('def', kind, namespace ?? NO_NAMESPACE, name),
    rev: (revision: number, part?: number) =>
      at('rev', digits(revision), ...(part === undefined ? [] : [partDigits(part)])),
    revHead: at('rev', 'head'),
    /** A part of a large change, until it is published and folded into the objects (docs/decisions/0015). */
    staged: (id: string, part: number) => at('rev', 'staged', id, partDigits(part)),
    staging: (id: string) => below('rev', 'staged', id),
    allStaged: below('rev', 'staged'),
    plan: (node: string) => at('plan', node),
    deploy: (id: string) => at('deploy', id),
    instance: (node: string, instance: string) => at('instance', node, instance),
    node: (node: string) => at('node', node),
    release: (namespace: string, service: string) => at('release', namespace, service),
    pilot: (id: string) => at('pilot', id),
    ack: (pilot: string) => at('ack', pilot),
    fact: (namespace: string, service: string, pilot: string) => at('fact', namespace, service, pilot),
    /** A definition of which a proxy refused what it led to. */
    quarantine: (kind: string, namespace: string | undefined, name: string) =>
      at('quarantine', kind, namespace ?? NO_NAMESPACE, name),
    evict: (namespace: string, service: string, instance: string) => at('evict', namespace, service, instance),
    /** What registered itself under this address, remembered. */
    seen: (namespace: string, service: string, address: string) => at('seen', namespace, service, address),
    /** Without a service: the whole mesh. */
    freeze: (namespace?: string, service?: string) => at('freeze', namespace ?? NO_NAMESPACE, service ?? NO_NAMESPACE),
    lock: (name: string) => at('lock', name),
    leader: (role: string) => at('leader', role),
    /** Leased, never renewed: what happened, for people. Sorted by when it happened first. */
    event: (atMs: number, id: string) => at('event', `${String(atMs).padStart(TIME_DIGITS, '0')}-${id}`),
    /** What this node's agent has seen of other nodes' suspects. */
    witness: (node: string) => at('witness', node),
    /** Leased marker of one transaction: tells whether it was applied when its answer got lost. */
    txn: (id: string) => at('txn', id),

    /** Everything below one of the first segments, for instance `below('def', 'Service')` or `below('rev')`. */
    below,
    parse: (key: string): ParsedKey | undefined =>
      key.startsWith(prefix) ? parseKey(key.slice(prefix.length)) : undefined,
  };
}

/** Undefined for a key that is not ours: somebody else's, or a newer lightmesh's. Takes the key without the prefix. */
export function parseKey(key: string): ParsedKey | undefined {
  const [first, ...rest] = key.split('/');
  const [a, b, c] = rest;
  if (rest.length === 0 || rest.includes('')) return undefined;
  switch (`${first ?? ''} ${rest.length}`) {
    case 'meta 1':
      return { kind: 'meta', name: text(a) };
    case 'def 3':
      return { kind: 'def', defKind: text(a), namespace: namespaceOf(b), name: text(c) };
    case 'rev 1':
      return a === 'head' ? { kind: 'rev-head' } : revisionKey(a, undefined);
    case 'rev 2':
      return revisionKey(a, b);
    case 'rev 3': {
      const part = partOf(c);
      return a === 'staged' && part !== undefined ? { kind: 'staged', id: text(b), part } : undefined;
    }
    case 'plan 1':
      return { kind: 'plan', node: text(a) };
    case 'deploy 1':
      return { kind: 'deploy', id: text(a) };
    case 'instance 2':
      return { kind: 'instance', node: text(a), instance: text(b) };
    case 'node 1':
      return { kind: 'node', node: text(a) };
    case 'release 2':
      return { kind: 'release', namespace: text(a), service: text(b) };
    case 'pilot 1':
      return { kind: 'pilot', id: text(a) };
    case 'ack 1':
      return { kind: 'ack', pilot: text(a) };
    case 'fact 3':
      return { kind: 'fact', namespace: text(a), service: text(b), pilot: text(c) };
    case 'quarantine 3':
      return { kind: 'quarantine', defKind: text(a), namespace: namespaceOf(b), name: text(c) };
    case 'evict 3':
      return { kind: 'evict', namespace: text(a), service: text(b), instance: text(c) };
    case 'seen 3':
      return { kind: 'seen', namespace: text(a), service: text(b), address: text(c) };
    case 'freeze 2':
      return { kind: 'freeze', namespace: namespaceOf(a), service: namespaceOf(b) };
    case 'lock 1':
      return { kind: 'lock', name: text(a) };
    case 'leader 1':
      return { kind: 'leader', role: text(a) };
    case 'event 1':
      return { kind: 'event', id: text(a) };
    case 'witness 1':
      return { kind: 'witness', node: text(a) };
    case 'txn 1':
      return { kind: 'txn', id: text(a) };
    default:
      return undefined;
  }
}

function segment(name: string): string {
  if (name === '' || name.includes('/')) {
    throw new MeshError('MESH2000', `a key segment must be a name without a slash, found ${JSON.stringify(name)}`);
  }
  return name;
}

/** Padded so that the order of bytes is the order of numbers. */
function digits(revision: number): string {
  return String(revision).padStart(REVISION_DIGITS, '0');
}

function revisionOf(segment: string | undefined): number | undefined {
  return segment !== undefined && /^\d{12}$/.test(segment) ? Number(segment) : undefined;
}

function revisionKey(segment: string | undefined, partSegment: string | undefined): ParsedKey | undefined {
  const revision = revisionOf(segment);
  const part = partOf(partSegment);
  if (revision === undefined || (partSegment !== undefined && part === undefined)) return undefined;
  return { kind: 'rev', revision, part };
}

function partDigits(part: number): string {
  return String(part).padStart(PART_DIGITS, '0');
}

function partOf(segment: string | undefined): number | undefined {
  return segment !== undefined && /^\d{4}$/.test(segment) ? Number(segment) : undefined;
}

function namespaceOf(segment: string | undefined): string | undefined {
  return segment === NO_NAMESPACE ? undefined : segment;
}

/** The count of segments has been matched: a missing one is impossible. */
function text(segment: string | undefined): string {
  return segment ?? '';
}
