import fc from 'fast-check';
import { Counter, Gauge, Histogram, SIZES, type Sample } from './recorder.js';

const labelsOf = (samples: Sample[] | null): string[] => (samples ?? []).map(({ labels }) => labels.join());

describe('Counter', () => {
  it('counts in the cells that are bound, and shows those that nothing has happened in', () => {
    const counter = new Counter({ name: 'x', help: 'X.', labels: { a: ['1', '2'], b: ['p', 'q', 'r'] } });
    expect(counter.samples()).toBeNull();
    const [one, other] = [counter.bind('1', 'r'), counter.bind('2', 'p')];
    counter.add(one);
    counter.add(one, 2.5);
    expect(counter.samples()).toEqual([
      { suffix: '_total', labels: ['a', '1', 'b', 'r'], value: 3.5 },
      { suffix: '_total', labels: ['a', '2', 'b', 'p'], value: 0 },
    ]);
    expect(counter.bind('2', 'p')).toBe(other);
    expect(counter.samples()).toHaveLength(2);
  });

  it('has one cell without labels', () => {
    const counter = new Counter({ name: 'x', help: 'X.' });
    counter.add(0);
    expect(counter.samples()).toEqual([{ suffix: '_total', labels: [], value: 1 }]);
  });

  it('takes no value from outside of a closed set, and counts what is beyond a bounded one as other', () => {
    const counter = new Counter({ name: 'x', help: 'X.', labels: { result: ['won'], member: 2 } });
    expect(() => counter.bind('lost', 'a')).toThrow('label result has no value "lost"');
    expect(() => counter.bind('won')).toThrow('1 values');
    const cells = ['a', 'b', 'c', 'd'].map((member) => counter.bind('won', member));
    expect(cells[2]).toBe(cells[3]);
    expect(labelsOf(counter.samples())).toEqual([
      'result,won,member,a',
      'result,won,member,b',
      'result,won,member,other',
    ]);
  });
});

/** Buckets of a histogram as [bound, count so far]. */
const bucketsOf = (histogram: Histogram): [string, number][] =>
  (histogram.samples() ?? [])
    .filter(({ suffix }) => suffix === '_bucket')
    .map(({ labels, value }) => [labels.at(-1) ?? '', value]);

describe('Histogram', () => {
  it('has buckets of 0.5 ms to 8.192 s, which double', () => {
    expect(bucketsOf(new Histogram({ name: 'x', help: 'X.' })).map(([bound]) => bound)).toEqual([
      ...['0.0005', '0.001', '0.002', '0.004', '0.008', '0.016', '0.032', '0.064', '0.128', '0.256', '0.512'],
      ...['1.024', '2.048', '4.096', '8.192', '+Inf'],
    ]);
  });

  it.each([
    [0, '0.0005'],
    [0.5, '0.0005'],
    [0.500001, '0.001'],
    [1, '0.001'],
    [1.5, '0.002'],
    [4, '0.004'],
    [4.001, '0.008'],
    [8191.9, '8.192'],
    [8192, '8.192'],
    [8193, '+Inf'],
    [1e12, '+Inf'],
    [-3, '0.0005'],
    [NaN, '0.0005'],
  ])('counts %d ms up to %s', (ms, first) => {
    const histogram = new Histogram({ name: 'x', help: 'X.' });
    histogram.observe(0, ms);
    const found = bucketsOf(histogram).find(([, count]) => count === 1);
    expect(found?.[0]).toBe(first);
    expect(histogram.count(0)).toBe(1);
    const sum = histogram.samples()?.find(({ suffix }) => suffix === '_sum');
    expect(sum?.value).toBeCloseTo(ms > 0 ? ms / 1000 : 0, 9);
  });

  it('puts every value into the first bucket that is not below it, and into no other cell', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { maxLength: 20 }), (values) => {
        const histogram = new Histogram({ name: 'x', help: 'X.', labels: { k: ['a', 'b', 'c'] } }, SIZES);
        const [, cell] = ['a', 'b', 'c'].map((value) => histogram.bind(value));
        for (const value of values) histogram.observe(cell!, value);
        const samples = histogram.samples() ?? [];
        return samples.every(({ suffix, labels, value }) => {
          if (labels[1] !== 'b') return value === 0;
          if (suffix === '_count') return value === values.length;
          if (suffix === '_sum') return Math.abs(value - values.reduce((sum, each) => sum + each, 0)) < 1e-6;
          const bound = labels[3] === '+Inf' ? Infinity : Number(labels[3]);
          return value === values.filter((each) => each <= bound).length;
        });
      }),
    );
  });
});

describe('Gauge', () => {
  it('asks its reader, is left out without one, and bounds what a reader gives', () => {
    const gauge = new Gauge({ name: 'x', help: 'X.', labels: { part: 3 } });
    expect(gauge.samples()).toBeNull();
    gauge.read = () => [[['a'], 2]];
    expect(gauge.samples()).toEqual([{ suffix: '', labels: ['part', 'a'], value: 2 }]);
    gauge.read = () => Array.from({ length: 1000 }, (_, i) => [[String(i)], i] as const);
    expect(gauge.samples()).toHaveLength(3);
  });
});

it('says of how many series it never has more', () => {
  const labels = { door: ['a', 'b'], member: 9 };
  const counter = new Counter({ name: 'x', help: 'X.', labels });
  const histogram = new Histogram({ name: 'x', help: 'X.', labels }, SIZES);
  for (let i = 0; i < 100; i++)
    for (const each of [counter, histogram]) for (const door of labels.door) each.bind(door, `m-${i}`);
  for (const each of [counter, histogram]) expect(each.samples()).toHaveLength(each.most);
  expect([counter.most, histogram.most, new Gauge({ name: 'x', help: 'X.', labels }).most]).toEqual([20, 220, 18]);
});
