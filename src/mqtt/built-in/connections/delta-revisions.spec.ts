import { MemoryBudget } from '../sessions/memory-budget.js';
import { DeltaRevisions } from './delta-revisions.js';

describe('DeltaRevisions', () => {
  const noted = (revisions: DeltaRevisions, count: number): number =>
    Array.from({ length: count }, (_, i) => revisions.note(`topic-${i}`)).filter(Boolean).length;

  it('has room for two topics of each filter, and for 1,000 that wildcards bring', () => {
    const budget = new MemoryBudget();
    const revisions = new DeltaRevisions({ budget, makeRoom: () => true, maxSubscriptions: 50 });
    expect(noted(revisions, 2_000)).toBe(1_100);
    expect(revisions.note('topic-0')).toBe(true);
    revisions.delete('topic-0');
    expect(revisions.note('one-more')).toBe(true);
    expect(revisions.size).toBe(1_100);
    expect(budget.used).toBeGreaterThan(1_100 * 100);
    revisions.clear();
    expect([revisions.size, budget.used]).toEqual([0, 0]);
  });

  it('notes nothing beyond the budget of all clients, and keeps what it has', () => {
    const budget = new MemoryBudget(1_000);
    const revisions = new DeltaRevisions({ budget, makeRoom: () => !budget.isExceeded, maxSubscriptions: 50 });
    expect(noted(revisions, 100)).toBe(9);
    revisions.set('topic-1', 7);
    revisions.set('topic-50', 7);
    expect([revisions.get('topic-1'), revisions.get('topic-50'), revisions.size]).toEqual([7, undefined, 9]);
    expect(budget.isExceeded).toBe(false);
  });
});
