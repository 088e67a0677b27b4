/** Edits of an immutable map: the first real change copies it, and a map that was not changed stays the same object. */
export interface MapEdit<Key, Value> {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  delete(key: Key): void;
  /** The original when nothing was changed. */
  done(): ReadonlyMap<Key, Value>;
}

export function editMap<Key, Value>(original: ReadonlyMap<Key, Value>): MapEdit<Key, Value> {
  let copy: Map<Key, Value> | undefined;
  const current = (): ReadonlyMap<Key, Value> => copy ?? original;
  const writable = (): Map<Key, Value> => (copy ??= new Map(original));
  return {
    get: (key) => current().get(key),
    set(key, value) {
      if (current().get(key) !== value) writable().set(key, value);
    },
    delete(key) {
      if (current().has(key)) writable().delete(key);
    },
    done: current,
  };
}
