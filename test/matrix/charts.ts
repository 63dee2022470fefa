import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { BUCKET_MS, type FaultRun, type Latency, type MatrixRun, type Throughput } from './matrix-run.js';
import { ROWS } from './profile.js';
import type { Ranking, Sweep } from './score.js';
import { mean } from './figures.js';

const WIDTH = 760;
/** Readable on white and on black. */
const COLOURS = ['#3d7fe0', '#22a18b', '#e0662f', '#c9981a', '#9b6ae0', '#d1518f', '#7a8b99', '#5aa02c'];

type Names = readonly string[];

/** The same colour for a column in every chart. No errors. */
export function colourOf(columns: Names, column: string): string {
  return COLOURS[Math.max(0, columns.indexOf(column)) % COLOURS.length] as string;
}

export const columnsOf = ({ columns }: MatrixRun): string[] => columns.map(({ name }) => name);

/** Share of calls that took no longer than so many milliseconds. */
export function latencyChart(latencies: readonly Latency[], columns: Names): string {
  const points = latencies.flatMap(({ column, cdf }) => cdf.map(([ms, share]) => ({ column, ms, share })));
  return draw(columns, {
    x: { type: 'log', label: 'milliseconds', grid: true, tickFormat: '~s' },
    y: { label: 'share of calls', domain: [0, 1], grid: true },
    marks: [Plot.line(points, { x: 'ms', y: 'share', stroke: 'column' })],
  });
}

export function throughputChart(throughputs: readonly Throughput[], columns: Names): string {
  const bars = throughputs.map(({ column, perSecond }) => ({
    ...{ column, value: mean(perSecond), low: Math.min(...perSecond), high: Math.max(...perSecond) },
  }));
  return draw(columns, {
    marginLeft: 130,
    height: 40 + 34 * bars.length,
    x: { label: 'updates per second', grid: true },
    y: { label: null, domain: bars.map(({ column }) => column) },
    marks: [
      Plot.barX(bars, { x: 'value', y: 'column', fill: 'column' }),
      Plot.ruleY(bars, { y: 'column', x1: 'low', x2: 'high', strokeWidth: 2 }),
    ],
  });
}

/** Acknowledgements per 100 ms through one fault. */
export function faultChart(runs: readonly FaultRun[], columns: Names): string {
  const points = runs.flatMap(({ column, buckets, faultAt }) =>
    buckets.map((count, i) => ({ column, count, at: (i * BUCKET_MS - faultAt) / 1000 })),
  );
  const healed = runs.map(({ faultAt, healedAt }) => (healedAt - faultAt) / 1000);
  const height = 40 + 70 * runs.length;
  return draw(columns, {
    height,
    marginLeft: 60,
    marginRight: 130,
    x: { label: 'seconds after the fault', grid: true },
    y: { label: 'acknowledged in 100 ms', ticks: 2 },
    fy: { label: null, domain: runs.map(({ column }) => column) },
    marks: [
      Plot.areaY(points, { x: 'at', y: 'count', fy: 'column', fill: 'column', curve: 'step' }),
      Plot.ruleX([0, mean(healed)], { strokeDasharray: '4 3' }),
    ],
  });
}

/** The steps of the return to service. */
export function timelineChart(runs: readonly FaultRun[], columns: Names): string {
  const steps = runs.flatMap(({ column, steps }) =>
    steps.flatMap(({ name, ms }) => (ms === null ? [] : [{ column, name, at: ms / 1000 }])),
  );
  const symbols = [...new Set(steps.map(({ name }) => name))];
  return draw(columns, {
    height: 50 + 34 * runs.length,
    marginLeft: 130,
    x: { label: 'seconds after the fault', grid: true },
    y: { label: null, domain: runs.map(({ column }) => column) },
    symbol: { domain: symbols },
    marks: [
      Plot.ruleX([0], { strokeDasharray: '4 3' }),
      Plot.dot(steps, { x: 'at', y: 'column', stroke: 'column', symbol: 'name', r: 5, strokeWidth: 2 }),
    ],
  });
}

/** The names of steps with the symbols that timelineChart draws for them. */
export function symbolKey(runs: readonly FaultRun[]): string[] {
  const shapes = ['circle', 'cross', 'diamond', 'square', 'star', 'triangle', 'wye'];
  const drawn = runs.flatMap(({ steps }) => steps.flatMap(({ name, ms }) => (ms === null ? [] : [name])));
  return [...new Set(drawn)].map((name, i) => `${shapes[i % shapes.length]}: ${name}`);
}

/** Each row's score of each column, from 0 to 1. */
export function heatMap({ scores, leftOut }: Ranking, columns: Names): string {
  const shown = ROWS.filter((row) => !leftOut.includes(row));
  const cells = scores.flatMap(({ column, rows }) => shown.map((row) => ({ column, row, score: rows[row] ?? 0 })));
  return draw(columns, {
    height: 50 + 34 * columns.length,
    marginLeft: 130,
    color: { type: 'linear', scheme: 'YlGnBu', domain: [0, 1] },
    x: { label: null, domain: shown },
    y: { label: null, domain: columns },
    marks: [
      Plot.cell(cells, { x: 'row', y: 'column', fill: 'score', inset: 1 }),
      Plot.text(cells, {
        ...{ x: 'row', y: 'column', text: ({ score }: { score: number }) => score.toFixed(2) },
        fill: ({ score }: { score: number }) => (score > 0.55 ? '#ffffff' : '#111111'),
      }),
    ],
  });
}

/** The total of each column, in the parts that its rows contribute. */
export function scoreChart({ scores, leftOut }: Ranking): string {
  const shown = ROWS.filter((row) => !leftOut.includes(row));
  const parts = scores.flatMap(({ column, contributions }) =>
    shown.map((row) => ({ column, row, value: contributions[row] })),
  );
  return draw(shown, {
    height: 40 + 34 * scores.length,
    marginLeft: 130,
    x: { label: 'score', domain: [0, 1], grid: true },
    y: { label: null, domain: scores.map(({ column }) => column) },
    marks: [Plot.barX(parts, { x: 'value', y: 'column', fill: 'row' })],
  });
}

export function sweepChart({ row, points }: Sweep, columns: Names): string {
  const lines = points.flatMap(({ weight, totals }) =>
    Object.entries(totals).map(([column, total]) => ({ column, weight, total })),
  );
  return draw(columns, {
    height: 200,
    x: { label: `weight of ${row}`, domain: [0, 1], grid: true },
    y: { label: 'score', domain: [0, 1], grid: true },
    marks: [Plot.line(lines, { x: 'weight', y: 'total', stroke: 'column', strokeWidth: 1.2 })],
  });
}

/** An SVG of its own; the page has one key of the colours for all. */
function draw(names: Names, options: Plot.PlotOptions): string {
  const { document } = parseHTML('<html><body></body></html>');
  const color = { domain: names, range: names.map((name) => colourOf(names, name)) };
  const drawn = Plot.plot({
    ...{ document, width: WIDTH, height: 260, marginLeft: 50, color },
    style: { background: 'none' },
    ...options,
  });
  return drawn.outerHTML;
}
