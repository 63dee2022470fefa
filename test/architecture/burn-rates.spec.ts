import { hasPromtool } from '../harness/metrics-page.js';
import {
  changedRules,
  readRules,
  rulesOf,
  testRules,
  type Rule,
  type RuleTest,
  type RuleTests,
} from '../harness/prometheus-rules.js';

const RULES = readRules().get('objectives.rules.yaml')!;
const OBJECTIVES = { availability: 0.001, update_latency: 0.01, feed_lag: 0.01, read_latency: 0.01 };
/** Requests a minute, of each kind. */
const PACE = 6_000;

/** For how many minutes the budgets burn how fast. */
type Course = readonly (readonly [minutes: number, burn: number])[];

/** A counter that grows by so much a minute. */
function counter(course: Course, growth: (burn: number) => number): string {
  let value = 0;
  const parts = course.map(([minutes, burn]) => {
    const by = growth(burn);
    const part = `${value}+${by}x${minutes - 1}`;
    value += by * minutes;
    return part;
  });
  return parts.join(' ');
}

/** Everything that the objectives look at, all of them burning alike, and what they must not count. */
function seriesOf(course: Course): RuleTest['input_series'] {
  const of = (name: string, labels: object, growth: (burn: number) => number) => {
    const pairs = Object.entries({ job: 'umbra', instance: 'a', ...labels }).map(([key, value]) => `${key}="${value}"`);
    return { series: `${name}{${pairs.join(',')}}`, values: counter(course, growth) };
  };
  const bad = (objective: keyof typeof OBJECTIVES) => (burn: number) => burn * OBJECTIVES[objective] * PACE;
  const good = (objective: keyof typeof OBJECTIVES) => (burn: number) => PACE - bad(objective)(burn);
  const requests = (outcome: string, growth: (burn: number) => number) =>
    of('umbra_requests_total', { door: 'mqtt', operation: 'update', outcome }, growth);
  const histogram = (name: string, objective: keyof typeof OBJECTIVES, le: string[], labels: object = {}) => [
    // Nothing is faster than the bound, and all that is not is within the next one.
    of(`${name}_bucket`, { ...labels, le: le[0] }, () => 0),
    of(`${name}_bucket`, { ...labels, le: le[1] }, good(objective)),
    of(`${name}_bucket`, { ...labels, le: le[2] }, () => PACE),
    of(`${name}_count`, labels, () => PACE),
  ];
  return [
    ...['unavailable', 'unknown', 'internal', 'storage_full'].map((outcome) =>
      requests(outcome, (burn) => bad('availability')(burn) / 4),
    ),
    ...['ok', 'too_many', 'draining', 'invalid'].map((outcome) =>
      requests(outcome, (burn) => good('availability')(burn) / 4),
    ),
    ...histogram('umbra_request_duration_seconds', 'update_latency', ['0.064', '0.128', '0.256'], {
      door: 'mqtt',
      operation: 'update',
    }),
    ...histogram('umbra_request_duration_seconds', 'read_latency', ['0.032', '0.064', '0.128'], {
      door: 'http',
      operation: 'get',
    }),
    ...histogram('umbra_feed_lag_seconds', 'feed_lag', ['0.128', '0.256', '0.512']),
  ];
}

/** A series of each objective, that says how fast its budget burns, or what that follows from. */
const recorded = (record: string, valuesOf: (budget: number) => string): RuleTest['input_series'] =>
  Object.entries(OBJECTIVES).map(([slo, budget]) => ({
    series: `${record}{job="umbra",slo="${slo}"}`,
    values: valuesOf(budget),
  }));

interface Claim {
  readonly expr: string;
  /** At each objective it is 1, or it has no value. */
  readonly holds: boolean;
  readonly at: string;
  readonly labels?: Readonly<Record<string, string>>;
}

function claim({ expr, holds, at, labels = {} }: Claim): RuleTest['promql_expr_test'] {
  const exp_samples = Object.keys(OBJECTIVES).map((slo) => {
    const pairs = Object.entries({ job: 'umbra', slo, ...labels }).map(([key, value]) => `${key}="${value}"`);
    return { labels: `{${pairs.join(', ')}}`, value: 1 };
  });
  return [{ expr, eval_time: at, exp_samples: holds ? exp_samples : [] }];
}

