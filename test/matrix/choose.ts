import { ProfileFault } from './profile.js';

/** Those of a list that an option names, in the order of the list; all where it names none. @throws ProfileFault */
export function choose<T>(
  option: string,
  given: string | undefined,
  all: readonly T[],
  nameOf: (each: T) => string,
): readonly T[] {
  if (given === undefined) return all;
  const names = given.split(',').map((name) => name.trim());
  const known = all.map(nameOf);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new ProfileFault(`${option}: ${unknown} is none of ${known.join(', ')}`);
  return all.filter((each) => names.includes(nameOf(each)));
}
