import { StoreReaderLimit } from './store-reader-limit.js';

const never = new AbortController().signal;

describe('StoreReaderLimit', () => {
  it('gives turns in order, each place once, however often an end is called', async () => {
    const turns = new StoreReaderLimit(1);
    const order: string[] = [];
    const first = await turns.acquire(never);
    const second = turns.acquire(never).then((end) => (order.push('second'), end));
    const third = turns.acquire(never).then((end) => (order.push('third'), end));
    expect(turns.waiting).toBe(2);
    first?.();
    first?.();
    const end = await second;
    expect(order).toEqual(['second']);
    end?.();
    (await third)?.();
    expect(order).toEqual(['second', 'third']);
    expect(await turns.acquire(never)).toBeInstanceOf(Function);
  });

  it('forgets those that leave', async () => {
    const turns = new StoreReaderLimit(1);
    const end = await turns.acquire(never);
    const leaving = new AbortController();
    const left = turns.acquire(leaving.signal);
    const stays = turns.acquire(never);
    leaving.abort();
    expect(await left).toBeNull();
    end?.();
    expect(await stays).toBeInstanceOf(Function);
    expect(turns.waiting).toBe(0);
    expect(await turns.acquire(leaving.signal)).toBeNull();
  });

  it('lets a lone reader work on, and several rest the longer, the more of them there are', async () => {
    const limit = new StoreReaderLimit(2);
    const { signal } = new AbortController();
    const first = await limit.acquire(signal);
    expect(limit.restMs(10)).toBe(0);
    await limit.acquire(signal);
    expect(limit.restMs(10)).toBe(10);
    const third = limit.acquire(signal);
    expect(limit.restMs(10)).toBe(40);
    expect(limit.restMs(1_000)).toBe(100);
    first?.();
    await third;
    expect(limit.restMs(10)).toBe(10);
  });
});
