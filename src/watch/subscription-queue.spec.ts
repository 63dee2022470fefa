import type { ShadowRecord } from '../store/shadow-store.js';
import type { Cursor, ShadowEvent } from './subscription.js';
import { QueueMemory } from './queue-memory.js';
import { SubscriptionQueue, type QueueOptions } from './subscription-queue.js';

const at = (revision: number, seen: number | null = null): Cursor => ({ cluster: 'c', epoch: 0, revision, seen });
const change = (revision: number): ShadowEvent => ({
  kind: 'change',
  record: {} as ShadowRecord,
  cursor: at(revision),
});
const bookmark: ShadowEvent = { kind: 'bookmark', cursor: at(1) };

function queueOf(options: Partial<QueueOptions> = {}): SubscriptionQueue {
  return new SubscriptionQueue({
    filter: { tenant: 't' },
    maxQueued: 2,
    onGap: 'end',
    memory: new QueueMemory(1024 ** 3),
    onEnd: () => undefined,
    ...options,
  });
}

async function drain(queue: SubscriptionQueue): Promise<(number | string)[]> {
  const seen: (number | string)[] = [];
  for await (const event of queue) seen.push(event.kind === 'change' ? event.cursor.revision : event.kind);
  return seen;
}

describe('SubscriptionQueue', () => {
  it('holds as many records as it may, bookmarks aside, and ends at one more without them', async () => {
    const queue = queueOf();
    for (const event of [bookmark, change(2), change(3)]) queue.push(event);
    expect([queue.isEnded, queue.size]).toEqual([false, 2]);
    queue.push(change(4));
    expect(await queue.ended).toBe('too-slow');
    expect(await drain(queue)).toEqual([]);
  });

  it('counts bytes too, but always holds one record, however large', async () => {
    const large = (revision: number): ShadowEvent => ({
      kind: 'change',
      record: { bytes: 100 * 1024 } as ShadowRecord,
      cursor: at(revision),
    });
    const queue = queueOf({ maxQueued: 100 });
    queue.goLive();
    for (let revision = 2; revision <= 5; revision++) queue.push(large(revision));
    expect([queue.isFull, queue.size]).toEqual([true, 4]);
    await queue.next();
    await queue.next();
    expect(await queue.room(60_000)).toBe(true);
    for (let revision = 6; revision <= 8; revision++) queue.push(large(revision));
    expect(await queue.ended).toBe('too-slow');
    const small = queueOf({ maxQueued: 1 });
    small.push(large(2));
    expect(small.isEnded).toBe(false);
  });

  it.each(['compacted', 'epoch-changed', 'draining'] as const)('is read to its end after %s', async (reason) => {
    const queue = queueOf();
    queue.push(change(2));
    queue.end(reason);
    queue.push(change(3));
    expect(await drain(queue)).toEqual([2]);
    expect(await queue.ended).toBe(reason);
  });

  it('finds room for the news of a gap', async () => {
    const queue = queueOf({ onGap: 'notify' });
    queue.push(change(2));
    queue.push(change(3));
    queue.gap('compacted', at(9));
    queue.push(change(10));
    queue.end('draining');
    expect(await drain(queue)).toEqual(['gap', 10]);
  });

  it('serves reads that were made ahead, in order, and ends those that wait', async () => {
    const queue = queueOf();
    const reads = [queue.next(), queue.next(), queue.next()];
    queue.push(change(2));
    queue.push(change(3));
    queue.close();
    const results = await Promise.all(reads);
    expect(results.map((result) => (result.done ? 'done' : result.value.cursor?.revision))).toEqual([2, 3, 'done']);
  });

  it('wants exactly what comes after its start', () => {
    const queue = queueOf();
    queue.startAfter(at(5, 2));
    const table: [number, number, boolean][] = [
      [4, 9, false],
      [5, 1, false],
      [5, 2, true],
      [6, 0, true],
    ];
    for (const [revision, index, wanted] of table) expect(queue.wants(revision, index)).toBe(wanted);
    queue.startAfter(at(5));
    expect(queue.wants(5, 99)).toBe(false);
  });

  it('tells about its end once, aborts its signal, and leaves nothing waiting for room', async () => {
    const ends: SubscriptionQueue[] = [];
    const queue = queueOf({ onEnd: (ended) => ends.push(ended) });
    const { signal } = queue;
    queue.push(change(2));
    queue.push(change(3));
    const room = queue.room(60_000);
    queue.close();
    queue.close();
    expect(await room).toBe(true);
    expect(signal.aborted).toBe(true);
    expect(ends).toEqual([queue]);
  });
});
