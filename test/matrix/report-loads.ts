import { heading, table, text, type Block } from './blocks.js';
import { colourOf, columnsOf, latencyChart, throughputChart } from './charts.js';
import { figure, mean, spreadText } from './figures.js';
import type { Latency, LoadName, MatrixRun, Throughput } from './matrix-run.js';

export const keyOf = (columns: readonly string[]) => columns.map((name) => [name, colourOf(columns, name)] as const);

/** What the columns do while nothing is broken. No errors. */
export function loadSections(run: MatrixRun): Block[] {
  return [...latencySection(run), ...throughputSection(run), ...memorySection(run)];
}

const LOADS: Readonly<Record<LoadName, string>> = {
  fixed: 'as many for each column',
  half: 'writes at half of what the column can do',
  devices: 'each device once a second',
};

const HEAD = [
  ...['column', 'calls/s', 'n', 'failed', 'P50 ms', 'P99 ms', 'P99 − P50 ms', 'deviation ms', 'longest ms'],
  ...['stale', 'oldest', 'age told: P50, P99', 'wrong ages'],
];
/** Those of HEAD that only reads have. */
const OF_READS = 4;

function latencySection(run: MatrixRun): Block[] {
  const columns = columnsOf(run);
  const groups = new Map<string, Latency[]>();
  for (const each of run.latencies) {
    const title = `${each.operation === 'write' ? 'Writes' : 'Reads'}, ${each.topology}, open loop: ${LOADS[each.load]}`;
    groups.set(title, [...(groups.get(title) ?? []), each]);
  }
  if (groups.size === 0) return [];
  const charts = [...groups].map(([title, latencies]): Block => {
    const isRead = latencies.some(({ operation }) => operation === 'read');
    const head = isRead ? HEAD : HEAD.slice(0, -OF_READS);
    const rows = inOrder(latencies, columns).map((each) => [...timesOf(each), ...(isRead ? agesOf(each) : [])]);
    return { kind: 'chart', svg: latencyChart(latencies, columns), key: keyOf(columns), table: { title, head, rows } };
  });
  return [
    heading(2, 'Latency'),
    text(
      'Measured from the moment at which each call was due. A figure is the mean of the rounds, with its lowest and ' +
        'highest round. A read is stale when it lacks a write that was acknowledged before it began; the oldest is the ' +
        'longest time since such a write. Caches tell with each read how long ago it was written, which is the most by ' +
        'which it is behind. An age is wrong when the lab knows that the write was begun later, or acknowledged earlier: ' +
        'then a clock lies.',
    ),
    ...charts,
  ];
}

/** In the order of the columns, whatever turn they had. */
const inOrder = <T extends { readonly column: string }>(all: readonly T[], columns: readonly string[]): T[] =>
  [...all].sort((a, b) => columns.indexOf(a.column) - columns.indexOf(b.column));

const timesOf = (each: Latency): string[] => [
  ...[`\`${each.column}\``, spreadText(each.perSecond), each.n.toLocaleString('en'), each.failed.toLocaleString('en')],
  ...[spreadText(each.p50), spreadText(each.p99)],
  spreadText(each.p99.map((p99, i) => p99 - (each.p50[i] ?? Number.NaN))),
  ...[spreadText(each.deviation), spreadText(each.longest)],
];

const agesOf = ({ stale, oldestMs, ageMs, wrongAges }: Latency): string[] => [
  ...[stale.toLocaleString('en'), `${figure(oldestMs)} ms`],
  ageMs === null ? 'none' : `${figure(ageMs.p50)}, ${figure(ageMs.p99)} ms`,
  ageMs === null ? '' : wrongAges > 0 ? `**${wrongAges.toLocaleString('en')}**` : '0',
];

function throughputSection(run: MatrixRun): Block[] {
  if (run.throughputs.length === 0) return [];
  const names = columnsOf(run);
  const throughputs = inOrder(run.throughputs, names);
  const rates = throughputs.map(({ column, callers, perSecond }) => [
    ...[`\`${column}\``, String(callers), String(perSecond.length), spreadText(perSecond)],
  ]);
  const title = 'Updates per second, as many callers as stated, each with one under way';
  const head = ['column', 'callers', 'rounds', 'updates/s'];
  return [
    heading(2, 'Throughput and cost'),
    { kind: 'chart', svg: throughputChart(throughputs, names), key: keyOf(names), table: { title, head, rows: rates } },
    table(
      'What an update takes then',
      COST_HEAD,
      throughputs.map((each) => costOf(each, run)),
    ),
    text(
      'The median of the rounds. Disk is what the kernel sends there, which is whole pages. Network is what hosts and the ' +
        'node send to each other, headers included; of `hybrid` also all that this machine sends to itself.',
    ),
  ];
}

const COST_HEAD = ['column', 'processes', 'µs of processor', 'bytes to the disk', 'bytes between hosts'];

function costOf({ column, cpuMicros, diskBytes, networkBytes }: Throughput, { columns }: MatrixRun): string[] {
  const parts = (values: Readonly<Record<string, number>>): string =>
    Object.entries(values)
      .map(([name, value]) => `${name} ${figure(value)}`)
      .join(', ');
  const processes = columns.find(({ name }) => name === column)?.processes;
  return [
    ...[`\`${column}\``, String(processes), parts(cpuMicros), parts(diskBytes)],
    networkBytes === null ? 'not measured' : figure(networkBytes),
  ];
}

function memorySection(run: MatrixRun): Block[] {
  if (run.memories.length === 0) return [];
  const rows = inOrder(run.memories, columnsOf(run)).map(({ column, shadows, bytes }) => [
    ...[`\`${column}\``, shadows.toLocaleString('en')],
    ...[figure(Object.values(bytes).reduce((sum, values) => sum + mean(values), 0))],
    Object.entries(bytes)
      .map(([name, values]) => `${name} ${spreadText(values)}`)
      .join('; '),
  ]);
  return [
    heading(2, 'Memory'),
    table('Bytes that a shadow adds', ['column', 'shadows', 'all processes', 'each kind of them'], rows),
    text(
      'All copies together, of shadows of about 150 bytes. Of servers it is what they have resident: they take memory in ' +
        'large pieces, and keep it. The node is the lab itself; of it counts what is in use once garbage is collected, ' +
        'and below some hundred bytes that says nothing.',
    ),
  ];
}
