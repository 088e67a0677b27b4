/**
 * Entries of the store to the MeshSnapshot, change by change. Pure. Whatever a change does not touch stays the same object, so
 * that translators may remember by identity; a stored value that cannot be read keeps its last good and becomes a finding.
 */
import { type Definition, type DefinitionIndex, definitionKey, viewOf } from '../model/definition.js';
import type { Endpoint } from '../model/instance.js';
import type { AnyKind } from '../model/kind.js';
import { defaultMesh, MESH_NAME, meshKind } from '../model/mesh.js';
import type { MeshSnapshot } from '../model/mesh-snapshot.js';
import { fullName } from '../model/names.js';
import type { Problem } from '../model/problem.js';
import type { Read } from '../model/stored-value.js';
import type { Keys, ParsedKey } from '../store/keys.js';
import { type NamingKey, parseNamingKey } from '../store/naming.js';
import type { Entry } from '../store/store.js';
import { endpointsOf, noSources, type Registration, type ServiceSources } from './endpoints.js';
import { editMap, type MapEdit } from './map-edit.js';
import {
  headValue,
  readDefinition,
  readEviction,
  readInstance,
  readPlan,
  readRegistration,
  readRelease,
  readSeen,
} from './stored-values.js';

export interface SnapshotState {
  readonly snapshot: MeshSnapshot;
  readonly index: DefinitionIndex;
  /** By service (`<ns>/<name>`). */
  readonly sources: ReadonlyMap<string, ServiceSources>;
  /** The service of an instance, by its id: a key that is gone says no more than that. */
  readonly owners: ReadonlyMap<string, string>;
  /** Values that could not be read, by key. */
  readonly findings: ReadonlyMap<string, Problem>;
}

export interface SnapshotOptions {
  readonly keys: Keys;
  readonly kinds: readonly AnyKind[];
}

export const emptySnapshot: SnapshotState = {
  snapshot: {
    revision: 0,
    storeRevision: 0n,
    mesh: defaultMesh,
    definitions: viewOf(new Map()),
    endpoints: new Map(),
    instances: new Map(),
    plans: new Map(),
    releases: new Map(),
  },
  index: new Map(),
  sources: new Map(),
  owners: new Map(),
  findings: new Map(),
};

/** Of one store revision: what a batch of a mirror says, once it is known what of it counts (staged.ts). */
export interface EntryChanges {
  readonly storeRevision: bigint;
  readonly puts: readonly ChangedEntry[];
  readonly deletes: readonly { readonly key: string }[];
}

/** What a staged change brings has no key of its own yet, so neither a lease nor a revision. */
type ChangedEntry = Pick<Entry, 'key' | 'value'> & Partial<Pick<Entry, 'lease' | 'createRevision'>>;

/** The same state when the batch has no effect on the mesh: acknowledgements, facts and leases of pilots and agents have none. */
export function updateSnapshot(state: SnapshotState, batch: EntryChanges, options: SnapshotOptions): SnapshotState {
  const edit = beginEdit(state, options);
  for (const entry of batch.puts) applyEntry(edit, entry.key, entry);
  for (const { key } of batch.deletes) applyEntry(edit, key, undefined);
  return endEdit(edit, batch.storeRevision);
}

interface Edit {
  readonly before: SnapshotState;
  readonly options: SnapshotOptions;
  revision: number;
  readonly kindMaps: Map<string, MapEdit<string, Definition>>;
  readonly services: Map<string, ServiceEdit>;
  readonly owners: MapEdit<string, string>;
  readonly plans: MapEdit<string, PlanOf>;
  readonly releases: MapEdit<string, ReleaseOf>;
  readonly findings: MapEdit<string, Problem>;
}

type ServiceEdit = {
  readonly [Part in keyof ServiceSources]: MapEdit<string, ValueOf<ServiceSources[Part]>>;
};
type PlanOf = ValueOf<MeshSnapshot['plans']>;
type ReleaseOf = ValueOf<MeshSnapshot['releases']>;
type ValueOf<M> = M extends ReadonlyMap<string, infer Value> ? Value : never;

function beginEdit(before: SnapshotState, options: SnapshotOptions): Edit {
  return {
    before,
    options,
    revision: before.snapshot.revision,
    kindMaps: new Map(),
    services: new Map(),
    owners: editMap(before.owners),
    plans: editMap(before.snapshot.plans),
    releases: editMap(before.snapshot.releases),
    findings: editMap(before.findings),
  };
}

