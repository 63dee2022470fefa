import type { Redis } from 'ioredis';
import { STREAM } from './redis-connection.js';

/** An event of the stream: its id is the revision, and its place among the changes of that. */
export type Entry = [id: Buffer, fields: Buffer[]];

/** Entries of one answer; a revision has fewer. */
export const PAGE = 1000;
/** Behind every entry of a revision. */
const LAST = '18446744073709551615';

export const revisionOf = ([id]: Entry): number => Number.parseInt(id.toString(), 10);

/** Where a reader goes on who has the whole of the revision. */
export const after = (revision: number): string => `${revision}-${LAST}`;

/**
 * Whole revisions: the entries of one are written in one step, but an answer that is full may end within it.
 * @returns each with its entries, in order. No errors.
 */
export function wholeRevisions(entries: readonly Entry[]): Map<number, Entry[]> {
  const revisions = new Map<number, Entry[]>();
  for (const entry of entries) {
    const revision = revisionOf(entry);
    const known = revisions.get(revision);
    if (known) known.push(entry);
    else revisions.set(revision, [entry]);
  }
  const [last] = entries.slice(-1);
  if (last && entries.length === PAGE) revisions.delete(revisionOf(last));
  return revisions;
}

/** Whether the stream may have lost an entry of a revision after this one. @throws Error of the connection */
export async function isTrimmedAfter(redis: Redis, revision: number): Promise<boolean> {
  const facts = factsOf((await redis.xinfo('STREAM', STREAM).catch(missing)) as unknown[]);
  if (facts.get('entries-added') === facts.get('length')) return false;
  const [first] = (facts.get('first-entry') ?? []) as string[];
  // With nothing left, everything up to the last one is gone.
  if (first === undefined) return Number.parseInt(String(facts.get('last-generated-id')), 10) > revision;
  return Number.parseInt(first, 10) > revision + 1;
}

/** No stream yet. */
function missing(error: Error): unknown[] {
  if (error.message.includes('no such key')) return [];
  throw error;
}

const factsOf = (list: readonly unknown[]): Map<unknown, unknown> =>
  new Map(list.flatMap((name, i) => (i % 2 === 0 ? [[name, list[i + 1]] as const] : [])));
