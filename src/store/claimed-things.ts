/** What a lease is about: names of things, and prefixes that end with an asterisk. */
export interface ClaimedThings {
  readonly things: readonly string[];
}

/** Whether it is about the thing. No errors. */
export function covers({ things }: ClaimedThings, thing: string): boolean {
  return things.some((each) => (isPrefix(each) ? thing.startsWith(stem(each)) : thing === each));
}

/** Whether an entry names all things that begin so. No errors. */
export const isPrefix = (each: string): boolean => each.endsWith('*');

/** A prefix without its asterisk. No errors. */
export const stem = (prefix: string): string => prefix.slice(0, -1);
