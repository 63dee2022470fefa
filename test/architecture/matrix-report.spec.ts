import { html } from '../matrix/blocks.js';
import { compareRuns, comparisonText } from '../matrix/compare.js';
import { FORMAT, type FaultRun, type MatrixRun } from '../matrix/matrix-run.js';
import { findingsOf, SCORED_TOPOLOGY } from '../matrix/findings.js';
import { readProfile } from '../matrix/profile.js';
import { reportOf } from '../matrix/report.js';

const NAMES = ['etcd', 'redis-async'];

const faultOf = (column: string, lost: number): FaultRun => ({
  ...{ column, fault: 'cut from peers', round: 0, acked: 900, failed: 3, lost, gapMs: 2_030, served: 0.83 },
  lostNames: Array.from({ length: Math.min(lost, 200) }, (_, i) => `s-1: w${i}`),
  broken: lost > 0 ? [{ promise: 'no acknowledged update is lost', count: lost, first: 's-1 <is> "gone"' }] : [],
  ...{ twoWritersMs: lost > 0 ? 20_000 : 0, twoWriters: lost > 0 ? [900, 20_900] : null },
  ...{ readsServed: 0.9, stale: lost, oldestMs: 3_100, note: lost > 0 ? 'the <leader> ended' : null },
  ...{ buckets: [40, 41, 0, 12, 39], faultAt: 200, healedAt: 400 },
  steps: [
    { name: 'last acknowledgement', ms: 4 },
    { name: 'first acknowledgement', ms: lost > 0 ? null : 2_034 },
  ],
});

function runOf(control: readonly number[] = [0.98, 1.03]): MatrixRun {
  return {
    format: FORMAT,
    about: {
      ...{
        startedAt: '2026-01-01T00:00:00.000Z',
        command: 'npm run matrix',
        scale: 'quick',
        rounds: 2,
        seed: 7,
        control,
      },
      ...{ machine: '2 cores', versions: { etcd: '3.4.23' }, load: [0.4, 1.9] as const },
    },
    columns: NAMES.map((name) => ({
      ...{
        name,
        title: name,
        text: `the column | ${name}`,
        processes: 3,
        operations: { score: 0.7, reason: 'few parts' },
      },
    })),
    latencies: NAMES.flatMap((column) =>
      (['write', 'read'] as const).map((operation) => ({
        ...{
          column,
          topology: SCORED_TOPOLOGY,
          load: 'fixed' as const,
          operation,
          perSecond: [500, 500],
          n: 2_000,
          failed: 0,
          stale: 0,
          oldestMs: 0,
        },
        ...{ ageMs: column === 'etcd' ? { p50: 12, p99: 80 } : null, wrongAges: column === 'etcd' ? 17 : 0 },
        ...{ p50: [1, 1.2], p99: [4, 5], deviation: [1, 1], longest: [9, 12] },
        cdf: [[0.5, 0.1] as const, [1, 0.5] as const, [4, 0.99] as const, [12, 1] as const],
      })),
    ),
    throughputs: NAMES.map((column, i) => ({
      ...{ column, callers: 1_600, perSecond: [9_000 + i, 9_900], cpuMicros: { node: 50, storage: 60 + i } },
      ...{ diskBytes: { node: 0, storage: 4_096 }, networkBytes: i === 0 ? 812 : null },
    })),
    memories: [{ column: 'etcd', shadows: 10_000, bytes: { etcd: [900, 1_100], node: [300, 310] } }],
    callTimeouts: [
      {
        ...{ timers: 'default', callTimeoutMs: 500, gaps: [1_400, 1_600], elections: [1_200, 1_250] },
        ...{ stopMs: 5_400, stops: 18, failed: 2, writes: 900, left: 3 },
      },
    ],
    faults: [faultOf('etcd', 0), faultOf('redis-async', 4_928)],
    skipped: [
      { row: 'full disk', failed: false, reason: 'needs root' },
      { row: 'killed', failed: true, reason: 'no leader' },
    ],
  };
}

const profile = readProfile('mine', {
  ...{ title: 'Mine', weights: { consistency: 1, latency: 1, cost: 1 }, limitMs: 50, alpha: 0.5, forbidsLoss: true },
});
const again = (run: MatrixRun): MatrixRun => JSON.parse(JSON.stringify(run)) as MatrixRun;

