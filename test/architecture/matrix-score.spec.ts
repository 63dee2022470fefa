import { readdirSync, readFileSync } from 'node:fs';
import { readProfile, ROWS, type Profile } from '../matrix/profile.js';
import { availabilityScore, latencyScore, rank, sweep, type Findings } from '../matrix/score.js';

const folder = new URL('../matrix/weights/', import.meta.url);
const read = (name: string): Profile =>
  readProfile(name, JSON.parse(readFileSync(new URL(`${name}.json`, folder), 'utf8')));

/** It keeps everything, and takes its time. */
const SAFE: Findings = {
  ...{ column: 'safe', lost: 0, broken: 0, judged: 5, writeP99: 49, readP99: 24, served: 0.91 },
  ...{ operations: 0.8, cpuMicros: 200 },
};
/** It is fast, and loses writes. */
const FAST: Findings = {
  ...{ column: 'fast', lost: 4_928, broken: 2, judged: 5, writeP99: 9, readP99: 4, served: 0.99 },
  ...{ operations: 0.6, cpuMicros: 100 },
};

describe('scores of the decision matrix', () => {
  // Calculated by hand from the formulas of the report, with a table of logarithms:
  // log10(501) 2.699838, log10(51) 1.707570, log10(50) 1.698970, log10(25) 1.397940, log10(5) 0.698970.
  it('are those that were calculated by hand for smart homes', () => {
    // Weights 0.3, 0.3, 0.6, 0.2, 0.2 of 1.6: 0.1875, 0.1875, 0.375, 0.125, 0.125.
    const { scores, leftOut } = rank(read('smart-home'), [SAFE, FAST]);
    expect(leftOut).toEqual([]);
    expect(scores.map(({ column }) => column)).toEqual(['fast', 'safe']);
    const [fast, safe] = scores;
    // Latency: (1 - 0.629286 + 1 - 0.517787) / 2; availability: (0.91 - 0.82) / 0.18.
    expect(safe?.rows.latency).toBeCloseTo(0.426464, 5);
    expect(safe?.rows.availability).toBeCloseTo(0.5, 9);
    // 0.1875 + 0.079962 + 0.1875 + 0.1 + 0.0625
    expect(safe?.total).toBeCloseTo(0.617462, 5);
    // Latency: (1 - 0.370392 + 1 - 0.258893) / 2; availability: 0.17 / 0.18; consistency: 1 - 2 / 5.
    expect(fast?.rows.latency).toBeCloseTo(0.685358, 5);
    // 0.1125 + 0.128505 + 0.354167 + 0.075 + 0.125
    expect(fast?.total).toBeCloseTo(0.795171, 5);
    expect(fast?.gated).toBe(false);
  });

  it('are those that were calculated by hand for industrial plants, which forbid a loss', () => {
    // Weights 0.7, 0.3, 0.2, 0.1, 0.1 of 1.4: 0.5, 0.214286, 0.142857, 0.071429, 0.071429.
    const { scores } = rank(read('industrial'), [SAFE, FAST]);
    expect(scores.map(({ column, gated }) => [column, gated])).toEqual([
      ['safe', false],
      ['fast', true],
    ]);
    const [safe, fast] = scores;
    // Latency: (1 - 0.994964 + 1 - 0.818672) / 2; availability: below 0.95.
    expect(safe?.rows).toMatchObject({ consistency: 1, availability: 0, cost: 0.5 });
    expect(safe?.rows.latency).toBeCloseTo(0.093182, 4);
    // 0.5 + 0.019968 + 0 + 0.057143 + 0.035714
    expect(safe?.total).toBeCloseTo(0.612825, 4);
    // Latency: (1 - 0.585628 + 1 - 0.409336) / 2 = 0.502518; availability: 0.04 / 0.05.
    expect(fast?.rows.consistency).toBe(0);
    // 0 + 0.107682 + 0.114286 + 0.042857 + 0.071429
    expect(fast?.total).toBeCloseTo(0.336254, 4);
  });

  it('add up from what each row contributes, and fall as a column gets worse in any row', () => {
    const worse: Partial<Findings>[] = [
      { broken: 1 },
      { lost: 1 },
      { writeP99: 60 },
      { readP99: 60 },
      { served: 0.9 },
      { operations: 0.1 },
      { cpuMicros: 400 },
    ];
    const profile = readProfile('all', { ...RAW, alpha: 0.5, limitMs: 100, forbidsLoss: true });
    const totalOf = (each: Findings): number =>
      rank(profile, [FAST, each]).scores.find((s) => s.column === 'safe')!.total;
    for (const change of worse) expect(totalOf({ ...SAFE, ...change })).toBeLessThan(totalOf(SAFE));
    const [first] = rank(profile, [SAFE, FAST]).scores;
    expect(ROWS.reduce((sum, row) => sum + first!.contributions[row], 0)).toBeCloseTo(first!.total, 12);
  });

  it('stay between 0 and 1, whatever was measured', () => {
    expect(latencyScore(0, 50)).toBe(1);
    expect(latencyScore(50, 50)).toBeCloseTo(0, 12);
    expect(latencyScore(5_000, 50)).toBe(0);
    expect(availabilityScore(1, 0.82)).toBe(1);
    expect(availabilityScore(0.1, 0.82)).toBe(0);
  });

  it('leave a row out that was not measured for one of the columns', () => {
    const { scores, leftOut } = rank(read('industrial'), [{ ...SAFE, lost: null, served: null }, FAST]);
    expect(leftOut).toEqual(['consistency', 'availability']);
    for (const { contributions } of scores) expect(contributions).toMatchObject({ consistency: 0, availability: 0 });
    expect(scores[0]?.column).toBe('fast');
  });

  it('tell at which weight the winner changes', () => {
    const sweeps = sweep(rank(read('industrial'), [SAFE, FAST]));
    const consistency = sweeps.find(({ row }) => row === 'consistency')!;
    expect(consistency.points).toHaveLength(101);
    expect(consistency.points[0]?.totals['fast']).toBeGreaterThan(consistency.points[0]?.totals['safe'] as number);
    expect(consistency.points[100]?.totals).toEqual({ safe: 1, fast: 0 });
    // The other rows: safe 0.225650, fast 0.672508; equal where w + (1 - w) 0.225650 = (1 - w) 0.672508: 0.308849.
    expect(consistency.changes).toEqual([{ row: 'consistency', at: 0.31, from: 'fast', to: 'safe' }]);
  });
});