/** `entry` is undefined for a key that is gone. */
function applyEntry(edit: Edit, key: string, entry: ChangedEntry | undefined): void {
  const parsed = edit.options.keys.parse(key);
  if (parsed !== undefined) return applyOwn(edit, key, parsed, entry);
  const naming = parseNamingKey(key);
  if (naming !== undefined) applyNaming(edit, key, naming, entry);
}

function applyOwn(edit: Edit, key: string, parsed: ParsedKey, entry: ChangedEntry | undefined): void {
  const value = entry?.value;
  switch (parsed.kind) {
    case 'def': {
      const map = kindMap(edit, parsed.defKind);
      const name = definitionKey(parsed.namespace, parsed.name);
      const read = (text: string): Read<Definition> => {
        const found = readDefinition(text, parsed.namespace, edit.options.kinds);
        return 'value' in found ? { value: found.value.definition } : found;
      };
      return put(edit, key, map, name, value, read);
    }
    case 'instance':
      return applyInstance(edit, key, parsed.instance, value);
    case 'plan':
      return put(edit, key, edit.plans, parsed.node, value, readPlan);
    case 'release':
      return put(edit, key, edit.releases, fullName(parsed.namespace, parsed.service), value, readRelease);
    case 'seen': {
      const { seen } = service(edit, parsed.namespace, parsed.service);
      return put(edit, key, seen, parsed.address, value, readSeen);
    }
    case 'evict': {
      const { evictions } = service(edit, parsed.namespace, parsed.service);
      const createRevision = entry?.createRevision ?? 0n;
      return put(edit, key, evictions, parsed.instance, value, (text) => {
        const read = readEviction(text);
        return 'value' in read ? { value: { value: read.value, createRevision } } : read;
      });
    }
    case 'rev-head':
      return applyHead(edit, key, value);
    case 'rev':
    case 'staged':
    case 'deploy':
    case 'node':
    case 'pilot':
    case 'ack':
    case 'fact':
    case 'meta':
    case 'quarantine':
    case 'freeze':
    case 'lock':
    case 'leader':
    case 'event':
    case 'witness':
    case 'txn':
      // Histories, leases and acknowledgements: they alter nothing that a proxy is sent, and must not wake one another.
      return undefined;
  }
}

function put<Value>(
  edit: Edit,
  key: string,
  map: MapEdit<string, Value>,
  name: string,
  value: string | undefined,
  read: (text: string) => Read<Value>,
): void {
  edit.findings.delete(key);
  if (value === undefined) return map.delete(name);
  const result = read(value);
  if ('value' in result) map.set(name, result.value);
  else addFinding(edit, key, result.wrong);
}

/** A head that cannot be read says nothing: the revision before it stays, since 0 would mean that there is no mesh. */
function applyHead(edit: Edit, key: string, value: string | undefined): void {
  edit.findings.delete(key);
  const head = headValue(value);
  if (value === undefined || head !== undefined) edit.revision = head?.revision ?? 0;
  else addFinding(edit, key, 'the head of the revisions cannot be read');
}

function applyInstance(edit: Edit, key: string, id: string, value: string | undefined): void {
  edit.findings.delete(key);
  const read = value === undefined ? undefined : readInstance(value);
  if (read !== undefined && 'wrong' in read) return addFinding(edit, key, read.wrong);
  const record = read?.value;
  const before = edit.owners.get(id);
  const after = record && fullName(record.namespace, record.service);
  if (before !== undefined && before !== after) serviceOf(edit, before).records.delete(id);
  if (record === undefined || after === undefined) return edit.owners.delete(id);
  edit.owners.set(id, after);
  serviceOf(edit, after).records.set(id, record);
}

function applyNaming(edit: Edit, key: string, naming: NamingKey, entry: ChangedEntry | undefined): void {
  const { registrations } = service(edit, naming.namespace, naming.service);
  edit.findings.delete(key);
  const read = entry && readRegistration(naming, entry.value);
  if (read?.kind === 'problem') return addFinding(edit, key, read.problem);
  if (entry === undefined || read?.kind !== 'endpoint') return registrations.delete(key);
  const version = naming.version ?? read.version ?? '';
  const registration = { address: read.address, version, mesh: read.mesh ?? {}, lease: entry.lease ?? '0' };
  // Agents write their keys again from time to time, all of them: what says the same must cost nothing.
  if (!isSameRegistration(registrations.get(key), registration)) registrations.set(key, registration);
}

