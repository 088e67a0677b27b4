/**
 * Large changes as data (docs/decisions/0015). Their parts lie in the store before anybody may see them; a head that names
 * them publishes all of them at once, and from then on they count instead of what the objects' own keys still say.
 */
import type { Change, RevisionHead, StagedPart, StagedParts } from '../model/revision.js';
import { valueOf } from '../model/stored-value.js';
import { MeshError } from '../runtime/mesh-error.js';
import type { Keys } from '../store/keys.js';
import type { Entry } from '../store/store.js';
import { changeKey, changeValue, type NextRevision } from './changes.js';
import type { EntryChanges } from './snapshot.js';
import { headValue } from './stored-values.js';

export const MAX_CHANGES = 10_000;
export const MAX_CHANGE_BYTES = 32 * 1024 * 1024;
/** A part is one value and one transaction, of which 1 MiB fits. At least half full, 32 MiB make no more than the 100 that can be compared. */
const PART_BYTES = 768 * 1024;
/** Before and after of one object must fit into one part, whatever else there is. */
const MAX_OBJECT_BYTES = 1000 * 1024;

/** What each key holds once it is folded; undefined where it is deleted. */
export type Overlay = ReadonlyMap<string, string | undefined>;

const noOverlay: Overlay = new Map();

/** The values of the parts, in order. Throws MESH2007 for what no store should be asked to take. */
export function partsOf(command: string, changes: readonly Change[], next: NextRevision): readonly string[] {
  if (changes.length > MAX_CHANGES) throw tooLarge(command, `${changes.length} objects change`, `${MAX_CHANGES}`);
  const parts: Change[][] = [];
  let room = 0;
  let total = 0;
  for (const change of changes) {
    const bytes = Buffer.byteLength(JSON.stringify(change));
    if (bytes > MAX_OBJECT_BYTES) throw objectTooLarge(command, change, bytes);
    if (parts.length === 0 || bytes > room) {
      parts.push([]);
      room = PART_BYTES;
    }
    parts.at(-1)?.push(change);
    room -= bytes;
    total += bytes;
  }
  if (total > MAX_CHANGE_BYTES) {
    throw tooLarge(command, `the objects have ${inMiB(total)} MiB, before and after`, `${inMiB(MAX_CHANGE_BYTES)} MiB`);
  }
  return parts.map((part) => JSON.stringify({ ...next, changes: part } satisfies StagedPart));
}

/** Empty when the head names no parts, or when they are folded already: they vanish all at once. */
export function overlayOf(
  keys: Keys,
  head: RevisionHead | undefined,
  valueAt: (key: string) => string | undefined,
): Overlay {
  const staged = head?.staged;
  const parts = staged && partsAt(staged, (part) => valueAt(keys.staged(staged.id, part)));
  if (parts === undefined) return noOverlay;
  const overlay = new Map<string, string | undefined>();
  for (const part of parts) {
    for (const change of part.changes) overlay.set(changeKey(keys, change), changeValue(change, part));
  }
  return overlay;
}

/** Undefined unless all of them are there. */
export function partsAt(
  staged: StagedParts,
  valueAt: (part: number) => string | undefined,
): readonly StagedPart[] | undefined {
  const parts: StagedPart[] = [];
  for (let part = 0; part < staged.parts; part++) {
    const read = readPart(valueAt(part));
    if (read === undefined) return undefined;
    parts.push(read);
  }
  return parts;
}

export function readPart(value: string | undefined): StagedPart | undefined {
  return value === undefined ? undefined : valueOf<StagedPart>(value, ['revision', 'at', 'changes']);
}

/** Entries of one store revision, as they count: with the published parts in effect, and without those that are not. */
export function publishedEntries(entries: readonly Entry[], keys: Keys): readonly Entry[] {
  const own = entries.filter(({ key }) => !key.startsWith(keys.allStaged.prefix));
  const values = new Map(entries.map((entry) => [entry.key, entry]));
  const head = values.get(keys.revHead);
  const overlay = overlayOf(keys, headValue(head?.value), (key) => values.get(key)?.value);
  if (overlay.size === 0 || head === undefined) return own;
  const { modRevision, createRevision, lease } = head;
  const put = [...overlay].flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value, modRevision, createRevision, lease }],
  );
  return [...own.filter(({ key }) => !overlay.has(key)), ...put].toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

