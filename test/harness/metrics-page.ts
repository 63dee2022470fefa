import { spawn, spawnSync } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { MetricsFormat } from '../../src/telemetry/openmetrics.js';

/** The values of a page of metrics by their series, such as `umbra_ready{part="etcd"}`. */
export type Series = ReadonlyMap<string, number>;

export async function metricsText(url: string, format: MetricsFormat = 'text'): Promise<string> {
  const accept = format === 'openmetrics' ? 'application/openmetrics-text;version=1.0.0' : 'text/plain;version=0.0.4';
  const answer = await fetch(url, { headers: { accept } });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return answer.text();
}

export async function readMetrics(url: string): Promise<Series> {
  const lines = (await metricsText(url)).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

/** By how much the series with these names have grown; those that have not are left out. */
export function growthOf(before: Series, after: Series, names: RegExp): Record<string, number> {
  const grown = [...after].map(([series, value]) => [series, value - (before.get(series) ?? 0)] as const);
  return Object.fromEntries(grown.filter(([series, by]) => by !== 0 && names.test(series)));
}

/** Debian's package `prometheus` has it. Where it is not installed, tests that ask it are skipped. */
export const hasPromtool = spawnSync('promtool', ['--version']).status === 0;

/** What `promtool check metrics` says about a page; empty: it is good. */
export async function promtoolSays(page: string): Promise<string> {
  const tool = spawn('promtool', ['check', 'metrics']);
  tool.stdin.end(page);
  const [out, err] = await Promise.all([text(tool.stdout), text(tool.stderr)]);
  return out + err;
}
