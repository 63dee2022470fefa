import type { Position } from '../store/position.js';
import { isReadable, matches, type FeedBatch } from '../store/shadow-feed.js';
import type { SubscriptionQueue } from './subscription-queue.js';
import type { Cursor, ShadowEvent } from './subscription.js';

/** The cursor of a reader that has everything up to and with a position. No errors. */
export const allSeen = ({ cluster, epoch, revision }: Position): Cursor => ({ cluster, epoch, revision, seen: null });

/** The position from which the feed continues for a cursor; in the middle of a revision it repeats that one. No errors. */
export const startOf = ({ cluster, epoch, revision, seen }: Cursor): Position => ({
  cluster,
  epoch,
  revision: seen === null ? revision : Math.max(0, revision - 1),
});

/**
 * The record at `index` of a batch as an event, whose cursor resumes right after it; null when there is none, or when
 * it is not readable. It parses the record, so ask first whether anybody wants it. No errors.
 */
export function eventAt({ position, records }: FeedBatch, index: number): ShadowEvent | null {
  const record = records[index];
  if (!record || !isReadable(record)) return null;
  record.keep?.();
  const { cluster, epoch, revision } = position;
  const seen = index + 1 < records.length ? index + 1 : null;
  return { kind: 'change', record, cursor: { cluster, epoch, revision, seen } };
}

/**
 * Pushes the records of a batch from `index` on that the filter of the queue matches. Stops where the queue is full;
 * the result is the cursor that was reached. No errors.
 */
export function deliver(batch: FeedBatch, index: number, queue: SubscriptionQueue): Cursor {
  const { position, records } = batch;
  for (let at = index; at < records.length; at++) {
    const record = records[at];
    if (!record || !matches(queue.filter, record.key)) continue;
    if (queue.isFull) return { ...allSeen(position), seen: at };
    const event = eventAt(batch, at);
    if (event) queue.push(event);
  }
  return allSeen(position);
}
