import { asked, readDashboards } from '../harness/dashboards.js';
import { knownSeries, recordedSeries, wrongNamesOf } from '../harness/known-series.js';
import { hasPromtool } from '../harness/metrics-page.js';
import { checkRules, readRules } from '../harness/prometheus-rules.js';

const DASHBOARDS = readDashboards();
const KNOWN = knownSeries(recordedSeries(readRules()));
const ASKED = [...DASHBOARDS].flatMap(([file, { panels }]) =>
  panels.flatMap(({ title, targets }) =>
    targets.map(({ expr, legendFormat }) => ({ file, title, expr, legendFormat })),
  ),
);

describe('dashboards', () => {
  it('are those of the pages', () => {
    const names = ['etcd', 'mqtt', 'overview', 'release', 'store'].map((name) => `${name}.dashboard.json`);
    expect([...DASHBOARDS.keys()].sort()).toEqual(names);
  });

  it.each(ASKED)('ask for what a node tells: $file $title: $expr', ({ expr, legendFormat }) => {
    expect(wrongNamesOf(asked(expr, '1m'), KNOWN)).toEqual([]);
    // A legend can only say what the answer still has.
    const kept = [...expr.matchAll(/\b(?:by|group_left) \(([^)]*)\)/g)].flatMap(([, labels]) => labels!.split(', '));
    const said = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!);
    if (/\bby \(/.test(expr) && !expr.includes('group_right'))
      expect(said.filter((each) => !kept.includes(each))).toEqual([]);
  });

  it.each([...DASHBOARDS])('%s has panels that do not cover each other', (_, { panels }) => {
    const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
      Array.from({ length: h * w }, (__, at) => `${x + (at % w)}:${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });

  (hasPromtool ? it : it.skip)('ask what Prometheus can parse, by promtool (apt-get install prometheus)', () => {
    const rules = ASKED.map(({ expr }, at) => ({ record: `panel:${at}`, expr: asked(expr, '1m') }));
    expect(checkRules([{ groups: [{ name: 'panels', rules }] }])).toBe('');
    expect(
      checkRules([{ groups: [{ name: 'panels', rules: [{ record: 'wrong', expr: 'sum by (le (up)' }] }] }]),
    ).toMatch(/parse error/);
  });
});
