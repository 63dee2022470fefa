/** From so many values on a Set holds them: a list is copied with each that comes or goes. */
const MANY = 16;

/** A list is replaced, never changed, and a Set may change while it is visited: a visit goes on safely while values come and go. */
export type Several<T> = readonly T[] | Set<T>;

/** Different values, of which there is mostly none or one. Values are no lists, no Sets, and not null. */
export type Few<T> = T | Several<T> | null;

export function isSeveral<T>(few: Few<T>): few is Several<T> {
  return Array.isArray(few) || few instanceof Set;
}

export function plus<T>(few: Few<T>, value: T): Few<T> {
  if (few === null) return value;
  if (!isSeveral(few)) return [few, value];
  if (few instanceof Set) return few.add(value);
  return few.length < MANY ? [...few, value] : new Set(few).add(value);
}

export function minus<T>(few: Few<T>, value: T): Few<T> {
  if (!isSeveral(few)) return few === value ? null : few;
  if (few instanceof Set) {
    few.delete(value);
    return few.size > MANY / 2 ? few : [...few];
  }
  const left = few.filter((each) => each !== value);
  return left.length > 1 ? left : (left[0] ?? null);
}

/** The value that is there longest. */
export function firstOf<T>(few: T | Several<T>): T {
  if (!isSeveral<T>(few)) return few;
  const [first] = few;
  return first as T;
}

/** The values of both; they have none in common. */
export function both<T>(one: Few<T>, other: Few<T>): Few<T> {
  if (one === null || other === null) return one ?? other;
  return [...listOf(one), ...listOf(other)];
}

/** Calls `visit` with each value until it returns true; whether it did. */
export function someOf<T>(few: Few<T>, visit: (value: T) => boolean): boolean {
  if (few === null) return false;
  if (!isSeveral(few)) return visit(few);
  for (const each of few) if (visit(each)) return true;
  return false;
}

function listOf<T>(few: T | Several<T>): Several<T> {
  return isSeveral<T>(few) ? few : [few];
}
