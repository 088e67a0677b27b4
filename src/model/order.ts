/**
 * Order of text by code units, as `toSorted()` has it for plain strings: no locale moves it, so the same input gives the same
 * bytes on every machine.
 */

type Compare<Item> = (a: Item, b: Item) => number;

/** For `toSorted`: by a text of each item. Equal ones stay as they stood. */
export function byText<Item>(textOf: (item: Item) => string): Compare<Item> {
  return (a, b) => {
    const [textA, textB] = [textOf(a), textOf(b)];
    if (textA === textB) return 0;
    return textA < textB ? -1 : 1;
  };
}

/** For `toSorted` of the entries of a map or of an object. */
export const byKey: Compare<readonly [string, unknown]> = byText(([key]) => key);
