import type { Kind } from './kind.js';
import { byKey } from './order.js';

export interface ObjectMeta {
  readonly name: string;
  /** Absent for kinds without a namespace. */
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** As Kubernetes wrote it, in files that were taken from there: of two that conflict, the older one wins. */
  readonly creationTimestamp?: string | undefined;
}

/** A document exactly as the user wrote it, as JSON. This is what is stored and what `get` returns. */
export interface Document {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
  readonly spec?: unknown;
}

/** Where a definition came from, for messages. Stored definitions have none. */
export interface Origin {
  readonly file: string;
  /** Line and column (1-based) of the value at `path`, or of its key, or of the nearest parent that exists. */
  locate(path: readonly PropertyKey[], which: 'key' | 'value'): { line: number; column: number };
}

/** What the user declared, parsed: `spec` has its defaults, `document` is as written. */
export interface Definition<Spec = unknown> {
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: Spec;
  readonly document: Document;
  readonly origin?: Origin | undefined;
}

/** `Service default/reviews`, `Node node-a`. */
export function describeDefinition(d: Pick<Definition, 'kind' | 'namespace' | 'name'>): string {
  return d.namespace === undefined ? `${d.kind} ${d.name}` : `${d.kind} ${d.namespace}/${d.name}`;
}

/** Key of a definition among those of its kind. */
export function definitionKey(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** All definitions that hold together, for look-ups and cross references. */
export interface DefinitionView {
  all<Spec>(kind: Kind<Spec>): readonly Definition<Spec>[];
  get<Spec>(kind: Kind<Spec>, namespace: string | undefined, name: string): Definition<Spec> | undefined;
  /** Of a kind given by its word: for references, which need no shape and so no import. */
  has(kind: string, namespace: string | undefined, name: string): boolean;
  /** Of a kind given by its word, in one namespace, sorted: for hints. */
  names(kind: string, namespace: string | undefined): readonly string[];
}

export type DefinitionIndex = ReadonlyMap<string, ReadonlyMap<string, Definition>>;

/** Each of the kinds that are edited is copied once, however many of its definitions change. */
export function editIndex<Edit extends { readonly kind: string }>(
  index: DefinitionIndex,
  edits: readonly Edit[],
  apply: (ofKind: Map<string, Definition>, edit: Edit) => void,
): DefinitionIndex {
  const edited = new Map<string, Map<string, Definition>>();
  for (const edit of edits) {
    const ofKind = edited.get(edit.kind) ?? new Map(index.get(edit.kind));
    edited.set(edit.kind, ofKind);
    apply(ofKind, edit);
  }
  return new Map([...index, ...edited]);
}

/** The only place where a definition found by its kind's name regains its type: the kind's schema produced its spec. */
export function viewOf(index: DefinitionIndex): DefinitionView {
  return {
    all<Spec>(kind: Kind<Spec>) {
      return sortedValues(index.get(kind.kind)) as readonly Definition<Spec>[];
    },
    get<Spec>(kind: Kind<Spec>, namespace: string | undefined, name: string) {
      return index.get(kind.kind)?.get(definitionKey(namespace, name)) as Definition<Spec> | undefined;
    },
    has: (kind, namespace, name) => index.get(kind)?.has(definitionKey(namespace, name)) ?? false,
    names(kind, namespace) {
      const own = [...(index.get(kind)?.values() ?? [])].filter((definition) => definition.namespace === namespace);
      return own.map((definition) => definition.name).toSorted();
    },
  };
}

export function indexDefinitions(definitions: Iterable<Definition>): DefinitionIndex {
  const index = new Map<string, Map<string, Definition>>();
  for (const definition of definitions) {
    let ofKind = index.get(definition.kind);
    if (ofKind === undefined) index.set(definition.kind, (ofKind = new Map()));
    ofKind.set(definitionKey(definition.namespace, definition.name), definition);
  }
  return index;
}

const none: readonly Definition[] = [];
const sortedLists = new WeakMap<ReadonlyMap<string, Definition>, readonly Definition[]>();

/** Remembered per map, not per view: the list of a kind that no change has touched stays the same object over all views. */
function sortedValues(ofKind: ReadonlyMap<string, Definition> | undefined): readonly Definition[] {
  if (ofKind === undefined) return none;
  let list = sortedLists.get(ofKind);
  if (list === undefined) {
    list = [...ofKind].toSorted(byKey).map(([, definition]) => definition);
    sortedLists.set(ofKind, list);
  }
  return list;
}

type KeyOf<Spec> = (definition: Definition<Spec>) => string;

const groups = new WeakMap<readonly Definition[], Map<KeyOf<never>, ReadonlyMap<string, readonly Definition[]>>>();

/**
 * The definitions of one kind by a key of theirs: made once per list and `keyOf`, which is one function for good. A check of each
 * against all others would otherwise cost the square of a mesh.
 */
export function groupedBy<Spec>(
  list: readonly Definition<Spec>[],
  keyOf: KeyOf<Spec>,
): ReadonlyMap<string, readonly Definition<Spec>[]> {
  const ofList = groups.get(list) ?? new Map<KeyOf<never>, ReadonlyMap<string, readonly Definition[]>>();
  groups.set(list, ofList);
  const known = ofList.get(keyOf);
  if (known !== undefined) return known as ReadonlyMap<string, readonly Definition<Spec>[]>; // of this very list
  const made = new Map<string, Definition<Spec>[]>();
  for (const definition of list) {
    const key = keyOf(definition);
    const group = made.get(key);
    if (group === undefined) made.set(key, [definition]);
    else group.push(definition);
  }
  ofList.set(keyOf, made);
  return made;
}
