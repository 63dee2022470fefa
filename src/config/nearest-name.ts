import { distance } from 'fastest-levenshtein';

/** Edits of a typing error at most; a greater distance means another word. */
const MAX_EDITS = 5;

/** The known name that is closest to `name`, or null when none is close enough. */
export function nearestName<N extends string>(name: string, known: readonly N[]): N | null {
  let best: N | null = null;
  let least = MAX_EDITS + 1;
  // Bounds the work, because the environment can contain names of any length.
  for (const candidate of known.filter((other) => Math.abs(other.length - name.length) <= MAX_EDITS)) {
    const edits = distance(name, candidate);
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best;
}
