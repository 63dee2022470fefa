import { verdictOf } from './answer.js';

const NOW = Date.parse('2026-11-28T20:00:00Z');
const of = (status: number, retryAfter: string | null = null) => verdictOf({ status, retryAfter }, NOW);

describe('verdictOf()', () => {
  it.each([200, 201, 202, 204, 299])('takes %i for success', (status) => {
    expect(of(status)).toEqual({ kind: 'delivered' });
  });

  it('takes 410 for the end', () => expect(of(410)).toEqual({ kind: 'gone' }));

  it.each([
    [301, false],
    [308, false],
    [400, false],
    [401, false],
    [404, false],
    [429, true],
    [500, true],
    [502, true],
    [503, true],
  ])('takes %i for a failure, of the whole endpoint: %s', (status, isDown) => {
    expect(of(status)).toMatchObject({ kind: 'failed', isDown, waitMs: 0 });
  });

  it.each([
    [429, '120', 120_000],
    [503, ' 5 ', 5_000],
    [503, 'Sat, 28 Nov 2026 20:00:30 GMT', 30_000],
    [503, 'Sat, 28 Nov 2026 19:00:00 GMT', 0],
    [429, '99999999', 3_600_000],
    [429, '-5', 0],
    [429, '1e3', 0],
    [429, 'soon', 0],
    [500, '120', 0],
  ])('waits after %i with Retry-After %j for %i ms', (status, retryAfter, waitMs) => {
    expect(of(status, retryAfter)).toMatchObject({ waitMs });
  });
});
