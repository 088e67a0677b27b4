/** What was made lately of a text, for what is pure and costs something. Of what nobody has asked for in a while, nothing is kept. */
export class Recent<Value> {
  readonly #atMost: number;
  #young = new Map<string, Value>();
  #old: ReadonlyMap<string, Value> = new Map();

  /** Twice as many may be held. */
  constructor(atMost: number) {
    this.#atMost = atMost;
  }

  get(text: string, make: () => Value): Value {
    const young = this.#young.get(text);
    if (young !== undefined) return young;
    const value = this.#old.get(text) ?? make();
    this.#young.set(text, value);
    if (this.#young.size >= this.#atMost) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    return value;
  }
}
