import fc from 'fast-check';
import { anyCharacter } from '../../test/harness/any-character.js';
import { formatOf, renderMetrics, type MetricsFormat } from './openmetrics.js';
import { Counter, Gauge, Histogram, SIZES } from './recorder.js';

const info = (): Gauge => {
  const gauge = new Gauge({ name: 'umbra_build', help: 'B.', labels: { version: 1 } }, 'info');
  gauge.read = () => [[['1.0'], 1]];
  return gauge;
};
const counter = (): Counter => {
  const made = new Counter({ name: 'umbra_things', help: 'Say "a" or \\b\n.', labels: { kind: ['x"\\\n'] } });
  made.add(made.bind('x"\\\n'), 3);
  return made;
};
const histogram = (): Histogram => {
  const made = new Histogram({ name: 'umbra_sizes', help: 'S.' }, { ...SIZES, count: 2 });
  for (const value of [1, 2, 7.5]) made.observe(0, value);
  return made;
};
const gaugeOf = (value: number): Gauge => {
  const gauge = new Gauge({ name: 'umbra_level', help: 'L.' });
  gauge.read = () => value;
  return gauge;
};

const SIZE_LINES = [
  'umbra_sizes_bucket{le="1.0"} 1',
  'umbra_sizes_bucket{le="2.0"} 2',
  'umbra_sizes_bucket{le="+Inf"} 3',
  'umbra_sizes_count 3',
  'umbra_sizes_sum 10.5',
];

describe('exemplars', () => {
  const traced = (): Histogram => {
    const made = histogram();
    made.remember(0, 7.5, 'f'.repeat(32), 1_700_000_000_250);
    made.remember(0, 0.5, 'e'.repeat(32), 1_700_000_000_000);
    made.remember(0, 0.75, 'd'.repeat(32), 1_700_000_001_000);
    return made;
  };

  it('name the last trace of a bucket, in OpenMetrics alone', () => {
    const lines = renderMetrics([traced()], 'openmetrics').split('\n');
    expect(lines.slice(2, 7)).toEqual([
      `umbra_sizes_bucket{le="1.0"} 1 # {trace_id="${'d'.repeat(32)}"} 0.75 1700000001`,
      'umbra_sizes_bucket{le="2.0"} 2',
      `umbra_sizes_bucket{le="+Inf"} 3 # {trace_id="${'f'.repeat(32)}"} 7.5 1700000000.25`,
      'umbra_sizes_count 3',
      'umbra_sizes_sum 10.5',
    ]);
    expect(renderMetrics([traced()], 'text')).toBe(renderMetrics([histogram()], 'text'));
  });
});

