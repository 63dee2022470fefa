import {
  CERTIFICATES,
  FEED_LAG,
  nodesByVersion,
  p99,
  READY_NODES,
  readyNodes,
  sideQueries,
} from '../../src/cli/admin/queries.js';
import { knownSeries, wrongNamesOf } from '../harness/known-series.js';
import { hasPromtool } from '../harness/metrics-page.js';
import { checkRules, testRules, type RuleTest } from '../harness/prometheus-rules.js';

const CANARY = { job: 'umbra', version: '0.2.0', isRest: false };
const [mine, theirs] = [sideQueries(CANARY, '600s'), sideQueries({ ...CANARY, isRest: true }, '600s')];
const ASKED = [
  ...[READY_NODES, FEED_LAG, CERTIFICATES, p99('umbra', '60s'), readyNodes('umbra'), nodesByVersion('umbra')],
  ...Object.values(mine),
  ...Object.values(theirs),
];
const KNOWN = knownSeries({});

/** A sample each minute, in promtool's notation; a node each for `a` (old), `b` (old) and `c` (new). */
const at = (name: string, instance: string, more = '', job = 'umbra'): string =>
  `${name}{job="${job}",instance="${instance}"${more && `,${more}`}}`;
const update = (outcome: string): string => `door="mqtt",operation="update",outcome="${outcome}"`;
const build = (version: string, node: string): string => `version="${version}",nodejs="v20",node="${node}"`;

/** Requests a minute, of which some are slower than 64 ms and all are faster than 128 ms. */
function times(instance: string, fast: number, slow: number): [string, string][] {
  const bucket = (le: string, more: string): string =>
    at('umbra_request_duration_seconds_bucket', instance, `door="mqtt",${more},le="${le}"`);
  const all = fast + slow;
  return [
    [bucket('0.064', 'operation="update"'), `0+${fast}x60`],
    [bucket('0.128', 'operation="update"'), `0+${all}x60`],
    [bucket('+Inf', 'operation="update"'), `0+${all}x60`],
    // A stream of an hour is not slow.
    [bucket('8.192', 'operation="watch"'), '0x60'],
    [bucket('+Inf', 'operation="watch"'), '0+9000x60'],
  ];
}

const SERIES: readonly [string, string][] = [
  [at('umbra_build_info', 'a', build('0.1.0', 'n1')), '1x60'],
  [at('umbra_build_info', 'b', build('0.1.0', 'n2')), '1x60'],
  [at('umbra_build_info', 'c', build('0.2.0', 'n3')), '1x60'],
  // Another installation, of which nothing may be counted.
  [at('umbra_build_info', 'a', build('0.2.0', 'm1'), 'other'), '1x60'],
  [at('umbra_requests_total', 'a', update('ok'), 'other'), '0+7000x60'],
  [at('umbra_requests_total', 'a', update('ok')), '0+98x60'],
  [at('umbra_requests_total', 'a', update('unavailable')), '0+1x60'],
  // The caller's own fault.
  [at('umbra_requests_total', 'a', update('invalid')), '0+1x60'],
  [at('umbra_requests_total', 'b', update('ok')), '0+100x60'],
  [at('umbra_requests_total', 'c', update('ok')), '0+45x60'],
  [at('umbra_requests_total', 'c', update('internal')), '0+5x60'],
  ...times('a', 100, 0),
  ...times('b', 100, 0),
  ...times('c', 0, 50),
  [at('process_start_time_seconds', 'a'), '-100x60'],
  [at('process_start_time_seconds', 'b'), '-400x60'],
  [at('process_start_time_seconds', 'c'), '600x60'],
  [at('umbra_ready', 'a', 'part="etcd"'), '1x60'],
  [at('umbra_ready', 'a', 'part="mqtt"'), '1x60'],
  [at('umbra_ready', 'b', 'part="etcd"'), '1x60'],
  [at('umbra_ready', 'b', 'part="mqtt"'), '0x60'],
  [at('umbra_ready', 'c', 'part="etcd"'), '1x60'],
];

const EXPECTED: readonly [expr: string, samples: readonly (readonly [labels: string, value: number])[]][] = [
  [mine.requests, [['{}', 500]]],
  [theirs.requests, [['{}', 2000]]],
  [mine.failed, [['{}', 50]]],
  [theirs.failed, [['{}', 10]]],
  [`round(${mine.p99}, 0.001)`, [['{}', 0.127]]],
  [`round(${theirs.p99}, 0.001)`, [['{}', 0.063]]],
  [mine.age, [['{}', 1200]]],
  [theirs.age, [['{}', 1900]]],
  [
    nodesByVersion('umbra'),
    [
      ['{version="0.1.0"}', 2],
      ['{version="0.2.0"}', 1],
    ],
  ],
  [READY_NODES, [['{}', 2]]],
  [
    readyNodes('umbra'),
    [
      [`{job="umbra",instance="a",${build('0.1.0', 'n1')}}`, 1],
      [`{job="umbra",instance="b",${build('0.1.0', 'n2')}}`, 0],
      [`{job="umbra",instance="c",${build('0.2.0', 'n3')}}`, 1],
    ],
  ],
  [`round(${p99('umbra', '300s')}, 0.001)`, [['{}', 0.125]]],
  // Nothing of a version that no node runs.
  [sideQueries({ ...CANARY, version: '9' }, '600s').requests, []],
];

describe('the expressions of the commands', () => {
  it.each(ASKED)('ask for what a node tells: %s', (expr) => {
    expect(wrongNamesOf(expr, KNOWN)).toEqual([]);
  });

  const [named, why] = hasPromtool ? [it, 'by promtool'] : [it.skip, 'promtool is missing: apt-get install prometheus'];
  named(`are computed as they are meant (${why})`, () => {
    const rules = ASKED.map((expr, index) => ({ record: `asked:${index}`, expr }));
    expect(checkRules([{ groups: [{ name: 'asked', rules }] }])).toBe('');
    const test: RuleTest = {
      interval: '1m',
      input_series: SERIES.map(([series, values]) => ({ series, values })),
      promql_expr_test: EXPECTED.map(([expr, samples]) => ({
        ...{ expr, eval_time: '30m' },
        exp_samples: samples.map(([labels, value]) => ({ labels, value })),
      })),
    };
    const all = { rules: { groups: [] }, tests: [test], evaluationInterval: '1m' };
    expect([...testRules(new Map([['asked', all]]))]).toEqual([['asked', '']]);
  });
});
