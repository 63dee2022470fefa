import { readFileSync } from 'node:fs';
import { hasPromtool } from '../harness/metrics-page.js';
import { alertsOf, readRules, rulesOf, testRules, type RuleTest, type RuleTests } from '../harness/prometheus-rules.js';
import { knownSeries, recordedSeries, wrongNamesOf } from '../harness/known-series.js';
import { ALERT_CASES, type AlertCase } from '../cases/alerts.js';

const FILES = readRules();
const RULES = [...FILES.values()].flatMap(rulesOf);
const ALERTS = alertsOf(FILES);
const KNOWN = knownSeries(recordedSeries(FILES));

describe('rules of Prometheus', () => {
  it.each(RULES.map((rule) => [rule.alert ?? rule.record, rule.expr]))('name what a node tells: %s', (_, expr) => {
    expect(wrongNamesOf(expr!, KNOWN)).toEqual([]);
  });

  it('would be found wrong where they name something else', () => {
    const wrong = {
      'rate(umbra_request_total[5m])': ['umbra_request_total'],
      'sum by (door, thing) (umbra_requests_total)': ['by thing'],
      'umbra_requests_total{result="ok"}': ['umbra_requests_total{result}'],
      'umbra_requests_total{outcome=~"ok|fine"} offset 1w': ['umbra_requests_total{outcome="fine"}'],
      'nonsense(up)': ['nonsense'],
    };
    expect(Object.keys(wrong).map((expr) => wrongNamesOf(expr, KNOWN))).toEqual(Object.values(wrong));
  });

  it('have names of their own', () => {
    const names = ALERTS.map(({ alert }) => alert);
    expect(new Set(names).size).toBe(names.length);
  });

  it.each(ALERTS.map((rule) => [rule.alert, rule]))('say whom to call and what to read: %s', (alert, rule) => {
    const { labels = {}, annotations = {} } = rule;
    expect(['page', 'ticket']).toContain(labels['severity']);
    expect(annotations['summary']).toMatch(/\S/);
    const [page, anchor] = annotations['runbook_url']!.split('#');
    expect(anchor).toBe(alert!.toLowerCase());
    expect(readFileSync(page!, 'utf8')).toContain(`\n### ${alert}\n`);
  });

  it('all have a case', () => {
    const tried = new Set(ALERT_CASES.map(({ alert }) => alert));
    // burn-rates.spec.ts has those.
    const others = ALERTS.filter(({ expr }) => !expr.includes('umbra:slo_burn'));
    expect(others.flatMap(({ alert }) => (tried.has(alert!) ? [] : [alert]))).toEqual([]);
  });
});

describe('docs/runbooks.md', () => {
  const page = readFileSync('docs/runbooks.md', 'utf8');
  const sections = page
    .split(/^### /m)
    .slice(1)
    .map((section) => [section.split('\n', 1)[0]!, section] as const);

  it.each(sections)('says for whom it is: %s', (alert, section) => {
    const rule = ALERTS.find((each) => each.alert === alert);
    expect(section).toContain(`**${rule?.labels!['severity']}.**`);
  });

  it('asks Prometheus what it can answer', () => {
    const blocks = [...page.matchAll(/^```promql\n([\s\S]*?)^```/gm)].map(([, expr]) => expr!.trim());
    const spans = [...page.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/`([^`]*(?:umbra|etcd)_[^`]*)`/g)];
    const metrics = readFileSync('docs/metrics.md', 'utf8');
    // The bare name of a family is enough for a reader.
    const queries = [...blocks, ...spans.map(([, span]) => span!)].filter((each) => !metrics.includes(`\`${each}\``));
    expect(queries.length).toBeGreaterThan(5);
    expect(queries.flatMap((expr) => wrongNamesOf(expr, KNOWN))).toEqual([]);
  });
});

it.each(['docs/operations.md', 'docs/runbooks.md'])(
  '%s names a member as etcdctl takes it beside the variable',
  (file) => {
    // "conflicting environment variable is shadowed by corresponding command-line flag", and nothing is done.
    expect(readFileSync(file, 'utf8').match(/.*etcdctl .*--endpoints.*/g)).toBeNull();
  },
);

/** It fires at the time that the case says and not a minute before, and never while all is within its limit. */
function testsOf({ alert, series, quiet, fires, count = 1 }: AlertCase): RuleTest[] {
  const expr = `count(ALERTS{alertname="${alert}", alertstate="firing"})`;
  const test = (input: AlertCase['series'], claims: readonly [at: number, count: number][]): RuleTest => ({
    interval: '1m',
    input_series: Object.entries(input).map(([name, values]) => ({ series: name, values })),
    promql_expr_test: claims.map(([at, value]) => ({
      expr,
      eval_time: `${at}m`,
      exp_samples: value === 0 ? [] : [{ labels: '{}', value }],
    })),
  });
  const claims: [number, number][] = [[fires, count]];
  if (fires > 0) claims.unshift([fires - 1, 0]);
  return [
    test(series, claims),
    test(quiet, [
      [fires, 0],
      [fires + 30, 0],
    ]),
  ];
}

(hasPromtool ? describe : describe.skip)('alerts, by promtool (apt-get install prometheus)', () => {
  let results: ReadonlyMap<string, string>;
  beforeAll(() => {
    const of = (each: AlertCase): RuleTests => {
      const rule = ALERTS.find(({ alert }) => alert === each.alert)!;
      return { rules: { groups: [{ name: 'one', rules: [rule] }] }, tests: testsOf(each), evaluationInterval: '1m' };
    };
    results = testRules(new Map(ALERT_CASES.map((each) => [each.alert, of(each)])));
  });

  it.each(ALERT_CASES.map(({ alert }) => alert))('%s', (alert) => {
    expect(results.get(alert)).toBe('');
  });
});
