/** The last so many that were added. */
export class RecentSet<Value> {
  readonly #values = new Set<Value>();

  constructor(readonly most: number) {}

  has(value: Value): boolean {
    return this.#values.has(value);
  }

  add(value: Value): void {
    this.#values.add(value);
    const [oldest] = this.#values;
    if (this.#values.size > this.most && oldest !== undefined) this.#values.delete(oldest);
  }

  delete(value: Value): void {
    this.#values.delete(value);
  }
}