/** Seconds. */
const WINDOWS = { '5m': 300, '30m': 1_800, '1h': 3_600, '2h': 7_200, '6h': 21_600, '1d': 86_400, '3d': 259_200 };
/** Alerts by their windows, the burn rate from which they fire, and for whom. */
const ALERTS: readonly [alert: string, long: string, short: string, threshold: number, severity: string][] = [
  ['UmbraBudgetBurnsFast', '1h', '5m', 14.4, 'page'],
  ['UmbraBudgetBurns', '6h', '30m', 6, 'page'],
  ['UmbraBudgetBurnsSlowly', '1d', '2h', 3, 'ticket'],
  ['UmbraBudgetWillEnd', '3d', '6h', 1, 'ticket'],
];

/** The rates that are recorded from what a node tells, and the shortest window, which is read from them at once. */
function rateTests(): RuleTest[] {
  const about = (burn: number) => `abs(umbra:slo_burn:5m - ${burn}) < bool ${0.2 * burn}`;
  const test = (course: Course, at: string): RuleTest => ({
    interval: '1m',
    input_series: seriesOf(course),
    promql_expr_test: claim({ expr: about(6), holds: true, at }),
  });
  // All of a window burns, or three of its five minutes.
  return [
    test([[20, 6]], '19m'),
    test(
      [
        [20, 0],
        [4, 10],
      ],
      '23m',
    ),
  ];
}

/** A window of which the last half burns, and which comes after a quiet one. */
function windowTest(name: keyof typeof WINDOWS): RuleTest {
  const step = WINDOWS[name] / 60;
  const [quiet, burning] = [130, 30];
  const rates = [
    // Twice as many requests while it burns: a window counts requests, not minutes.
    ...recorded('umbra:slo_all:rate5m', () => `100+0x${quiet - 1} 200+0x${burning}`),
    ...recorded('umbra:slo_bad:rate5m', (budget) => `0+0x${quiet - 1} ${200 * budget * 9}+0x${burning}`),
  ];
  return {
    interval: `${step}s`,
    input_series: rates,
    // 30 of 60 looks: 2/3 of the requests burn 9 times.
    promql_expr_test: claim({
      expr: `abs(umbra:slo_burn:${name} - 6) < bool 0.5`,
      holds: true,
      at: `${(quiet + burning - 1) * step}s`,
    }),
  };
}

/** Both of its windows burn too fast, or one of them; all others never do. */
function alertTests([alert, long, short, threshold, severity]: (typeof ALERTS)[number]): RuleTest[] {
  const test = (holds: boolean, ofLong: number, ofShort: number): RuleTest => ({
    interval: '1m',
    input_series: Object.keys(WINDOWS).flatMap((name) =>
      recorded(
        `umbra:slo_burn:${name}`,
        () => `${threshold * (name === long ? ofLong : name === short ? ofShort : 0)}+0x4`,
      ),
    ),
    promql_expr_test: claim({
      expr: `count by (job, slo, severity) (ALERTS{alertname="${alert}", alertstate="firing"})`,
      ...{ holds, at: '3m', labels: { severity } },
    }),
  });
  return [
    test(true, 1.05, 1.05),
    test(false, 0.95, 1.05),
    test(false, 1.05, 0.95),
    test(false, 0, 2),
    test(false, 2, 0),
  ];
}

const BUDGETS = (rule: Rule): boolean => rule.record === 'umbra:slo_budget';
const windowOf = ({ record }: Rule) => record?.replace('umbra:slo_burn:', '') as keyof typeof WINDOWS;

/** The tests of one rule, with what it needs; its inputs are those that other rules record. */
function testsOf(rule: Rule): RuleTests {
  const of = (needs: (each: Rule) => boolean, tests: readonly RuleTest[], evaluationInterval: string): RuleTests => ({
    rules: changedRules(RULES, (each) => each, needs),
    tests,
    evaluationInterval,
  });
  if (rule.alert !== undefined) {
    const row = ALERTS.find(([alert]) => alert === rule.alert)!;
    return of(({ alert }) => alert === rule.alert, alertTests(row), '1m');
  }
  const name = windowOf(rule);
  if (rule.record!.startsWith('umbra:slo_burn:') && name !== '5m')
    return of((each) => BUDGETS(each) || each.record === rule.record, [windowTest(name)], `${WINDOWS[name] / 60}s`);
  const first = ({ record }: Rule) => record !== undefined && /^umbra:slo_(?:bad|all|budget|burn:5m)/.test(record);
  return of(first, rateTests(), '1m');
}

