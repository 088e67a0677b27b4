/** One patch of a list: where it puts, what it takes away, what it merges. */
import type { PatchOperation } from '../../dsl/envoy-filter-shape.js';
import { MeshError } from '../../runtime/mesh-error.js';
import { type Form, mergeForm } from '../../xds/proto-form.js';

export interface ListEdit<Element> {
  readonly operation: PatchOperation;
  readonly value: Form;
  /** Full name of an element's message. */
  readonly message: string;
  readonly isMatch: (element: Element) => boolean;
  /** Does the patch name an element? Without one, INSERT_BEFORE is at the beginning and INSERT_AFTER at the end. */
  readonly isAnchored: boolean;
  /** The last one ends the list for good: nothing can stand behind it. */
  readonly isLastFixed?: boolean;
}

/** The same list when nothing changes. */
export function editList<Element extends object>(
  list: readonly Element[],
  edit: ListEdit<Element>,
): readonly Element[] {
  const { operation } = edit;
  switch (operation) {
    case 'ADD':
      return inserted(list, endOf(list, edit), edit);
    case 'INSERT_FIRST':
      return inserted(list, 0, edit);
    case 'INSERT_BEFORE': {
      const anchor = edit.isAnchored ? list.findIndex(edit.isMatch) : 0;
      return anchor === -1 ? list : inserted(list, anchor, edit);
    }
    case 'INSERT_AFTER': {
      const anchor = edit.isAnchored ? list.findIndex(edit.isMatch) : endOf(list, edit) - 1;
      return anchor === -1 && edit.isAnchored ? list : inserted(list, anchor + 1, edit);
    }
    case 'REPLACE':
      return mapped(list, (element) => (edit.isMatch(element) ? (edit.value as Element) : element)); // read as its message
    case 'REMOVE': {
      const left = list.filter((element) => !edit.isMatch(element));
      return left.length === list.length ? list : left;
    }
    case 'MERGE':
    case 'MERGE_AND_REPLACE_LIST':
      return mapped(list, (element) => (edit.isMatch(element) ? merged(element, edit) : element));
  }
}

export function merged<Element extends object>(
  element: Element,
  { operation, value, message }: Pick<ListEdit<Element>, 'operation' | 'value' | 'message'>,
): Element {
  const lists = operation === 'MERGE' ? 'append' : 'replace';
  return mergeForm(message, element as Form, value, lists) as Element; // of the same message
}

/** The same list when no element changes. */
export function mapped<Element extends object>(
  list: readonly Element[],
  change: (element: Element) => Element,
): readonly Element[] {
  const changed = list.map(change);
  return changed.every((element, i) => element === list[i]) ? list : changed;
}

function endOf<Element>(list: readonly Element[], { isLastFixed = false }: ListEdit<Element>): number {
  return isLastFixed ? Math.max(0, list.length - 1) : list.length;
}

function inserted<Element>(list: readonly Element[], at: number, edit: ListEdit<Element>): readonly Element[] {
  if (at > endOf(list, edit)) throw new MeshError('MESH2000', 'nothing can stand behind the last filter');
  return [...list.slice(0, at), edit.value as Element, ...list.slice(at)]; // read as its message
}
