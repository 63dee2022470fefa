import { SettableClock } from '../../test/harness/clock.js';
import { until } from '../../test/harness/until.js';
import { DeadlineSweep, type Expirable } from './deadline-sweep.js';

class Item implements Expirable {
  settled = false;
  expired = 0;

  constructor(readonly deadline: number) {}

  expire(): void {
    this.expired++;
    this.settled = true;
  }
}

describe('deadline sweep', () => {
  it('ends what is due, once, and holds neither that nor what has ended by itself', async () => {
    const clock = new SettableClock();
    const sweep = new DeadlineSweep<Item>(clock);
    const [due, done, later] = [
      new Item(clock.monotonic() + 1),
      new Item(clock.monotonic() + 1),
      new Item(clock.monotonic() + 1_000),
    ];
    for (const item of [due, done, later]) sweep.add(item);
    done.settled = true;
    clock.advance(1);
    await until('the due one has expired', () => due.expired > 0);
    expect(sweep.items).toEqual([later]);
    clock.advance(999);
    await until('the later one has expired', () => later.expired > 0);
    expect([due.expired, done.expired, later.expired]).toEqual([1, 0, 1]);
    expect(sweep.items).toEqual([]);
  });

  it('starts again after it has had nothing to do', async () => {
    const clock = new SettableClock();
    const sweep = new DeadlineSweep<Item>(clock);
    for (let round = 0; round < 3; round++) {
      const item = new Item(clock.monotonic());
      sweep.add(item);
      await until('it has expired', () => item.expired > 0);
    }
  });

  it('neither expires nor extends anything when the wall clock jumps', async () => {
    const clock = new SettableClock();
    const sweep = new DeadlineSweep<Item>(clock);
    const item = new Item(clock.monotonic() + 1_000);
    const marker = new Item(clock.monotonic() + 1);
    for (const each of [item, marker]) sweep.add(each);
    clock.jump(49 * 3_600_000);
    clock.advance(1);
    await until('a look has been taken after the jump', () => marker.expired > 0);
    expect(item.expired).toBe(0);
    clock.jump(-98 * 3_600_000);
    clock.advance(999);
    await until('the item has expired on time', () => item.expired > 0);
  });
});
