import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { telemetry } from '../../src/sdk/telemetry/index.js';
import { RecordedTelemetry, type RecordedValue } from '../harness/recorded-telemetry.js';
import { busy, TokenService, type Answer } from '../harness/token-service.js';

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets: readonly { readonly expr: string }[] }[];
}

const { panels } = JSON.parse(readFileSync('k8s/observability/client-tokens.dashboard.json', 'utf8')) as Dashboard;
const [heatMap, failures] = panels.map(({ targets }) => targets[0]!.expr) as [string, string];
/** Debian has it in the package prometheus. */
const PROMTOOL = spawnSync('promtool', ['--version']).status === 0;
/** Seconds; those of the histogram. */
let bounds: readonly number[] = [];
const MINUTE = 60_000;
const HOURS = 4;

/** A value of a histogram, and the milliseconds from the start of the run at which it was recorded. */
interface Timed extends RecordedValue {
  readonly at: number;
}

/** A session that renews its token for four hours, whose service takes its time; what it has recorded. */
async function run(): Promise<readonly Timed[]> {
  const recorded = new RecordedTelemetry();
  const service = new TokenService();
  const { clock } = service;
  const start = clock.now();
  const values: Timed[] = [];
  const note = (): void => {
    for (const each of recorded.values.splice(0)) values.push({ ...each, at: clock.now() - start });
  };
  const slow =
    (ms: number, answer: Answer): Answer =>
    () =>
      new Promise((resolve) => clock.after(ms, () => resolve(answer())));
  const good: Answer = () => Response.json({ access_token: `T${clock.now()}`, expires_in: 3_600 });
  const session = service.session();
  telemetry({ tracer: recorded.tracer, meter: recorded.meter, clock }).session(session);
  // The first token takes 300 ms, and one of a later hour comes after a failure.
  service.answers = [slow(300, good), slow(700, good), slow(40, busy), slow(900, good)];
  void session.token(new AbortController().signal);
  for (let minute = 0; minute < HOURS * 60; minute++) {
    await clock.advance(MINUTE);
    note();
    if (minute === 200) void session.refresh();
  }
  session.close();
  bounds = values[0]!.options.advice!.explicitBucketBoundaries!;
  return values;
}

/** The series that a Prometheus exporter makes of them, by its rules for names; a sample each minute. */
function seriesOf(values: readonly Timed[]): ReadonlyMap<string, readonly (number | '_')[]> {
  const all = new Map<string, (number | '_')[]>();
  const count = (name: string, labels: object, { at }: Timed, more: 0 | 1): void => {
    const pairs = Object.entries(labels).map(([label, value]) => `${label.replaceAll('.', '_')}="${value}"`);
    const key = `${name}{${pairs.join(',')}}`;
    const series = all.get(key) ?? Array<number | '_'>(HOURS * 60 + 1).fill('_');
    for (let minute = Math.ceil(at / MINUTE); minute < series.length; minute++)
      series[minute] = (series[minute] === '_' ? 0 : (series[minute] as number)) + more;
    all.set(key, series);
  };
  for (const each of values) {
    const name = `${each.instrument.replaceAll('.', '_')}_seconds`;
    for (const le of [...bounds, Infinity])
      count(
        `${name}_bucket`,
        { ...each.attributes, le: le === Infinity ? '+Inf' : le },
        each,
        each.value <= le ? 1 : 0,
      );
    count(`${name}_count`, each.attributes, each, 1);
  }
  return all;
}

/** As `histogram_quantile`, rounded to milliseconds. */
function p95(values: readonly number[]): number {
  const rank = 0.95 * values.length;
  const below = (bound: number): number => values.filter((value) => value <= bound).length;
  const index = bounds.findIndex((bound) => below(bound) >= rank);
  const [from, to] = [bounds[index - 1] ?? 0, bounds[index]!];
  const before = index === 0 ? 0 : below(from);
  const result = from + ((to - from) * (rank - before)) / (below(to) - before);
  return Math.round(result * 1_000) / 1_000;
}

const reasonOf = ({ attributes }: Timed): string => String(attributes['token.refresh_reason']);
const labelsOf = (labels: Readonly<Record<string, unknown>>): string =>
  `{${Object.entries(labels)
    .map(([label, value]) => `${label}="${String(value)}"`)
    .join(', ')}}`;

function grouped(values: readonly Timed[], labelsOfValue: (value: Timed) => string): [string, Timed[]][] {
  const groups = new Map<string, Timed[]>();
  for (const each of values) groups.set(labelsOfValue(each), [...(groups.get(labelsOfValue(each)) ?? []), each]);
  return [...groups];
}

describe('the dashboard of tokens', () => {
  let values: readonly Timed[];
  beforeAll(async () => void (values = await run()));

  it('is fed by a run that has several reasons and a failure', () => {
    expect(new Set(values.map(reasonOf))).toEqual(new Set(['first', 'expiry', 'force']));
    expect(values.some(({ attributes }) => attributes['error.type'] !== undefined)).toBe(true);
  });

  it.each(panels.map(({ title, targets }) => [title, targets[0]!.expr]))(
    'asks for what was recorded: %s',
    (_, expression) => {
      const series = [...seriesOf(values).keys()];
      const metrics = expression.match(/\w+_(?:bucket|count)\b/g)!;
      const labels = /by \(([^)]*)\)/.exec(expression)![1]!.split(', ');
      expect(metrics.length).toBeGreaterThan(0);
      for (const metric of metrics) {
        const found = series.filter((each) => each.startsWith(`${metric}{`));
        expect([metric, labels.filter((label) => !found.some((each) => each.includes(`${label}="`)))]).toEqual([
          metric,
          [],
        ]);
      }
    },
  );

  const name = PROMTOOL ? 'by Prometheus' : 'promtool is not installed: apt-get install prometheus';
  (PROMTOOL ? it : it.skip)(`shows the hours and reasons (${name})`, () => {
    const hours = Array.from({ length: HOURS }, (_, index) => index + 1);
    const inHour = (hour: number) => values.filter(({ at }) => Math.ceil(at / (60 * MINUTE)) === hour);
    const tests = hours.flatMap((hour) => {
      const eval_time = `${hour}h`;
      const times = grouped(inHour(hour), ({ attributes: { 'token.refresh_reason': reason } }) =>
        labelsOf({ token_refresh_reason: reason }),
      ).map(([labels, all]) => ({ labels, value: p95(all.map(({ value }) => value)) }));
      const failed = inHour(hour).filter(({ attributes }) => attributes['error.type'] !== undefined);
      const counts = grouped(failed, ({ attributes: { 'token.refresh_reason': reason, 'error.type': error } }) =>
        labelsOf({ token_refresh_reason: reason, error_type: error }),
      ).map(([labels, all]) => ({ labels, value: all.length }));
      return [
        { expr: `round(${heatMap}, 0.001)`, eval_time, exp_samples: times },
        { expr: failures, eval_time, exp_samples: counts },
      ];
    });
    const input_series = [...seriesOf(values)].map(([series, samples]) => ({ series, values: samples.join(' ') }));
    const file = { evaluation_interval: '1m', tests: [{ interval: '1m', input_series, promql_expr_test: tests }] };
    const folder = mkdtempSync(join(tmpdir(), 'umbra-dashboard-'));
    try {
      // JSON is YAML.
      writeFileSync(join(folder, 'test.yml'), JSON.stringify(file));
      const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', 'test.yml'], {
        cwd: folder,
        encoding: 'utf8',
      });
      expect(stdout + stderr).toContain('SUCCESS');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