describe('report of the decision matrix', () => {
  it('is the same to the byte for the same run', () => {
    const first = reportOf(runOf(), [profile]);
    expect(reportOf(again(runOf()), [profile])).toEqual(first);
  });

  it('is one page without scripts and without anything from elsewhere, with a table behind each chart', () => {
    const { html } = reportOf(runOf(), [profile]);
    expect(html).not.toMatch(/<script|<link|<img|<iframe|@import|url\(|\son\w+=|NaN|undefined/);
    expect(html.replaceAll(/xmlns(:\w+)?="[^"]*"/g, '')).not.toContain('http');
    const count = (part: string): number => html.split(part).length - 1;
    expect(count('<figure>')).toBeGreaterThan(6);
    expect(count('<figure>')).toBe(count('<details>'));
    expect(count('<table>')).toBeGreaterThan(count('<figure>'));
    expect(html).toContain('prefers-color-scheme: dark');
  });

  it('names what was lost, who won, and what was skipped', () => {
    const { markdown, html } = reportOf(runOf(), [profile]);
    expect(markdown).toContain('**4,928**');
    expect(markdown).toContain('s-1: w0, s-1: w1');
    expect(markdown).toContain('`redis-async` (has lost writes)');
    expect(markdown).toContain('| full disk | needs root |');
    expect(markdown).toContain('| killed | failed: no leader |');
    expect(markdown).toContain('the column \\| etcd');
    expect(html).toContain('s-1 &lt;is&gt; &quot;gone&quot;');
    expect(markdown).toContain('20,000 (900 ms to 20.90 s)');
    expect(html).toContain('the &lt;leader&gt; ended');
  });

  it('tells the ages of reads, those that cannot be, and what an update and a shadow take', () => {
    const { markdown } = reportOf(runOf(), [profile]);
    expect(markdown).toContain('| 12.0, 80.0 ms | **17** |');
    expect(markdown).toContain('| node 50.0, storage 60.0 | node 0.00, storage 4,096 | 812 |');
    expect(markdown).toContain('| not measured |');
    expect(markdown).toContain('| 10,000 | 1,305 | etcd 1,000 (900 … 1,100); node 305 (300 … 310) |');
    expect(markdown).toContain('| default | 500 | 2 | 1,500 (1,400 … 1,600) | 1,225 | 275 |');
  });

  it.each([
    ['says so', [0.85, 0.89], true],
    ['says nothing of it', [0.95, 1.04], false],
  ])('of a machine whose control is %s', (_, control, busy) => {
    const { html, markdown } = reportOf(runOf(control), [profile]);
    expect(html.includes('class="alarm"')).toBe(busy);
    expect(markdown.includes('The machine was busy')).toBe(busy);
  });

  it('hands every figure that a score asks for over, or that it is missing', () => {
    const [, redis] = findingsOf(runOf());
    expect(redis).toMatchObject({ lost: 4_928, broken: 1, writeP99: 4.5, readP99: 4.5, served: 0.83, cpuMicros: 111 });
    const [etcd] = findingsOf({ ...runOf(), faults: [], latencies: [], throughputs: [] });
    expect(etcd).toMatchObject({
      lost: null,
      broken: null,
      writeP99: null,
      readP99: null,
      served: null,
      cpuMicros: null,
    });
    expect(reportOf({ ...runOf(), faults: [], latencies: [] }, [profile]).markdown).toContain('left out');
  });

  it('says of two runs whether columns that are far apart have changed places', () => {
    const withLosses = (etcd: number, redis: number): MatrixRun => ({
      ...runOf(),
      faults: [faultOf('etcd', etcd), faultOf('redis-async', redis)],
    });
    expect(compareRuns(withLosses(0, 900), withLosses(0, 30)).turned).toEqual([]);
    const { turned, pairs } = compareRuns(withLosses(10, 900), withLosses(40, 30));
    expect(turned).toEqual(['lost: cut from peers: etcd 10, redis-async 900; then etcd 40, redis-async 30']);
    expect(pairs).toBe(1);
    // Those that were as good as equal may.
    expect(compareRuns(withLosses(10, 12), withLosses(12, 10)).pairs).toBe(0);
    expect(comparisonText(compareRuns(runOf(), again(runOf())))).toMatch(/^1 pairs .* in the same order$/);
  });

  it('takes no markup from what it shows', () => {
    expect(html('<b>', [{ kind: 'text', text: '<script>`a` **b**' }])).toContain(
      '<p>&lt;script&gt;<code>a</code> <strong>b</strong></p>',
    );
  });
});
