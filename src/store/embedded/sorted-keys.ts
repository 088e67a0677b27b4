/**
 * Keys in the order of their bytes. Keys are bytes written as latin1 text, one character per byte, so that comparing text
 * compares bytes. Chunks keep an insertion cheap among a hundred thousand keys.
 */
const MAX_CHUNK_KEYS = 512;

export class SortedKeys {
  readonly #chunks: string[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(key: string): void {
    const at = Math.max(0, this.#chunkOf(key));
    const chunk = this.#chunks[at];
    if (!chunk) {
      this.#chunks.push([key]);
    } else {
      const index = lowerBound(chunk, key);
      if (chunk[index] === key) return;
      chunk.splice(index, 0, key);
      if (chunk.length > MAX_CHUNK_KEYS) this.#chunks.splice(at + 1, 0, chunk.splice(MAX_CHUNK_KEYS / 2));
    }
    this.#size++;
  }

  delete(key: string): void {
    const at = this.#chunkOf(key);
    const chunk = this.#chunks[at];
    const index = chunk ? lowerBound(chunk, key) : -1;
    if (!chunk || chunk[index] !== key) return;
    chunk.splice(index, 1);
    if (chunk.length === 0) this.#chunks.splice(at, 1);
    this.#size--;
  }

  /** From `start` on, below `end` when there is one, ascending. */
  *range(start: string, end: string | undefined): Generator<string> {
    for (let at = Math.max(0, this.#chunkOf(start)); at < this.#chunks.length; at++) {
      const chunk = this.#chunks[at] ?? [];
      for (let index = lowerBound(chunk, start); index < chunk.length; index++) {
        const key = chunk[index] as string; // within the bounds
        if (end !== undefined && key >= end) return;
        yield key;
      }
    }
  }

  /** The last chunk whose first key is not after this key; -1 when the key is before all. */
  #chunkOf(key: string): number {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#chunks[middle]?.[0] ?? '') <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
