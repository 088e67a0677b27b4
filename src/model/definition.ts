import type { Kind } from './kind.js';
import { byKey } from './order.js';

export interface ObjectMeta {
  readonly name: string;
  /** Absent for kinds without a namespace. */
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
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
  /** Names of a kind given by its word, in one namespace: for references, which need no shape and so no import. */
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
