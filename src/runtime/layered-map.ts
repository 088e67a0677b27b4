/** Maps without common keys, seen as one. Each may be shared with many others, so that nobody pays for putting them together. */
export class LayeredMap<Value> implements ReadonlyMap<string, Value> {
  constructor(readonly layers: readonly ReadonlyMap<string, Value>[]) {}

  get size(): number {
    return this.layers.reduce((sum, layer) => sum + layer.size, 0);
  }

  get(key: string): Value | undefined {
    for (const layer of this.layers) {
      const value = layer.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  has(key: string): boolean {
    for (const layer of this.layers) if (layer.has(key)) return true;
    return false;
  }

  forEach(visit: (value: Value, key: string, map: ReadonlyMap<string, Value>) => void): void {
    for (const [key, value] of this) visit(value, key, this);
  }

  *entries(): MapIterator<[string, Value]> {
    for (const layer of this.layers) yield* layer.entries();
  }

  *keys(): MapIterator<string> {
    for (const layer of this.layers) yield* layer.keys();
  }

  *values(): MapIterator<Value> {
    for (const layer of this.layers) yield* layer.values();
  }

  [Symbol.iterator](): MapIterator<[string, Value]> {
    return this.entries();
  }
}

/** A plain map is a single layer. */
export function layersOf<Value>(map: ReadonlyMap<string, Value>): readonly ReadonlyMap<string, Value>[] {
  return map instanceof LayeredMap ? (map as LayeredMap<Value>).layers : [map];
}
