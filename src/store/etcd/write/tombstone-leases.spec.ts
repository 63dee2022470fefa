import { SettableClock } from '../../../../test/harness/clock.js';
import { ServiceError } from '../../../errors/service-error.js';
import type { EtcdMembers } from '../client/members.js';
import { TombstoneLeases } from './tombstone-leases.js';

const MINUTE_MS = 60_000;

/** Grants that a test answers by hand. */
class Grants {
  readonly deadlines: number[] = [];
  #open: { resolve(answer: { ID: string }): void; reject(error: Error): void }[] = [];

  get cluster(): EtcdMembers {
    const read = (_call: unknown, deadline: number) => {
      this.deadlines.push(deadline);
      return new Promise((resolve, reject) => this.#open.push({ resolve, reject }));
    };
    return { read } as unknown as EtcdMembers;
  }

  /** Answers the oldest open grant. */
  answer(result: string | ServiceError): void {
    const grant = this.#open.shift();
    if (typeof result === 'string') grant?.resolve({ ID: result });
    else grant?.reject(result);
  }
}

describe('leases of tombstones', () => {
  const clock = new SettableClock();
  let grants: Grants;
  let leases: TombstoneLeases;
  beforeEach(() => {
    grants = new Grants();
    leases = new TombstoneLeases(grants.cluster, clock);
  });

  it('are shared by those who ask at once', async () => {
    const both = [leases.acquire(clock.now() + 1_000), leases.acquire(clock.now() + 1_000)];
    grants.answer('1');
    expect(await Promise.all(both)).toEqual(['1', '1']);
    expect(grants.deadlines).toHaveLength(1);
  });

  it('are asked for again by those who have time left when the one who asked had not', async () => {
    const hasty = leases.acquire(clock.now() + 10);
    const patient = leases.acquire(clock.now() + 1_000);
    grants.answer(new ServiceError('storageUnavailable'));
    await expect(hasty).rejects.toMatchObject({ code: 'storageUnavailable' });
    await new Promise((resolve) => setImmediate(resolve));
    grants.answer('2');
    expect(await patient).toBe('2');
    expect(grants.deadlines).toEqual([clock.now() + 10, clock.now() + 1_000]);
  });

  it('are at hand before the storage is full, and at most an hour old', async () => {
    const first = leases.prepare(clock.now() + 1_000);
    grants.answer('1');
    await first;
    await leases.prepare(clock.now() + 1_000);
    clock.advance(59 * MINUTE_MS);
    await leases.prepare(clock.now() + 1_000);
    expect(grants.deadlines).toHaveLength(1);
    clock.advance(MINUTE_MS);
    const second = leases.prepare(clock.now() + 1_000);
    grants.answer('2');
    await second;
    clock.advance(11 * MINUTE_MS);
    const full = leases.acquire(clock.now() + 1_000);
    grants.answer(new ServiceError('storageFull'));
    expect(await full).toBe('2');
  });

  it('are handed out for ten minutes, however the wall clock jumps', async () => {
    const first = leases.acquire(clock.monotonic() + 1_000);
    grants.answer('1');
    await first;
    clock.advance(5 * MINUTE_MS);
    clock.jump(49 * 60 * MINUTE_MS);
    expect(await leases.acquire(clock.monotonic() + 1_000)).toBe('1');
    clock.jump(-99 * 60 * MINUTE_MS);
    clock.advance(6 * MINUTE_MS);
    const second = leases.acquire(clock.monotonic() + 1_000);
    grants.answer('2');
    expect(await second).toBe('2');
    expect(grants.deadlines).toHaveLength(2);
  });

  it('are not to be had when the storage is full and none is at hand', async () => {
    const lease = leases.acquire(clock.now() + 1_000);
    grants.answer(new ServiceError('storageFull'));
    await expect(lease).rejects.toMatchObject({ code: 'storageFull' });
  });
});
