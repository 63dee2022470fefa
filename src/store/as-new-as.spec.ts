import { ServiceError } from '../errors/service-error.js';
import type { Clock } from '../resilience/clock.js';
import { asNewAs } from './as-new-as.js';

describe('a read that must be as new as a revision', () => {
  /** Each look at it takes a millisecond. */
  const ticking = (): Clock => {
    let ms = 0;
    return { now: () => ms, monotonic: () => ms++ };
  };
  const readFrom = (revisions: number[]): (() => Promise<number>) => {
    let reads = 0;
    return async () => revisions[Math.min(reads++, revisions.length - 1)]!;
  };
  const same = (revision: number): number => revision;

  it('is read once when the store is there already', async () => {
    const wait = { minRevision: 7, deadline: 0, clock: ticking() };
    expect(await asNewAs(wait, readFrom([7, 8]), same)).toBe(7);
    expect(await asNewAs({ ...wait, minRevision: undefined }, readFrom([1, 2]), same)).toBe(1);
  });

  it('is read again until the store is there', async () => {
    const wait = { minRevision: 7, deadline: 1_000, clock: ticking() };
    expect(await asNewAs(wait, readFrom([5, 6, 7, 8]), same)).toBe(7);
  });

  it('ends with revisionAhead before the deadline, and says where the store is', async () => {
    const wait = { minRevision: 7, deadline: 5, clock: ticking() };
    const error = await asNewAs(wait, readFrom([6]), same).catch((caught: unknown) => caught);
    expect(error).toEqual(new ServiceError('revisionAhead', '7: it is at 6'));
    expect((error as ServiceError).message).toContain('revision 7: it is at 6;');
  });
});
