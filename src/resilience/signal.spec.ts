import { getEventListeners } from 'node:events';
import { Signal } from './signal.js';

describe('Signal', () => {
  it('wakes all who wait, once', async () => {
    const signal = new Signal();
    const waits = [signal.next(), signal.next()];
    expect(signal.waiting).toBe(2);
    signal.notify();
    await Promise.all(waits);
    expect(signal.waiting).toBe(0);
  });

  it('ends a wait by abort and by time, and leaves nothing behind', async () => {
    const signal = new Signal();
    const abort = new AbortController();
    const aborted = signal.next({ signal: abort.signal, limitMs: 60_000 });
    abort.abort();
    await aborted;
    await signal.next({ signal: abort.signal });
    await signal.next({ limitMs: 1 });
    expect(signal.waiting).toBe(0);
    expect(getEventListeners(abort.signal, 'abort')).toHaveLength(0);
  });

  it('until() looks again after each notify', async () => {
    const signal = new Signal();
    let count = 0;
    const reached = signal.until(() => count === 2);
    for (const next of [1, 2]) {
      count = next;
      signal.notify();
      await Promise.resolve();
    }
    await expect(reached).resolves.toBe(true);
  });

  it('until() resolves with false when time is over or the caller has gone', async () => {
    const signal = new Signal();
    await expect(signal.until(() => false, { limitMs: 1 })).resolves.toBe(false);
    await expect(signal.until(() => false, { signal: AbortSignal.abort() })).resolves.toBe(false);
    expect(signal.waiting).toBe(0);
  });
});
