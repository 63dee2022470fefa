/**
 * `npm run slo -- URL [YYYY-MM]`: what was kept of the promises in one month, as a table, from a Prometheus that has the
 * rules of k8s/observability/rules and keeps its data for that long.
 */
import { pathToFileURL } from 'node:url';
import { Stop, stopWith } from './steps.mjs';

/** Milliseconds for one answer: a month of a busy installation takes Prometheus some time. */
const ANSWER_MS = 120_000;
const FAILED = 'sum by (job, instance, part) (resets(umbra_ready{part!="draining"}[WINDOW]))';
const DRAINS = 'sum by (job, instance) (resets(umbra_ready{part="draining"}[WINDOW]))';
const STARTS = 'sum by (job, instance) (changes(process_start_time_seconds{job="umbra"}[WINDOW]))';
// The larger one: a drain and the start after it are one end of a process, and Prometheus may see only one of them.
const ENDS = `((${STARTS} >= ${DRAINS}) or ${DRAINS} or ${STARTS})`;
/** Each of the others is taken to have made every part fail once, so that this is no more than the truth. */
const without = (others) =>
  `sum by (job) (clamp_min(${FAILED} - on (job, instance) group_left () ${others}, 0) or ${FAILED})`;
const kept = (slo) => [
  `kept of ${slo}`,
  `100 * (1 - sum_over_time(umbra:slo_bad:rate5m{slo="${slo}"}[WINDOW]) / sum_over_time(umbra:slo_all:rate5m{slo="${slo}"}[WINDOW]))`,
  (value) => `${value.toFixed(3)} %`,
];
const p99 = (operation) => [
  `P99 of ${operation}`,
  `histogram_quantile(0.99, sum by (job, le) (increase(umbra_request_duration_seconds_bucket{operation="${operation}"}[WINDOW])))`,
  (value) => `${(value * 1000).toFixed(0)} ms`,
];
const count = (value) => String(Math.round(value));

/** Title, expression for a job, and how a value is shown. */
export const ROWS = [
  ...['availability', 'update_latency', 'read_latency', 'feed_lag'].map(kept),
  ...['update', 'get'].map(p99),
  // A part that was ready and then was not, although its node did not drain.
  ['interruptions', without(DRAINS), count],
  ['of them healed by themselves, at least', without(ENDS), count],
  ['starts of nodes, by people, releases or supervisors', `sum by (job) (${STARTS})`, count],
  [
    'promoted runtime configurations',
    'max by (job) (changes(umbra_runtime_config_version{state="live"}[WINDOW]))',
    count,
  ],
];

/** The first and the last moment of a month, UTC, in seconds of the epoch; of this one, until now. */
export function monthOf(text, now) {
  const match = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text);
  if (!match) throw new Stop(`${text} is no month; write it as 2026-10`);
  const [year, month] = [Number(match[1]), Number(match[2])];
  const [from, end] = [Date.UTC(year, month - 1) / 1000, Date.UTC(year, month) / 1000];
  if (from >= now) throw new Stop(`${text} has not begun`);
  return { from, to: Math.min(end, Math.floor(now)) };
}

/** The report as Markdown. `ask` answers an expression at a time with series: [{ metric, value: [time, text] }]. */
export async function report(month, { from, to }, ask) {
  const lines = [];
  for (const [title, expr, show] of ROWS) {
    const series = await ask(expr.replaceAll('WINDOW', `${to - from}s`), to);
    const values = series.map(({ metric, value }) => `${metric.job}: ${shown(Number(value[1]), show)}`).sort();
    lines.push(`| ${title} | ${values.length === 0 ? 'no data' : values.join(', ')} |`);
  }
  return [`# Umbra in ${month}`, '', '| what | value |', '| --- | --- |', ...lines, ''].join('\n');
}

const shown = (value, show) => (Number.isFinite(value) ? show(value) : 'no requests');

async function main([url, month = new Date().toISOString().slice(0, 7)]) {
  if (!url || !URL.canParse(url))
    throw new Stop('Give the address of Prometheus: npm run slo -- http://127.0.0.1:9465 2026-10');
  const ask = async (expr, time) => {
    const query = new URLSearchParams({ query: expr, time: String(time) });
    const signal = AbortSignal.timeout(ANSWER_MS);
    const answer = await fetch(new URL(`api/v1/query?${query}`, url.endsWith('/') ? url : `${url}/`), { signal })
      .then((each) => each.json())
      .catch((error) => ({ error: error.cause?.message ?? error.message }));
    if (answer.status !== 'success') throw new Stop(`${url} does not answer: ${answer.error ?? 'it is no Prometheus'}`);
    return answer.data.result;
  };
  process.stdout.write(await report(month, monthOf(month, Date.now() / 1000), ask));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  main(process.argv.slice(2)).catch(stopWith);
