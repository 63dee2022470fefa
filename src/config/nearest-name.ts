import { distance } from 'fastest-levenshtein';

/** More than this many edits apart is another word, not a typing error. */
const MAX_EDITS = 5;

/** The known name that `name` was most likely meant to be, or null. */
export function nearestName<N extends string>(name: string, known: readonly N[]): N | null {
  let best: N | null = null;
  let least = MAX_EDITS + 1;
  // An environment may hold anything: the work is bounded before it is done.
  for (const candidate of known.filter((other) => Math.abs(other.length - name.length) <= MAX_EDITS)) {
    const edits = distance(name, candidate);
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best;
}
