/** More than this many edits apart is another word, not a typing error. */
const MAX_EDITS = 5;

/** The known name that `name` was most likely meant to be, or null. */
export function nearestName(name: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let least = MAX_EDITS + 1;
  // An environment may hold anything: the work is bounded before it is done.
  for (const candidate of known.filter((other) => Math.abs(other.length - name.length) <= MAX_EDITS)) {
    const edits = editDistance(name, candidate);
    if (edits < least) [best, least] = [candidate, edits];
  }
  return best;
}

/** Levenshtein distance. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
