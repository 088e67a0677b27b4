/** By a key in code-unit order, computed once for each item. */
export function sortedBy<Item>(key: (item: Item) => string, items: readonly Item[]): Item[] {
  const keyed = items.map((item) => [key(item), item] as const);
  return keyed.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, item]) => item);
}