function isSameRegistration(before: Registration | undefined, after: Registration): boolean {
  return before !== undefined && JSON.stringify(before) === JSON.stringify(after);
}

function addFinding(edit: Edit, key: string, message: string): void {
  const hint = 'what was read before stays in effect';
  edit.findings.set(key, { code: 'MESH1004', severity: 'error', path: key, message, hint });
}

function kindMap(edit: Edit, kind: string): MapEdit<string, Definition> {
  let map = edit.kindMaps.get(kind);
  if (map === undefined) edit.kindMaps.set(kind, (map = editMap(edit.before.index.get(kind) ?? new Map())));
  return map;
}

function service(edit: Edit, namespace: string, name: string): ServiceEdit {
  return serviceOf(edit, fullName(namespace, name));
}

function serviceOf(edit: Edit, key: string): ServiceEdit {
  let sources = edit.services.get(key);
  if (sources === undefined) {
    const { records, registrations, seen, evictions } = edit.before.sources.get(key) ?? noSources;
    sources = {
      records: editMap(records),
      registrations: editMap(registrations),
      seen: editMap(seen),
      evictions: editMap(evictions),
    };
    edit.services.set(key, sources);
  }
  return sources;
}

function endEdit(edit: Edit, storeRevision: bigint): SnapshotState {
  const { before } = edit;
  const index = indexAfter(edit);
  const { sources, endpoints, instances } = runningAfter(edit);
  const owners = edit.owners.done();
  const findings = edit.findings.done();
  const parts = {
    revision: edit.revision,
    endpoints,
    instances,
    plans: edit.plans.done(),
    releases: edit.releases.done(),
  };
  const isSame = Object.entries(parts).every(([name, part]) => before.snapshot[name as keyof typeof parts] === part);
  if (isSame && index === before.index) {
    if (findings === before.findings && sources === before.sources) return before;
    return { ...before, findings, sources, owners };
  }
  const definitions = index === before.index ? before.snapshot.definitions : viewOf(index);
  const mesh = index === before.index ? before.snapshot.mesh : meshSpec(index);
  return { snapshot: { ...parts, storeRevision, mesh, definitions }, index, sources, owners, findings };
}

function meshSpec(index: DefinitionIndex): MeshSnapshot['mesh'] {
  return viewOf(index).get(meshKind, undefined, MESH_NAME)?.spec ?? defaultMesh;
}

function indexAfter(edit: Edit): DefinitionIndex {
  const index = editMap(edit.before.index);
  for (const [kind, map] of edit.kindMaps) index.set(kind, map.done());
  return index.done();
}

function runningAfter(edit: Edit): Pick<SnapshotState, 'sources'> & Pick<MeshSnapshot, 'endpoints' | 'instances'> {
  const sources = editMap(edit.before.sources);
  const endpoints = editMap(edit.before.snapshot.endpoints);
  const instances = editMap(edit.before.snapshot.instances);
  for (const [key, touched] of edit.services) {
    const next: ServiceSources = {
      records: touched.records.done(),
      registrations: touched.registrations.done(),
      seen: touched.seen.done(),
      evictions: touched.evictions.done(),
    };
    if (next.records.size > 0) instances.set(key, next.records);
    else instances.delete(key);
    const last = edit.before.sources.get(key) ?? noSources;
    const parts = Object.keys(next) as (keyof ServiceSources)[];
    if (parts.every((part) => last[part] === next[part])) continue;
    if (parts.every((part) => next[part].size === 0)) {
      sources.delete(key);
      endpoints.delete(key);
      continue;
    }
    sources.set(key, next);
    const [namespace = '', name = ''] = key.split('/');
    const list = endpointsOf(namespace, name, next);
    const known: readonly Endpoint[] | undefined = endpoints.get(key);
    if (!sameEndpoints(known, list)) endpoints.set(key, list);
  }
  return { sources: sources.done(), endpoints: endpoints.done(), instances: instances.done() };
}

/** A record changes for reasons that no proxy sees, such as a container's name: the list of addresses then stays the same object. */
function sameEndpoints(before: readonly Endpoint[] | undefined, after: readonly Endpoint[]): boolean {
  return before?.length === after.length && before.every((endpoint, i) => sameEndpoint(endpoint, after[i]));
}

function sameEndpoint(before: Endpoint, after: Endpoint | undefined): boolean {
  return before === after || JSON.stringify(before) === JSON.stringify(after);
}
