import { parseRule, readSamplingRules } from './sampling-rules.js';
import { cellOf, NO_SAMPLING, Sampler, type SamplingRule, type SamplingRules } from './sampling.js';

const SEED = 20_261;
const UPDATE = cellOf('mqtt', 'update');
const rulesOf = (rules: readonly SamplingRule[], more: Partial<SamplingRules> = {}): SamplingRules => ({
  ...NO_SAMPLING,
  ...{ rules, maxPerSecond: 1_000 },
  ...more,
});

/** How many of so many requests are traced. One comes every 10 ms. */
function traced(sampler: Sampler, requests: number, marked: boolean | null = null, tenant = 'acme'): number {
  let kept = 0;
  for (let i = 0; i < requests; i++) if (sampler.begins(UPDATE, tenant, marked, i * 10) === 'head') kept++;
  return kept;
}

describe('the first rule that covers a request', () => {
  const rules: SamplingRule[] = [
    { tenant: 'loud', rate: 0 },
    { door: 'mqtt', operation: 'get', rate: 0 },
    { door: 'mqtt', tenant: 'acme', rate: 10_000 },
    { operation: 'update', rate: 10_000 },
  ];
  const sampler = new Sampler(rulesOf(rules), SEED);

  it.each([
    ['mqtt', 'update', 'acme', 'head'],
    ['mqtt', 'delete', 'acme', 'head'],
    ['mqtt', 'delete', 'other', null],
    ['mqtt', 'update', 'loud', null],
    ['mqtt', 'get', 'acme', null],
    ['http', 'update', 'other', 'head'],
    ['http', 'update', 'loud', null],
    ['http', 'get', 'acme', null],
  ] as const)('%s %s of %s: %s', (door, kind, tenant, decision) =>
    expect(sampler.begins(cellOf(door, kind), tenant, null, 0)).toBe(decision),
  );
});

describe('rates', () => {
  it('keeps 100 +- 30 of 10,000 requests at 100 parts', () => {
    const kept = traced(new Sampler(rulesOf([{ rate: 100 }]), SEED), 10_000);
    expect(kept).toBeGreaterThanOrEqual(70);
    expect(kept).toBeLessThanOrEqual(130);
  });

  it('takes effect as the rules are replaced', () => {
    const sampler = new Sampler(rulesOf([{ rate: 0 }]), SEED);
    expect(traced(sampler, 1_000)).toBe(0);
    sampler.replace(rulesOf([{ rate: 10_000 }]));
    expect(traced(sampler, 1_000)).toBe(1_000);
    sampler.replace(NO_SAMPLING);
    expect(traced(sampler, 1_000)).toBe(0);
  });

  it.each([
    ['as many as the rule allows, and a few at once', 100, true, [109, 110]],
    ['none where the rule allows none', 0, true, [0, 0]],
    ['all where it allows all', 10_000, true, [10_000, 10_000]],
    ['none that the caller has not marked', 10_000, false, [0, 0]],
  ] as const)('of marked requests: %s', (_, rate, marked, [least, most]) => {
    const kept = traced(new Sampler(rulesOf([{ rate }]), SEED), 10_000, marked);
    expect(kept).toBeGreaterThanOrEqual(least);
    expect(kept).toBeLessThanOrEqual(most);
  });

  it('keeps no more than so many in a second', () => {
    const sampler = new Sampler(rulesOf([{ rate: 10_000 }], { maxPerSecond: 3, failed: true }), SEED);
    const begin = (now: number) => sampler.begins(UPDATE, 'acme', null, now);
    expect([1, 2, 3, 4].map(() => begin(5_000))).toEqual(['head', 'head', 'head', 'dropped']);
    expect(sampler.ends('update', 'internal', 1, 5_000)).toBe('dropped');
    expect([begin(5_400), begin(5_400)]).toEqual(['head', 'dropped']);
    expect([1, 2, 3, 4].map(() => begin(60_000))).toEqual(['head', 'head', 'head', 'dropped']);
  });
});

describe('what is kept at its end', () => {
  it.each([
    ['update', 'ok', 99, null],
    ['update', 'ok', 101, 'slow'],
    ['update', 'conflict', 1, null],
    ['update', 'denied', 1, null],
    ['update', 'unknown', 1, 'failed'],
    ['get', 'unavailable', 1, 'failed'],
    ['get', 'internal', 101, 'failed'],
    ['update', 'storage_full', 1, 'failed'],
    ['update', 'too_many', 1, 'failed'],
    ['watch', 'ok', 60_000, null],
  ] as const)('%s, %s after %d ms: %s', (kind, outcome, ms, decision) =>
    expect(new Sampler(rulesOf([], { failed: true, slowMs: 100 })).ends(kind, outcome, ms, 0)).toBe(decision),
  );

  it('is nothing without rules', () => {
    expect(new Sampler().ends('update', 'internal', 1e6, 0)).toBeNull();
  });
});

describe('rules of a document', () => {
  const good = { rules: [{ door: 'mqtt', tenant: 'acme', rate: 5 }], failed: true, slowMs: null, maxPerSecond: 20 };

  it('are read', () => expect(readSamplingRules(good)).toEqual(good));

  it.each([
    ['no object', [], 'sampling must be an object with rules, failed, slowMs, maxPerSecond'],
    ['another member', { ...good, rate: 3 }, 'sampling has no member "rate", only rules, failed, slowMs, maxPerSecond'],
    ['no list', { ...good, rules: {} }, 'sampling.rules must be a list of at most 100 rules'],
    ['no flag', { ...good, failed: 1 }, 'sampling.failed must be true or false'],
    ['a bound of 0', { ...good, slowMs: 0 }, 'sampling.slowMs must be a whole number from 1 to 600000, or null'],
    ['no limit', { ...good, maxPerSecond: Infinity }, 'sampling.maxPerSecond must be a whole number from 0 to 1000'],
    ['a door', { ...good, rules: [{ door: 'x', rate: 1 }] }, /^sampling.rules\[0\]: door must be one of mqtt, http/],
    ['an operation', { ...good, rules: [{ operation: 'put', rate: 1 }] }, /operation must be one of get, update/],
    ['a tenant', { ...good, rules: [{ tenant: '', rate: 1 }] }, /tenant must be the name of a tenant/],
    ['a rate', { ...good, rules: [{ rate: 10_001 }] }, /rate must be a whole number from 0 to 10000/],
    ['no rate', { ...good, rules: [{}] }, /rate must be a whole number/],
    ['a part', { ...good, rules: [{ rate: 1, thing: 'a' }] }, /has no member "thing", only door, operation, tenant/],
  ])('are refused: %s', (_, value, message) => expect(() => readSamplingRules(value)).toThrow(message));
});

describe('a rule as text', () => {
  it.each([
    ['100', { rate: 100 }],
    ['mqtt=7', { door: 'mqtt', rate: 7 }],
    [' */update=7', { operation: 'update', rate: 7 }],
    ['http/*/acme=0', { door: 'http', tenant: 'acme', rate: 0 }],
  ])('%s', (text, rule) => expect(parseRule(text)).toEqual(rule));

  it.each(['', 'mqtt', '=3', 'mqtt/update/acme/x=3', 'ftp=3', '10001', '-1', '1.5'])('%j is none', (text) =>
    expect(() => parseRule(text)).toThrow(/"/),
  );
});
