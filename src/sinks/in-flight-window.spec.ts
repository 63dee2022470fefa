import { jest } from '@jest/globals';
import { InFlightWindow } from './in-flight-window.js';

const at = (revision: number) => ({ cluster: 'c', epoch: 0, revision });

function work(): { promise: Promise<void>; finish: () => Promise<void> } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return {
    promise,
    finish: async () => {
      resolve();
      await promise;
      await Promise.resolve();
    },
  };
}

const openWindow = (limit = 10, limitBytes?: number) => {
  const abort = new AbortController();
  return { abort, window: new InFlightWindow(at(1), limit, abort.signal, limitBytes) };
};

describe('InFlightWindow', () => {
  it('is done up to the first position of which something is open', async () => {
    const { window } = openWindow();
    const [a, b, c] = [work(), work(), work()];
    window.add(at(2), a.promise);
    window.add(at(2), b.promise);
    window.whole(at(2));
    window.add(at(3), c.promise);
    window.whole(at(3));
    await c.finish();
    await a.finish();
    expect(window.done).toEqual(at(1));
    await b.finish();
    expect(window.done).toEqual(at(3));
  });

  it('has no room while the records in flight are as large as they may be', async () => {
    const { window } = openWindow(10, 100);
    const [a, b] = [work(), work()];
    window.add(at(2), a.promise, 0, 60);
    await window.room();
    window.add(at(3), b.promise, 0, 60);
    let hasRoom = false;
    const room = window.room().then(() => (hasRoom = true));
    await Promise.resolve();
    expect(hasRoom).toBe(false);
    await a.finish();
    await room;
  });

  it('is not done with a position of which more may come', async () => {
    const { window } = openWindow();
    const a = work();
    window.add(at(2), a.promise);
    await a.finish();
    expect(window.done).toEqual(at(1));
    window.whole(at(2));
    expect(window.done).toEqual(at(2));
  });

  it('moves with what is not for us, but not past what is open', async () => {
    const { window } = openWindow();
    window.whole(at(5));
    expect(window.done).toEqual(at(5));
    const a = work();
    window.add(at(6), a.promise);
    window.whole(at(6));
    for (let revision = 7; revision < 50; revision++) window.whole(at(revision));
    expect(window.done).toEqual(at(5));
    await a.finish();
    expect(window.done).toEqual(at(49));
  });

  it('stays small behind one change that is stuck, and moves past all when that is done', async () => {
    const { window } = openWindow(4);
    const stuck = work();
    window.add(at(2), stuck.promise);
    window.whole(at(2));
    let open = work();
    for (let revision = 3; revision < 100; revision++) {
      const next = work();
      window.add(at(revision), next.promise);
      window.whole(at(revision));
      if (revision > 3) await open.finish();
      open = next;
      expect(window.size).toBeLessThanOrEqual(9);
    }
    expect(window.done).toEqual(at(1));
    await stuck.finish();
    expect(window.done.revision).toBeLessThan(99);
    await open.finish();
    expect(window.done).toEqual(at(99));
  });

  it('has room below its limit, and lets go at the end', async () => {
    const { window, abort } = openWindow(1);
    const a = work();
    window.add(at(2), a.promise);
    let room = 0;
    const waiting = window.room().then(() => room++);
    await Promise.resolve();
    expect(room).toBe(0);
    await a.finish();
    await waiting;
    expect(room).toBe(1);
    window.add(at(3), work().promise);
    const ended = window.room();
    abort.abort();
    await ended;
  });

  it('tells when a revision is reached, and does not wait past the limit or the end', async () => {
    const { abort, window } = openWindow();
    const [a, b] = [work(), work()];
    window.add(at(2), a.promise);
    window.whole(at(2));
    window.add(at(3), b.promise);
    let reached = false;
    const waiting = window.reached(2, 60_000).then(() => (reached = true));
    await Promise.resolve();
    expect(reached).toBe(false);
    await a.finish();
    await waiting;
    await window.reached(3, 10);
    expect(window.done).toEqual(at(2));
    const ended = window.reached(3, 60_000);
    abort.abort();
    await ended;
    expect(await window.settled(60_000, true)).toBe(false);
  });

  it.each(['settled', 'reached'] as const)(
    'ends %s when its timer fires, though a clock may be behind it',
    async (wait) => {
      const { window } = openWindow();
      window.add(at(2), work().promise);
      const clock = jest.spyOn(performance, 'now').mockReturnValue(0);
      try {
        await (wait === 'settled' ? window.settled(5) : window.reached(2, 5));
      } finally {
        clock.mockRestore();
      }
      expect(window.done).toEqual(at(1));
    },
  );
});
