/** What was made of a text, for as long as somebody has it: the same text then gives the same object. */
export class MadeOf<Value extends object> {
  readonly #made = new Map<string, WeakRef<Value>>();
  readonly #gone = new FinalizationRegistry<string>((text) => {
    if (this.#made.get(text)?.deref() === undefined) this.#made.delete(text);
  });

  get(text: string, make: () => Value): Value {
    const earlier = this.#made.get(text)?.deref();
    if (earlier !== undefined) return earlier;
    const value = make();
    this.#made.set(text, new WeakRef(value));
    this.#gone.register(value, text);
    return value;
  }
}
