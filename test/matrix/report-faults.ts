import { heading, table, text, type Block } from './blocks.js';
import { colourOf, columnsOf, faultChart, symbolKey, timelineChart } from './charts.js';
import { duration, figure, spreadText } from './figures.js';
import { BUCKET_MS, type FaultRun, type MatrixRun } from './matrix-run.js';

/** Losses that a table names. */
const NAMED = 5;

/** One section per fault. No errors. */
export function faultSections(run: MatrixRun): Block[] {
  if (run.faults.length === 0) return [];
  const names = [...new Set(run.faults.map(({ fault }) => fault))];
  return [
    heading(2, 'Faults'),
    text(
      'Lost: acknowledged writes that were gone when all was healed. The gap is the longest time in which the clients of ' +
        `the first node had no acknowledgement; “never” is not before the end of the run. A second node starts 4 s after the fault. Served is the share of the ${BUCKET_MS} ms of the fault that had one. Two writers: the time ` +
        'in which two servers took writes of their own.',
    ),
    ...names.flatMap((name) => section(run, name)),
  ];
}

function section(run: MatrixRun, name: string): Block[] {
  const columns = columnsOf(run);
  const runs = run.faults.filter(({ fault }) => fault === name);
  const first = runs.filter(({ round }) => round === 0);
  const key = columns.map((column) => [column, colourOf(columns, column)] as const);
  const shown = columns.filter((column) => runs.some((each) => each.column === column));
  return [
    heading(3, name),
    table(
      `After ${name}`,
      HEAD,
      shown.map((column) => rowOf(runs.filter((each) => each.column === column))),
    ),
    ...lostBlock(name, runs),
    ...noteBlock(name, runs),
    ...brokenBlock(name, runs),
    {
      ...{ kind: 'chart', svg: faultChart(first, columns), key },
      table: { title: `Acknowledgements through ${name}, first round`, ...secondsOf(first) },
    },
    {
      ...{ kind: 'chart', svg: timelineChart(first, columns), key: symbolKey(first).map((each) => [each, 'none']) },
      table: { title: `Return to service after ${name}, first round`, ...stepsOf(first) },
    },
  ];
}

const HEAD = [
  'column',
  'rounds',
  'acknowledged',
  'failed',
  '**lost**',
  'gap ms',
  'served',
  'reads served',
  'stale reads, oldest',
  'two writers ms',
  'promises broken',
];

function rowOf(runs: readonly FaultRun[]): string[] {
  const sum = (what: (each: FaultRun) => number): string =>
    runs.reduce((all, each) => all + what(each), 0).toLocaleString('en');
  const writers = runs.flatMap(({ twoWritersMs }) => (twoWritersMs === null ? [] : [twoWritersMs]));
  return [
    ...[`\`${runs[0]?.column ?? ''}\``, String(runs.length), sum(({ acked }) => acked), sum(({ failed }) => failed)],
    `**${sum(({ lost }) => lost)}**${runs.length > 1 ? ` (${runs.map(({ lost }) => lost).join(', ')})` : ''}`,
    ...[spreadText(runs.map(({ gapMs }) => gapMs)), spreadText(runs.map(({ served }) => served))],
    spreadText(runs.map(({ readsServed }) => readsServed)),
    `${sum(({ stale }) => stale)}, ${duration(Math.max(...runs.map(({ oldestMs }) => oldestMs)))}`,
    writers.length === 0 ? 'not asked' : `${spreadText(writers)}${spansOf(runs)}`,
    String(new Set(runs.flatMap(({ broken }) => broken.map(({ promise }) => promise))).size),
  ];
}

/** ` (1.20 s to 17.5 s; ...)`, of each round that had them; empty: none. */
function spansOf(runs: readonly FaultRun[]): string {
  const spans = runs.flatMap(({ twoWriters }) =>
    twoWriters === null ? [] : [`${duration(twoWriters[0])} to ${duration(twoWriters[1])}`],
  );
  return spans.length === 0 ? '' : ` (${spans.join('; ')})`;
}

function noteBlock(name: string, runs: readonly FaultRun[]): Block[] {
  const rows = runs.flatMap(({ column, round, note }) =>
    note === null ? [] : [[`\`${column}\``, String(round + 1), note]],
  );
  return rows.length === 0 ? [] : [table(`Seen beside it: ${name}`, ['column', 'round', ''], rows)];
}

function lostBlock(name: string, runs: readonly FaultRun[]): Block[] {
  const lost = runs.filter(({ lostNames }) => lostNames.length > 0);
  if (lost.length === 0) return [];
  const rows = lost.map(({ column, round, lost, lostNames }) => {
    const more = lost > NAMED ? `, and ${(lost - NAMED).toLocaleString('en')} more (matrix.json names up to 200)` : '';
    return [`\`${column}\``, String(round + 1), `${lostNames.slice(0, NAMED).join(', ')}${more}`];
  });
  return [table(`Acknowledged and gone after ${name}`, ['column', 'round', 'writes'], rows)];
}

function brokenBlock(name: string, runs: readonly FaultRun[]): Block[] {
  const rows = runs.flatMap(({ column, round, broken }) =>
    broken.map(({ promise, count, first }) => [`\`${column}\``, String(round + 1), promise, String(count), first]),
  );
  if (rows.length === 0) return [];
  return [table(`Promises broken by ${name}`, ['column', 'round', 'promise', 'times, 5 at most', 'the first'], rows)];
}

function secondsOf(runs: readonly FaultRun[]): { head: string[]; rows: string[][] } {
  const perSecond = 1000 / BUCKET_MS;
  const seconds = Math.ceil(Math.max(...runs.map(({ buckets }) => buckets.length)) / perSecond);
  const rows = Array.from({ length: seconds }, (_, second) => [
    String(second),
    ...runs.map(({ buckets }) =>
      String(buckets.slice(second * perSecond, (second + 1) * perSecond).reduce((sum, count) => sum + count, 0)),
    ),
  ]);
  const faultAt = figure((runs[0]?.faultAt ?? 0) / 1000);
  return { head: [`second (fault at ${faultAt})`, ...runs.map(({ column }) => column)], rows };
}

function stepsOf(runs: readonly FaultRun[]): { head: string[]; rows: string[][] } {
  const names = [...new Set(runs.flatMap(({ steps }) => steps.map(({ name }) => name)))];
  const cell = (each: FaultRun, name: string): string => {
    const step = each.steps.find((step) => step.name === name);
    return step === undefined ? 'none' : duration(step.ms);
  };
  return {
    head: ['column', ...names],
    rows: runs.map((each) => [`\`${each.column}\``, ...names.map((name) => cell(each, name))]),
  };
}
