/** Values of the store, read back: data, or in one sentence what is wrong with them. Their writers are trusted, damage is not. */
import { isIP } from 'node:net';
import type { Definition, Document } from '../model/definition.js';
import type { Eviction, Freeze, SeenAddress, WitnessReport } from '../model/eviction.js';
import { splitHostPort } from '../model/host-port.js';
import type { InstanceRecord } from '../model/instance.js';
import type { AnyKind } from '../model/kind.js';
import type { NodePlan } from '../model/node-plan.js';
import { parseStored } from '../model/parse.js';
import type { Refusal } from '../model/refusal.js';
import type { Release } from '../model/release.js';
import type { RevisionHead, StoredDefinition } from '../model/revision.js';
import { type Read, readObject, valueOf } from '../model/stored-value.js';
import { MadeOf } from '../runtime/made-of.js';
import { decodeNamingValue, type NamingKey, type NamingValue, namingKeyProblem } from '../store/naming.js';

type ReadDefinition = Read<{ readonly stored: StoredDefinition; readonly definition: Definition }>;

/** By kinds. Every command reads the whole mesh, of which nearly all is what the pilot holds already. */
const parsed = new WeakMap<readonly AnyKind[], MadeOf<ReadDefinition>>();

/** Holds what was read of a definition for as long as that. */
const readOf = new WeakMap<Definition, ReadDefinition>();

/** The namespace comes from the key: the document may have been applied with `-n` and name none itself. The same text gives the same object. */
export function readDefinition(text: string, namespace: string | undefined, kinds: readonly AnyKind[]): ReadDefinition {
  let ofKinds = parsed.get(kinds);
  if (ofKinds === undefined) parsed.set(kinds, (ofKinds = new MadeOf()));
  const read = ofKinds.get(`${namespace ?? ''}\n${text}`, () => parseDefinition(text, namespace, kinds));
  if ('value' in read) readOf.set(read.value.definition, read);
  return read;
}

function parseDefinition(text: string, namespace: string | undefined, kinds: readonly AnyKind[]): ReadDefinition {
  const read = readObject<StoredDefinition>(text, ['document', 'revision']);
  if ('wrong' in read) return read;
  const definition = storedDefinition(read.value.document, namespace, kinds);
  if (definition === undefined) return { wrong: 'the stored document does not fit its kind any more' };
  return { value: { stored: read.value, definition } };
}

export function storedDefinition(
  document: Document,
  namespace: string | undefined,
  kinds: readonly AnyKind[],
): Definition | undefined {
  const named = namespace === undefined ? document : { ...document, metadata: { ...document.metadata, namespace } };
  const definition = parseStored(named, kinds);
  return definition && { ...definition, document };
}

export function readRefusal(text: string | undefined): Refusal | undefined {
  return text === undefined ? undefined : valueOf<Refusal>(text, ['kind', 'name', 'digest', 'error', 'proxy']);
}

export function readInstance(text: string): Read<InstanceRecord> {
  const read = readObject<InstanceRecord>(text, ['instance', 'namespace', 'service', 'version', 'address', 'state']);
  if ('wrong' in read) return read;
  const inbound: unknown = (read.value as { ports?: { inbound?: unknown } }).ports?.inbound;
  return typeof inbound === 'object' && inbound !== null ? read : { wrong: 'the record has no ports.inbound' };
}

export function readPlan(text: string): Read<NodePlan> {
  return readObject<NodePlan>(text, ['node', 'instances', 'revision']);
}

export function readRelease(text: string): Read<Release> {
  return readObject<Release>(text, ['service', 'namespace', 'stable', 'gray', 'phase', 'weight', 'revision']);
}

export function readHead(text: string | undefined): number {
  return headValue(text)?.revision ?? 0;
}

export function headValue(text: string | undefined): RevisionHead | undefined {
  return text === undefined ? undefined : valueOf<RevisionHead>(text, ['revision']);
}

/** As a proxy can use it: where it is listed has names, and its address is an IP. Clients that resolve names are not that strict. */
export function readRegistration(key: NamingKey, text: string): NamingValue {
  const value = decodeNamingValue(text);
  if (value.kind !== 'endpoint') return value;
  const problem = namingKeyProblem(key) ?? addressProblem(value.address);
  return problem === undefined ? value : { kind: 'problem', problem };
}

function addressProblem(address: string): string | undefined {
  if (isIP(splitHostPort(address).host) !== 0) return undefined;
  return `Addr is ${JSON.stringify(address)}, expected an IP address and a port: a proxy looks up no names`;
}

export function readEviction(text: string): Read<Eviction> {
  return readObject<Eviction>(text, ['state', 'since', 'address']);
}

export function readSeen(text: string): Read<SeenAddress> {
  return readObject<SeenAddress>(text, ['version', 'mesh', 'lease']);
}

export function readFreeze(text: string): Read<Freeze> {
  return readObject<Freeze>(text, ['since', 'sizes']);
}

export function readWitness(text: string): Read<WitnessReport> {
  return readObject<WitnessReport>(text, []);
}
