/** Pure functions that remember what they made, by the identity of their arguments, for as long as those live. */

import { MadeOf } from '../../runtime/made-of.js';

export type Argument = object | string | number | boolean | undefined;

interface Place<Result> {
  result: { readonly value: Result } | undefined;
  objects: WeakMap<object, Place<Result>> | undefined;
  primitives: Map<Argument, Place<Result>> | undefined;
}

/**
 * The same arguments give the same object. The first argument must be an object: it holds all that hangs below it, and when
 * nobody else knows it any more, the collector takes both. So there is no bound to choose and nothing to invalidate.
 */
export function remember<Arguments extends readonly [object, ...Argument[]], Result>(
  make: (...args: Arguments) => Result,
): (...args: Arguments) => Result {
  const root = emptyPlace<Result>();
  return (...args) => {
    let place = root;
    for (const argument of args) place = placeBelow(place, argument);
    place.result ??= { value: make(...args) };
    return place.result.value;
  };
}

function emptyPlace<Result>(): Place<Result> {
  return { result: undefined, objects: undefined, primitives: undefined };
}

function placeBelow<Result>(place: Place<Result>, argument: Argument): Place<Result> {
  let next: Place<Result> | undefined;
  if (typeof argument === 'object') {
    place.objects ??= new WeakMap();
    next = place.objects.get(argument);
    if (next === undefined) place.objects.set(argument, (next = emptyPlace()));
    return next;
  }
  place.primitives ??= new Map();
  next = place.primitives.get(argument);
  if (next === undefined) place.primitives.set(argument, (next = emptyPlace()));
  return next;
}

const nothing: readonly never[] = [];
const listOf = remember((...elements: readonly [object, ...object[]]): readonly object[] => elements);

/** Lists of the same elements become the same list, so that they can be an argument of what `remember` made. */
export function sameList<Element extends object>(elements: readonly Element[]): readonly Element[] {
  const [first, ...rest] = elements;
  if (first === undefined) return nothing;
  return listOf(first, ...rest) as readonly Element[]; // made from elements of this very type
}

const contents = new MadeOf<object>();
/** What was answered already needs no look at its content. */
const answered = new WeakSet<object>();

/** Equal JSON becomes one object, for as long as somebody has it: what was made for each of many is then kept and encoded once. */
export function sameContent<Value extends object>(value: Value): Value {
  if (answered.has(value)) return value;
  const same = contents.get(JSON.stringify(value), () => value);
  answered.add(same);
  return same as Value; // of the same content
}