const RAW = {
  title: 'A test',
  weights: { consistency: 1, latency: 1, availability: 1, operations: 1, cost: 1 },
  limitMs: 50,
  alpha: 0.9,
  forbidsLoss: true,
};

describe('profiles of the decision matrix', () => {
  it('are all in order, and their weights add up to 1', () => {
    const names = readdirSync(folder).map((file) => file.replace('.json', ''));
    expect(names.sort()).toEqual(['industrial', 'meter', 'plc', 'smart-home']);
    for (const name of names) {
      const { weights } = read(name);
      expect(ROWS.reduce((sum, row) => sum + weights[row], 0)).toBeCloseTo(1, 12);
    }
  });

  it.each([
    ['all zero', { weights: { consistency: 0, cost: 0 } }, 'all weights are 0'],
    ['none at all', { weights: {} }, 'all weights are 0'],
    ['a negative one', { weights: { ...RAW.weights, cost: -0.1 } }, 'weights.cost is negative'],
    ['one of no row', { weights: { ...RAW.weights, beauty: 1 } }, 'weights.beauty is no row'],
    ['one that is no number', { weights: { ...RAW.weights, cost: '1' } }, 'weights.cost must be a number'],
    ['no weights', { weights: 7 }, 'weights must be an object'],
    ['a limit of 0', { limitMs: 0 }, 'limitMs'],
    ['an alpha of 1', { alpha: 1 }, 'alpha'],
    ['no word on losses', { forbidsLoss: undefined }, 'forbidsLoss'],
    ['a member that nothing reads', { limit: 1 }, 'limit is no member'],
  ])('are refused by name with %s', (_, change, text) => {
    expect(() => readProfile('mine', { ...RAW, ...change })).toThrow(`profile mine: ${text}`);
  });
});
