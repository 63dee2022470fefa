import { AnswerCounts } from './answer-counts.js';
import { boundsOf, BRIEF_REQUESTS, REQUESTS } from './keyed.js';

const LIMIT = 50_000;

function countsOf(kept: Record<string, number>, clock = { at: 0 }, bounds = REQUESTS) {
  const asked: string[] = [];
  const count = (prefix: string): Promise<number> => {
    asked.push(prefix);
    return Promise.resolve(kept[prefix] ?? 0);
  };
  return { counts: new AnswerCounts({ count }, { now: () => 0, monotonic: () => clock.at }, bounds), asked };
}

it('lets a tenant have its number of answers, and others theirs', async () => {
  const { counts } = countsOf({ 'idempotency/acme/': LIMIT - 1 });
  await counts.check('acme');
  counts.add('acme', 100);
  await expect(counts.check('acme')).rejects.toMatchObject({ code: 'tooManyRequests' });
  await expect(counts.check('acme')).rejects.toThrow('each for 24 hours');
  await counts.check('other');
});

it('bounds the bytes of a day too, for each tenant', async () => {
  const clock = { at: 5 };
  const { counts } = countsOf({}, clock);
  const half = 128 * 1024 * 1024;
  counts.add('acme', half);
  clock.at += 24 * 60 * 60_000 - 1;
  await counts.check('acme');
  counts.add('acme', half);
  await expect(counts.check('acme')).rejects.toThrow('268435456 bytes of answers');
  await counts.check('other');
  clock.at += 1;
  await counts.check('acme');
});

it('counts once for all who ask meanwhile, and again after half a minute', async () => {
  const clock = { at: 0 };
  const kept = { 'idempotency/acme/': LIMIT };
  const { counts, asked } = countsOf(kept, clock);
  const all = await Promise.allSettled([counts.check('acme'), counts.check('acme')]);
  expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  kept['idempotency/acme/'] = 0;
  clock.at = 29_999;
  await expect(counts.check('acme')).rejects.toMatchObject({ code: 'tooManyRequests' });
  clock.at = 30_000;
  await counts.check('acme');
  expect(asked).toHaveLength(2);
});

it('keeps half of the room for answers that are kept for minutes', async () => {
  const kept = { 'idempotency/acme/': LIMIT };
  const [days, minutes] = [REQUESTS, BRIEF_REQUESTS].map((bounds) => countsOf(kept, { at: 0 }, bounds).counts);
  await expect(days!.check('acme')).rejects.toThrow('50000 answers');
  await minutes!.check('acme');
  kept['idempotency/acme/'] = 2 * LIMIT;
  const full = countsOf(kept, { at: 0 }, BRIEF_REQUESTS).counts;
  await expect(full.check('acme')).rejects.toThrow('each for 5 minutes');
});

it('never refuses a tenant that asks for minutes and writes 50 times a second', async () => {
  const [clock, kept] = [{ at: 0 }, { 'idempotency/acme/': 0 }];
  const { counts } = countsOf(kept, clock, BRIEF_REQUESTS);
  const perSecond: number[] = [];
  for (let second = 0; second < 3_600; second++) {
    clock.at = second * 1_000;
    for (let i = 0; i < 50; i++) {
      await counts.check('acme');
      counts.add('acme', 2_000);
    }
    perSecond.push(50);
    // Each is gone after six minutes at the latest.
    kept['idempotency/acme/'] = perSecond.slice(-360).reduce((sum, n) => sum + n, 0);
  }
  expect(kept['idempotency/acme/']).toBe(18_000);
});

it.each([
  [undefined, REQUESTS],
  ['1', BRIEF_REQUESTS],
  ['300', BRIEF_REQUESTS],
  ['301', REQUESTS],
  ['86400', REQUESTS],
])('keeps the answers of Idempotency-Lifetime: %s as long as asked', (lifetime, bounds) => {
  expect(boundsOf({ headers: { 'idempotency-lifetime': lifetime } } as never)).toBe(bounds);
});

it.each(['0', '86401', '-1', '1.5', '', 'a day', '60, 60', ['60', '60']])('refuses %j', (lifetime) => {
  expect(() => boundsOf({ headers: { 'idempotency-lifetime': lifetime } } as never)).toThrow('1 to 86400 seconds');
});
