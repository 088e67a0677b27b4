/** Values of the store, read back: data, or in one sentence what is wrong with them. Their writers are trusted, damage is not. */
import type { Definition } from '../model/definition.js';
import type { InstanceRecord } from '../model/instance.js';
import type { AnyKind } from '../model/kind.js';
import type { NodePlan } from '../model/node-plan.js';
import { parseStored } from '../model/parse.js';
import type { Release } from '../model/release.js';
import type { RevisionHead, StoredDefinition } from '../model/revision.js';

export type Read<Value> = { readonly value: Value } | { readonly wrong: string };

/** The namespace comes from the key: the document may have been applied with `-n` and name none itself. */
export function readDefinition(
  text: string,
  namespace: string | undefined,
  kinds: readonly AnyKind[],
): Read<{ readonly stored: StoredDefinition; readonly definition: Definition }> {
  const read = readObject<StoredDefinition>(text, ['document', 'revision']);
  if ('wrong' in read) return read;
  const { document } = read.value;
  const named = namespace === undefined ? document : { ...document, metadata: { ...document.metadata, namespace } };
  const definition = parseStored(named, kinds);
  if (definition === undefined) return { wrong: 'the stored document does not fit its kind any more' };
  return { value: { stored: read.value, definition: { ...definition, document } } };
}

export function readInstance(text: string): Read<InstanceRecord> {
  const read = readObject<InstanceRecord>(text, ['instance', 'namespace', 'service', 'version', 'address', 'state']);
  if ('wrong' in read) return read;
  const inbound: unknown = (read.value as { ports?: { inbound?: unknown } }).ports?.inbound;
  return isObject(inbound) ? read : { wrong: 'the record has no ports.inbound' };
}

export function readPlan(text: string): Read<NodePlan> {
  return readObject<NodePlan>(text, ['node', 'instances', 'revision']);
}

export function readRelease(text: string): Read<Release> {
  return readObject<Release>(text, ['service', 'namespace', 'stable', 'gray', 'phase', 'weight', 'revision']);
}

export function readHead(text: string | undefined): number {
  if (text === undefined) return 0;
  const read = readObject<RevisionHead>(text, ['revision']);
  return 'value' in read ? read.value.revision : 0;
}

/** The one place where text of the store becomes a type: the fields that its readers stand on must be there. */
export function readObject<Value extends object>(
  text: string,
  required: readonly (keyof Value & string)[],
): Read<Value> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { wrong: 'the value is not JSON' };
  }
  if (!isObject(value)) return { wrong: 'the value is not a JSON object' };
  const missing = required.filter((field) => value[field] === undefined);
  if (missing.length > 0) return { wrong: `the value has no ${missing.join(', ')}` };
  return { value: value as Value };
}

/** For lists, where one damaged value must not hide the others. */
export function valueOf<Value extends object>(
  text: string,
  required: readonly (keyof Value & string)[],
): Value | undefined {
  const read = readObject<Value>(text, required);
  return 'value' in read ? read.value : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
