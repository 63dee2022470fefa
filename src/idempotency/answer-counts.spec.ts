import { AnswerCounts } from './answer-counts.js';
import { REQUESTS } from './keyed.js';

const LIMIT = 50_000;

function countsOf(kept: Record<string, number>, clock = { at: 0 }) {
  const asked: string[] = [];
  const count = (prefix: string): Promise<number> => {
    asked.push(prefix);
    return Promise.resolve(kept[prefix] ?? 0);
  };
  return { counts: new AnswerCounts({ count }, { now: () => 0, monotonic: () => clock.at }, REQUESTS), asked };
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