/** From what a node tells to an alert. */
const CHAIN: RuleTests = {
  rules: RULES,
  evaluationInterval: '1m',
  tests: [
    {
      interval: '1m',
      input_series: seriesOf([[75, 15]]),
      promql_expr_test: claim({
        expr: 'count by (job, slo) (ALERTS{alertname="UmbraBudgetBurnsFast", alertstate="firing"})',
        ...{ holds: true, at: '70m' },
      }),
    },
  ],
};

type Change = (expr: string) => string;
const replace =
  (from: string | RegExp, to: string): Change =>
  (expr) => {
    const changed = expr.replaceAll(from, to);
    if (changed === expr) throw new Error(`${String(from)} is not in ${expr}`);
    return changed;
  };

/** Wrong rules that somebody might write, by which rule they replace. */
function mutationsOf({ alert, record, labels, expr }: Rule): [string, Change][] {
  if (alert !== undefined) {
    const [long, short] = expr.split(' and ') as [string, string];
    return [
      ['a higher limit', replace(/> [\d.]+/g, `> ${1.5 * Number(/> ([\d.]+)/.exec(expr)![1])}`)],
      ['a lower limit', replace(/> [\d.]+/g, `> ${0.6 * Number(/> ([\d.]+)/.exec(expr)![1])}`)],
      ['the long window alone', () => long],
      ['the short window alone', () => short],
      ['either window', replace(' and ', ' or ')],
    ];
  }
  if (record === 'umbra:slo_budget') return [['ten times the budget', (each) => `${each} * 10`]];
  if (record === 'umbra:slo_burn:5m') return [['no budget', replace(/ \/ on .*/g, '')]];
  if (record!.startsWith('umbra:slo_burn:')) {
    const [window, amount, unit] = /\[(\d+)(\w)\]/.exec(expr)! as unknown as [string, string, string];
    return [
      ['half the window', replace(window, `[${(Number(amount) * UNITS[unit]!) / 2}m]`)],
      ['twice the window', replace(window, `[${Number(amount) * UNITS[unit]! * 2}m]`)],
      ['no budget', replace(/ \/ on .*/g, '')],
      ['one mean of rates', replace('sum_over_time(umbra:slo_all', 'avg_over_time(umbra:slo_all')],
      [
        'a mean of shares',
        () =>
          `avg_over_time((umbra:slo_bad:rate5m / umbra:slo_all:rate5m)${window.replace(']', ':]')}) / on (slo) group_left umbra:slo_budget`,
      ],
    ];
  }
  const wrong: [string, Change][] = [['nothing', (each) => `0 * (${each})`]];
  if (labels!['slo'] === 'availability' && record === 'umbra:slo_bad:rate5m')
    wrong.push(
      ['without one outcome', replace('|internal', '')],
      ['with what callers do', replace('unavailable|', 'unavailable|too_many|')],
    );
  if (expr.includes('le=')) wrong.push(['the next bucket', replace(/le="([\d.]+)"/g, `le="${nextBound(expr)}"`)]);
  if (expr.includes('operation=')) wrong.push(['another operation', replace(/operation="\w+"/g, 'operation="list"')]);
  return wrong;
}

const UNITS: Readonly<Record<string, number>> = { m: 1, h: 60, d: 24 * 60 };
const nextBound = (expr: string): number => 2 * Number(/le="([\d.]+)"/.exec(expr)![1]);
const nameOf = ({ alert, record, labels }: Rule): string =>
  `${alert ?? record}${labels?.['slo'] ? ` of ${labels['slo']}` : ''}`;

const rules = rulesOf(RULES);
const mutations = rules.flatMap((rule) =>
  mutationsOf(rule).map(([title, change]) => {
    const { rules: needed, ...rest } = testsOf(rule);
    const changed = changedRules(needed, (each) =>
      nameOf(each) === nameOf(rule) ? { ...each, expr: change(each.expr) } : each,
    );
    return [`${nameOf(rule)}: ${title}`, { ...rest, rules: changed }] as const;
  }),
);

(hasPromtool ? describe : describe.skip)('burn rates, by promtool (apt-get install prometheus)', () => {
  let results: ReadonlyMap<string, string>;
  beforeAll(() => {
    const good = rules.map((rule) => [nameOf(rule), testsOf(rule)] as const);
    results = testRules(new Map([...good, ['all together', CHAIN], ...mutations]));
  });

  it.each([...rules.map(nameOf), 'all together'])('are right: %s', (name) => {
    expect(results.get(name)).toBe('');
  });

  it.each(mutations.map(([name]) => name))('would be found wrong: %s', (name) => {
    expect(results.get(name)).toContain('FAILED');
  });
});