describe('renderMetrics', () => {
  it.each([
    ['openmetrics', info(), ['# HELP umbra_build B.', '# TYPE umbra_build info', 'umbra_build_info{version="1.0"} 1']],
    // promtool refuses the type info in the text format.
    [
      'text',
      info(),
      ['# HELP umbra_build_info B.', '# TYPE umbra_build_info gauge', 'umbra_build_info{version="1.0"} 1'],
    ],
    [
      'openmetrics',
      counter(),
      [
        '# HELP umbra_things Say \\"a\\" or \\\\b\\n.',
        '# TYPE umbra_things counter',
        'umbra_things_total{kind="x\\"\\\\\\n"} 3',
      ],
    ],
    [
      'text',
      counter(),
      [
        '# HELP umbra_things_total Say "a" or \\\\b\\n.',
        '# TYPE umbra_things_total counter',
        'umbra_things_total{kind="x\\"\\\\\\n"} 3',
      ],
    ],
    ['openmetrics', histogram(), ['# HELP umbra_sizes S.', '# TYPE umbra_sizes histogram', ...SIZE_LINES]],
    ['text', histogram(), ['# HELP umbra_sizes S.', '# TYPE umbra_sizes histogram', ...SIZE_LINES]],
    ['text', gaugeOf(-Infinity), ['# HELP umbra_level L.', '# TYPE umbra_level gauge', 'umbra_level -Inf']],
    ['text', gaugeOf(NaN), ['# HELP umbra_level L.', '# TYPE umbra_level gauge', 'umbra_level NaN']],
    ['openmetrics', gaugeOf(1e21), ['# HELP umbra_level L.', '# TYPE umbra_level gauge', 'umbra_level 1e+21']],
  ] as const)('as %s', (format, family, expected) => {
    const end = format === 'openmetrics' ? ['# EOF'] : [];
    expect(renderMetrics([family], format)).toBe(`${[...expected, ...end].join('\n')}\n`);
  });

  it('leaves out what has no source, and what cannot be read', () => {
    const broken = new Gauge({ name: 'broken', help: 'B.' });
    broken.read = () => {
      throw new Error('away');
    };
    const unread = new Gauge({ name: 'unread', help: 'U.' });
    expect(renderMetrics([broken, unread], 'text')).toBe('\n');
    expect(renderMetrics([broken, gaugeOf(1)], 'openmetrics')).toContain('\numbra_level 1\n# EOF\n');
  });

  it.each(['openmetrics', 'text'] as const)('can be read back, as %s, whatever is in values and numbers', (format) => {
    const values = fc.uniqueArray(fc.string({ unit: anyCharacter, maxLength: 12 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(values, fc.array(fc.double({ min: 0 }), { minLength: 5, maxLength: 5 }), (labels, numbers) => {
        const made = new Counter({ name: 'x', help: 'X.', labels: { a: ['\\"\n'], b: labels } });
        const wanted = labels.map((b, i) => {
          made.add(made.bind('\\"\n', b), numbers[i]);
          return [{ a: '\\"\n', b }, numbers[i]];
        });
        expect(parse(renderMetrics([made], format), format)).toEqual(wanted);
      }),
    );
  });
});

/** Reads the lines of one family with labels, as both formats say it. */
function parse(page: string, format: MetricsFormat): unknown[] {
  const lines = page.split('\n');
  expect(lines.pop()).toBe('');
  if (format === 'openmetrics') expect(lines.pop()).toBe('# EOF');
  return lines
    .filter((line) => !line.startsWith('# '))
    .map((line) => {
      const [, labels = '', value = ''] = /^x_total\{(.*)\} (\S+)$/s.exec(line) ?? [];
      const pairs = [...labels.matchAll(/([a-z]+)="((?:[^\\"\n]|\\[\\"n])*)"(?:,|$)/gs)];
      expect(pairs.map(([pair]) => pair).join('')).toBe(labels);
      const unescape = (text: string): string => text.replace(/\\([\\"n])/g, (_, c: string) => (c === 'n' ? '\n' : c));
      const read = value === '+Inf' ? Infinity : Number(value);
      return [Object.fromEntries(pairs.map(([, name = '', text = '']) => [name, unescape(text)])), read];
    });
}

/** As Prometheus 2.42 asks. */
const PROMETHEUS =
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';

describe('formatOf', () => {
  it.each([
    [undefined, 'text'],
    ['', 'text'],
    ['*/*', 'text'],
    [PROMETHEUS, 'openmetrics'],
    ['application/openmetrics-text', 'openmetrics'],
    ['Application/OpenMetrics-Text; Version="1.0.0"; charset=utf-8', 'openmetrics'],
    ['application/openmetrics-text;version=0.0.1', 'text'],
    ['application/openmetrics-text;version=1.0.0;q=0', 'text'],
    ['application/openmetrics-text;q=0.3, text/plain;q=0.9', 'text'],
    ['application/openmetrics-text;q=much', 'text'],
    ['application/json', 'text'],
    [`${'text/plain,'.repeat(10_000)}application/openmetrics-text`, 'text'],
  ] as const)('%s: %s', (accept, format) => expect(formatOf(accept)).toBe(format));
});
