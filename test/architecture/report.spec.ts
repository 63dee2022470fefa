import { knownSeries, recordedSeries, wrongNamesOf } from '../harness/known-series.js';
import { hasPromtool } from '../harness/metrics-page.js';
import { readRules, testRules } from '../harness/prometheus-rules.js';

/** Plain JavaScript, which has no types. */
const REPORT = '../../src/launcher/report.mjs';
interface Month {
  readonly from: number;
  readonly to: number;
}
interface Report {
  readonly ROWS: readonly (readonly [title: string, expr: string, show: (value: number) => string])[];
  monthOf(text: string, now: number): Month;
  report(month: string, time: Month, ask: (expr: string, time: number) => Promise<object[]>): Promise<string>;
}
let of: Report;
beforeAll(async () => void (of = (await import(REPORT)) as Report));

it('asks for what nodes tell', () => {
  const known = knownSeries(recordedSeries(readRules()));
  const exprs = of.ROWS.map(([, expr]) => expr.replaceAll('WINDOW', '1h'));
  expect(exprs.flatMap((expr) => wrongNamesOf(expr, known))).toEqual([]);
});

it('is about a month, or what there is of it', () => {
  const at = (text: string): number => Date.parse(text) / 1000;
  const now = at('2026-11-29T08:00:00Z');
  expect(of.monthOf('2026-10', now)).toEqual({ from: at('2026-10-01'), to: at('2026-11-01') });
  expect(of.monthOf('2026-11', now)).toEqual({ from: at('2026-11-01'), to: now });
  for (const text of ['2026-13', '26-10', '2026-12', ''])
    expect(() => of.monthOf(text, now)).toThrow(/is no month|not begun/);
});

it('shows the values of each installation', async () => {
  const asked: string[] = [];
  const text = await of.report('2026-10', { from: 100, to: 160 }, (expr, time) => {
    asked.push(`${time} ${expr}`);
    const series = [
      { metric: { job: 'b' }, value: [1, 'NaN'] },
      { metric: { job: 'a' }, value: [1, '0.25'] },
    ];
    return Promise.resolve(expr.includes('slo_bad') || expr.includes('"get"') ? series : []);
  });
  expect(asked[0]).toMatch(/^160 .*\[60s\]/);
  expect(text).toContain('| kept of availability | a: 0.250 %, b: no requests |\n');
  expect(text).toContain('| P99 of get | a: 250 ms, b: no requests |\n');
  expect(text).toContain('| interruptions | no data |\n');
});

(hasPromtool ? it : it.skip)('counts interruptions and what healed, by promtool (apt-get install prometheus)', () => {
  const wanted: Record<string, number> = { interruptions: 3, healed: 2, starts: 1 };
  const promql_expr_test = Object.entries(wanted).map(([title, value]) => ({
    expr: of.ROWS.find(([each]) => each.includes(title))![1].replaceAll('WINDOW', '1h'),
    eval_time: '30m',
    exp_samples: [{ labels: '{job="umbra"}', value }],
  }));
  // Of node a both ended by themselves; node b was started anew; node c drained, and another one took its place.
  const series = {
    'umbra_ready{job="umbra",instance="a",part="etcd"}': '1 1 0 0 1 1 0 1x30',
    'process_start_time_seconds{job="umbra",instance="a"}': '5x40',
    'umbra_ready{job="umbra",instance="b",part="etcd"}': '1 1 0 0 1x30',
    'process_start_time_seconds{job="umbra",instance="b"}': '5 5 5 9x40',
    ...Object.fromEntries(
      ['draining', 'feed', 'mqtt'].map((part) => [
        `umbra_ready{job="umbra",instance="c",part="${part}"}`,
        '1 1 0 0 stale',
      ]),
    ),
    'process_start_time_seconds{job="umbra",instance="c"}': '5 5 5 5 stale',
  };
  const input_series = Object.entries(series).map(([name, values]) => ({ series: name, values }));
  const tests = [{ interval: '1m', input_series, promql_expr_test }];
  const results = testRules(new Map([['report', { rules: { groups: [] }, tests, evaluationInterval: '1m' }]]));
  expect(results.get('report')).toBe('');
});
