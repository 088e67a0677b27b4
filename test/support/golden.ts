/** Cases of Istio as data, compared by meaning; and how much of what we make the comparison sees. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export type Json = Readonly<Record<string, unknown>>;

const folder = path.resolve(import.meta.dirname, '../../fixtures/conformance/istio/golden');

/** One case per line; `line` is changed before it is read. */
export function goldenCases<Case>(file: string, line: (text: string) => string = (text) => text): readonly Case[] {
  const lines = readFileSync(path.join(folder, file), 'utf8').trim().split('\n');
  return lines.map((text) => JSON.parse(line(text)) as Case);
}

/** Whatever the order of keys. */
export const isEqual = (a: unknown, b: unknown): boolean => sorted(a) === sorted(b);

function sorted(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** How many one-field changes of these values were made, and which of them the normal form does not show. */
export function unseenMutants<Value extends object>(
  values: readonly (readonly [name: string, value: Value])[],
  normal: (value: Value, name: string) => unknown,
): { readonly mutants: number; readonly unseen: readonly string[] } {
  const unseen: string[] = [];
  let mutants = 0;
  for (const [name, value] of values) {
    const before = normal(value, name);
    for (const mutant of mutantsOf(value)) {
      mutants += 1;
      if (!isSeen(before, () => normal(mutant.value, name))) unseen.push(`${name}: ${mutant.what}`);
    }
  }
  return { mutants, unseen };
}

/** Envoy's types may refuse it, which is seen too. */
function isSeen(before: unknown, normal: () => unknown): boolean {
  try {
    return !isEqual(before, normal());
  } catch {
    return true;
  }
}

interface Mutant<Value> {
  readonly what: string;
  readonly value: Value;
}

function mutantsOf<Value extends object>(value: Value): readonly Mutant<Value>[] {
  return leavesOf(value, []).flatMap((at) => {
    const what = at.join('.');
    return [
      { what: `${what} changed`, value: withLeaf(value, at, 'change') },
      { what: `${what} removed`, value: withLeaf(value, at, 'remove') },
    ];
  });
}

type At = readonly (string | number)[];

function leavesOf(value: unknown, at: At): readonly At[] {
  if (value === undefined) return [];
  if (value === null || typeof value !== 'object') return [at];
  if (Array.isArray(value)) return value.flatMap((inner, i) => leavesOf(inner, [...at, i]));
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...at, key]));
}

function withLeaf<Value extends object>(value: Value, at: At, how: 'change' | 'remove'): Value {
  const copy = JSON.parse(JSON.stringify(value)) as Value;
  const holder = at.slice(0, -1).reduce<unknown>((inner, key) => (inner as Record<string, unknown>)[key], copy);
  const last = at.at(-1) as string;
  const fields = holder as Record<string, unknown>;
  if (how === 'change') fields[last] = changed(fields[last]);
  else if (Array.isArray(holder)) holder.splice(Number(last), 1);
  else delete fields[last];
  return copy;
}

function changed(value: unknown): unknown {
  if (typeof value === 'number') return value + 1;
  if (typeof value === 'boolean') return !value;
  const text = String(value);
  return /^[\d.]+s$/.test(text) ? `1${text}` : `${text}x`;
}
