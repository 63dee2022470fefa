import { Signal } from '../resilience/signal.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import { QueueMemory } from './queue-memory.js';
import type { ShadowEvent } from './subscription.js';

const event = (bytes: number): ShadowEvent => ({ kind: 'initial', record: { bytes } as ShadowRecord, cursor: null });

describe('QueueMemory', () => {
  it('counts a record once, however many queues hold it', () => {
    const memory = new QueueMemory(1_000_000);
    const held = event(10_000);
    memory.hold(held);
    const once = memory.used;
    for (let i = 0; i < 9; i++) memory.hold(held);
    expect(memory.used - once).toBeLessThan(1_000);
    for (let i = 0; i < 10; i++) memory.release(held);
    expect(memory.used).toBe(0);
  });

  it('wakes those that wait as soon as there is room, and not before', async () => {
    const memory = new QueueMemory(100_000);
    const events = [event(25_000), event(25_000)];
    for (const each of events) memory.hold(each);
    expect([memory.isScarce, memory.isExceeded, memory.hasRoom]).toEqual([true, true, false]);
    const signal = new Signal();
    const stop = memory.onRoom(signal);
    const roomy = signal.until(() => memory.hasRoom);
    memory.release(events[0]!);
    expect(memory.hasRoom).toBe(false);
    memory.release(events[1]!);
    await roomy;
    stop();
    expect([memory.isScarce, memory.used]).toEqual([false, 0]);
  });
});
