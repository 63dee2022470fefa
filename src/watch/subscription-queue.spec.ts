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

describe('SubscriptionQueue.each', () => {
  /** What a visitor was given, by revision; it answers each with what `answer` says. */
  function visitor(answer: (revision: number) => boolean | Promise<boolean>) {
    const seen: number[] = [];
    return { seen, visit: (event: ShadowEvent) => (seen.push(event.cursor!.revision), answer(event.cursor!.revision)) };
  }

  it('hands over what waits and what comes, at once and in order', async () => {
    const queue = queueOf();
    queue.push(change(2));
    const { seen, visit } = visitor(() => true);
    const over = queue.each(visit);
    expect(seen).toEqual([2]);
    for (const revision of [3, 4, 5, 6]) queue.push(change(revision));
    expect([seen, queue.size]).toEqual([[2, 3, 4, 5, 6], 0]);
    queue.end('draining');
    expect(await over).toBe(true);
  });

  it('keeps what comes for a busy visitor within its bound, and hands it over after the end', async () => {
    const queue = queueOf();
    let free: (isOpen: boolean) => void = () => undefined;
    const { seen, visit } = visitor((revision) => revision !== 2 || new Promise((resolve) => (free = resolve)));
    const over = queue.each(visit);
    for (const revision of [2, 3, 4]) queue.push(change(revision));
    expect([seen, queue.size]).toEqual([[2], 2]);
    queue.end('draining');
    free(true);
    expect(await over).toBe(true);
    expect(seen).toEqual([2, 3, 4]);
  });

  it('hands over after the end whatever number of events waits', async () => {
    const queue = queueOf({ maxQueued: 20_000 });
    queue.goLive();
    let free: (isOpen: boolean) => void = () => undefined;
    const { seen, visit } = visitor((revision) => revision !== 2 || new Promise((resolve) => (free = resolve)));
    const over = queue.each(visit);
    for (let revision = 2; revision < 20_000; revision++) queue.push(change(revision));
    queue.end('draining');
    free(true);
    expect(await over).toBe(true);
    expect(seen).toHaveLength(19_998);
  });

  it('ends a busy visitor that is too slow without what waited', async () => {
    const queue = queueOf();
    let free: (isOpen: boolean) => void = () => undefined;
    const { seen, visit } = visitor(() => new Promise((resolve) => (free = resolve)));
    const over = queue.each(visit);
    for (const revision of [2, 3, 4, 5]) queue.push(change(revision));
    expect(await queue.ended).toBe('too-slow');
    free(true);
    expect(await over).toBe(true);
    expect(seen).toEqual([2]);
  });

  it.each([
    ['a visitor that wants no more', () => false],
    ['one that finds out later', () => Promise.resolve(false)],
  ])('gives nothing more to %s', async (_what, answer) => {
    const queue = queueOf();
    const { seen, visit } = visitor(answer);
    const over = queue.each(visit);
    queue.push(change(2));
    expect(await over).toBe(false);
    queue.push(change(3));
    expect(seen).toEqual([2]);
  });

  it('ends where the visitor itself ends the subscription', async () => {
    const queue = queueOf();
    const over = queue.each(() => (queue.close(), true));
    queue.push(change(2));
    queue.push(change(3));
    expect(await over).toBe(true);
  });

  it('is over at once when the subscription had ended', async () => {
    const queue = queueOf();
    queue.end('compacted');
    expect(await queue.each(() => true)).toBe(true);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('passes on what the visitor %s, and nothing of it to who pushes', async (_how, answer) => {
    const queue = queueOf();
    const over = queue.each(answer);
    queue.push(change(2));
    queue.push(change(3));
    await expect(over).rejects.toThrow('broken');
  });
});
