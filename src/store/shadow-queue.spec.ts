import fc from 'fast-check';
import { SYSTEM_CLOCK } from '../resilience/clock.js';
import { DeadlineSweep } from '../resilience/deadline-sweep.js';
import { Histogram } from '../telemetry/recorder.js';
import { ShadowQueue } from './shadow-queue.js';

const open = (max = 10) => new ShadowQueue(max, new DeadlineSweep(SYSTEM_CLOCK));
const later = () => performance.now() + 10_000;
const gate = () => {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
};

describe('shadow queue', () => {
  it('runs the work of one shadow one after the other, in order, and keeps nothing when done', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(3)), { maxLength: 300 }),
        async (works) => {
          const queue = open(1000);
          const running = new Set<string>();
          const done: Record<string, number[]> = { a: [], b: [], c: [] };
          await Promise.all(
            works.map(([shadow, turns], i) =>
              queue.run(shadow, later(), async () => {
                expect(running.has(shadow)).toBe(false);
                running.add(shadow);
                for (let turn = 0; turn < turns; turn++) await Promise.resolve();
                running.delete(shadow);
                done[shadow]!.push(i);
              }),
            ),
          );
          for (const order of Object.values(done)) expect(order).toEqual([...order].sort((x, y) => x - y));
          expect(queue.size).toBe(0);
        },
      ),
      { numRuns: 30 },
    );
  });

  it('refuses what exceeds the line, and only in that shadow', async () => {
    const queue = open(2);
    const { open: release, opened } = gate();
    const works = [1, 2, 3].map(() => queue.run('a', later(), () => opened));
    await expect(queue.run('a', later(), () => opened)).rejects.toMatchObject({ code: 'tooManyRequests' });
    await expect(queue.run('b', later(), async () => 'b')).resolves.toBe('b');
    release();
    await Promise.all(works);
    await expect(queue.run('a', later(), async () => 'a')).resolves.toBe('a');
  });

  it('measures how long those wait that do, also in vain', async () => {
    const waits = new Histogram({ name: 'x', help: 'X.' });
    const queue = new ShadowQueue(10, new DeadlineSweep(SYSTEM_CLOCK), waits);
    const { open: release, opened } = gate();
    const first = queue.run('a', later(), () => opened);
    const second = queue.run('a', later(), async () => 2);
    const third = queue.run('a', performance.now() + 20, async () => 3);
    await expect(third).rejects.toMatchObject({ code: 'storageUnavailable' });
    expect(waits.count(0)).toBe(1);
    release();
    await Promise.all([first, second, queue.run('b', later(), async () => 4)]);
    expect(waits.count(0)).toBe(2);
    expect(waits.samples()?.at(-1)?.value).toBeGreaterThanOrEqual(0.04);
  });

  it('never starts work whose deadline passed while it waited', async () => {
    const queue = open();
    const { open: release, opened } = gate();
    const first = queue.run('a', later(), () => opened);
    let started = false;
    const late = queue.run('a', performance.now() + 20, async () => void (started = true));
    const last = queue.run('a', later(), async () => 'last');
    await expect(late).rejects.toMatchObject({ code: 'storageUnavailable' });
    release();
    await first;
    await expect(last).resolves.toBe('last');
    expect(started).toBe(false);
  });

  it('goes on after work that fails', async () => {
    const queue = open();
    const failed = queue.run('a', later(), async () => Promise.reject(new Error('no')));
    const next = queue.run('a', later(), async () => 'next');
    await expect(failed).rejects.toThrow('no');
    await expect(next).resolves.toBe('next');
  });

  it('gets through a long line of changes that end as they begin', async () => {
    const queue = open(20_000);
    const ended: number[] = [];
    const leave = (): void => queue.leave('a');
    queue.enter('a', { deadline: later(), begin: () => undefined, failed: () => undefined });
    const end = (i: number) => (): void => {
      ended.push(i);
      leave();
    };
    for (let i = 0; i < 15_000; i++) queue.enter('a', { deadline: later(), begin: end(i), failed: () => undefined });
    leave();
    await expect(queue.run('a', later(), async () => 'last')).resolves.toBe('last');
    expect(ended).toEqual(Array.from({ length: 15_000 }, (_, i) => i));
    expect(queue.size).toBe(0);
  });

  it('refuses all that wait when it closes, and all that comes', async () => {
    const queue = open();
    const { open: release, opened } = gate();
    const running = queue.run('a', later(), () => opened);
    const waiting = queue.run('a', later(), async () => 'waiting');
    queue.close();
    await expect(waiting).rejects.toMatchObject({ code: 'draining' });
    await expect(queue.run('b', later(), async () => 'b')).rejects.toMatchObject({ code: 'draining' });
    release();
    await running;
    expect(queue.size).toBe(0);
  });
});