/** What of the store's changes is known of parts: for following a mirror. */
export interface Staging {
  readonly head: RevisionHead | undefined;
  /** By key. */
  readonly parts: ReadonlyMap<string, string>;
  readonly overlay: Overlay;
}

export const noStaging: Staging = { head: undefined, parts: new Map(), overlay: noOverlay };

/**
 * Changes of the store as changes of what counts: parts that are staged are no news, the head that names them brings all
 * of them at once, and folding them brings nothing new.
 */
export function followStaging(
  before: Staging,
  batch: EntryChanges,
  keys: Keys,
): { readonly staging: Staging; readonly changes: EntryChanges } {
  const isPart = (key: string): boolean => key.startsWith(keys.allStaged.prefix);
  const partPuts = batch.puts.filter(({ key }) => isPart(key));
  const partDeletes = batch.deletes.filter(({ key }) => isPart(key));
  const headPut = batch.puts.find(({ key }) => key === keys.revHead);
  const isHeadGone = batch.deletes.some(({ key }) => key === keys.revHead);
  const isTouched = partPuts.length + partDeletes.length > 0 || headPut !== undefined || isHeadGone;
  if (!isTouched && before.overlay.size === 0) return { staging: before, changes: batch };

  const staging = isTouched ? nextStaging(before, { partPuts, partDeletes, headPut, isHeadGone }, keys) : before;
  const { overlay } = staging;
  const news = overlay === before.overlay ? noOverlay : overlay;
  const releases = keys.below('release').prefix;
  // Of what is folded a release passes: proxies acknowledge it at the store revision of its own key.
  const isFolded = (key: string, value: string | undefined): boolean =>
    overlay.has(key) && overlay.get(key) === value && !key.startsWith(releases);
  const counts = ({ key, value }: { readonly key: string; readonly value?: string }): boolean =>
    !isPart(key) && !isFolded(key, value) && !news.has(key);
  const puts = [...news].flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));
  const deletes = [...news].flatMap(([key, value]) => (value === undefined ? [{ key }] : []));
  return {
    staging,
    changes: {
      storeRevision: batch.storeRevision,
      puts: [...batch.puts.filter(counts), ...puts],
      deletes: [...batch.deletes.filter(counts), ...deletes],
    },
  };
}

interface StagingChanges {
  readonly partPuts: EntryChanges['puts'];
  readonly partDeletes: EntryChanges['deletes'];
  readonly headPut: EntryChanges['puts'][number] | undefined;
  readonly isHeadGone: boolean;
}

function nextStaging(before: Staging, changes: StagingChanges, keys: Keys): Staging {
  const parts = new Map(before.parts);
  for (const { key } of changes.partDeletes) parts.delete(key);
  for (const { key, value } of changes.partPuts) parts.set(key, value);
  const kept = changes.isHeadGone ? undefined : before.head;
  const head = changes.headPut === undefined ? kept : headValue(changes.headPut.value);
  const overlay = overlayOf(keys, head, (key) => parts.get(key));
  const isSame = head?.staged?.id === before.head?.staged?.id && overlay.size === before.overlay.size;
  return { head, parts, overlay: isSame ? before.overlay : overlay };
}

function tooLarge(command: string, found: string, allowed: string): MeshError {
  return new MeshError('MESH2007', `${command}: ${found}, one command may change ${allowed}`, {
    hint: 'apply it in parts, what others refer to first',
  });
}

function objectTooLarge(command: string, { kind, namespace, name }: Change, bytes: number): MeshError {
  const object = `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
  const limit = `${MAX_OBJECT_BYTES / 1024} KiB`;
  return new MeshError(
    'MESH2007',
    `${command}: ${object} has ${Math.ceil(bytes / 1024)} KiB, before and after together; one object may have ${limit}`,
    { hint: 'Split it, or keep large content outside of the definitions.' },
  );
}

function inMiB(bytes: number): number {
  return Math.ceil(bytes / 1024 / 1024);
}
