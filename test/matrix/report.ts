import { alarm, heading, html, markdown, table, text, type Block } from './blocks.js';
import { colourOf, columnsOf, heatMap, scoreChart, sweepChart } from './charts.js';
import { callTimeoutSection } from './report-call-timeout.js';
import { faultSections } from './report-faults.js';
import { keyOf, loadSections } from './report-loads.js';
import { figure, spreadText } from './figures.js';
import { findingsOf, SCORED_TOPOLOGY } from './findings.js';
import { CONTROL_OFF, type MatrixRun } from './matrix-run.js';
import { ROWS, type Profile } from './profile.js';
import { AVAILABILITY_FORMULA, CONSISTENCY_FORMULA, COST_FORMULA, LATENCY_FORMULA } from './score.js';
import { rank, sweep, type Ranking, type Sweep } from './score.js';
import { median } from '../bench/statistics.js';

const TITLE = 'Decision matrix: etcd, Redis Streams, or both';

export interface Report {
  readonly markdown: string;
  readonly html: string;
}

/** The same run and profiles give the same bytes. No errors. */
export function reportOf(run: MatrixRun, profiles: readonly Profile[]): Report {
  const blocks = [
    heading(1, TITLE),
    ...headerOf(run),
    ...columnsSection(run),
    ...scoreSection(run, profiles),
    ...loadSections(run),
    ...faultSections(run),
    ...callTimeoutSection(run),
    ...limitsSection(run),
  ];
  return { markdown: markdown(blocks), html: html(TITLE, blocks) };
}

/** A machine that has something else to do, by the column that was measured against itself or by the queue for its cores. */
export function isBusy({ about }: MatrixRun): boolean {
  return about.control.length > 0 && Math.abs(median(about.control) - 1) > CONTROL_OFF;
}

function headerOf(run: MatrixRun): Block[] {
  const { about } = run;
  const control = about.control.length === 0 ? 'not measured' : spreadText(about.control);
  const facts = [
    ['Started', about.startedAt],
    ['Command', `\`${about.command}\``],
    ['Size', `${about.scale}, rounds: ${about.rounds}, seed ${about.seed}`],
    ['Machine', about.machine],
    [
      'Versions',
      Object.entries(about.versions)
        .map(([name, version]) => `${name} ${version}`)
        .join(', '),
    ],
    ['Load average, before and after', about.load.map((each) => each.toFixed(1)).join(', ')],
    ['Control: one column over itself', control],
  ];
  const busy =
    `The machine was busy: the control is ${figure(median(about.control))}, more than ${CONTROL_OFF * 100} % from 1. ` +
    'Times and rates of this run say little; losses and broken promises do not depend on it.';
  const rows = run.skipped.map(({ row, failed, reason }) => [row, failed ? `failed: ${reason}` : reason]);
  return [
    ...(isBusy(run) ? [alarm(busy)] : []),
    table('This run', ['', ''], facts),
    ...(rows.length === 0 ? [] : [table('Rows that were skipped', ['row', 'why'], rows)]),
  ];
}

function columnsSection({ columns }: MatrixRun): Block[] {
  const rows = columns.map(({ name, text, processes }) => [`\`${name}\``, text, String(processes)]);
  const judged = columns.map(({ name, operations }) => [`\`${name}\``, figure(operations.score), operations.reason]);
  return [
    heading(2, 'Columns'),
    table('What was compared', ['column', 'what it is', 'processes over three hosts'], rows),
    table('Operations: a judgement, not a measurement', ['column', 'score', 'why'], judged),
  ];
}

function scoreSection(run: MatrixRun, profiles: readonly Profile[]): Block[] {
  const columns = columnsOf(run);
  const formulas = [
    ['consistency', CONSISTENCY_FORMULA],
    ['latency', `${LATENCY_FORMULA}; measured on ${SCORED_TOPOLOGY}`],
    ['availability', `${AVAILABILITY_FORMULA}; the mean over all faults`],
    ['operations', 'the judgement above'],
    ['cost', COST_FORMULA],
  ];
  return [
    heading(2, 'Scores'),
    text('A score is the sum of weight times row score. Weights add up to 1.'),
    table('Formulas of the rows', ['row', 'score, 0 to 1'], formulas),
    ...profiles.flatMap((profile) => profileSection(rank(profile, findingsOf(run)), columns)),
  ];
}

function profileSection(ranking: Ranking, columns: readonly string[]): Block[] {
  const { profile, scores, leftOut } = ranking;
  const weights = ROWS.map((row) => `${row} ${profile.weights[row].toFixed(2)}`).join(', ');
  const loss = profile.forbidsLoss ? 'forbids the loss of an acknowledged write' : 'permits losses';
  const about = `Weights: ${weights}. Limit ${profile.limitMs} ms, alpha ${profile.alpha}; ${loss}.`;
  const missing = `Not measured for every column, so left out, and the other weights scaled up: ${leftOut.join(', ')}.`;
  const head = ['column', 'score', ...ROWS.map((row) => `${row}: score, part`)];
  const rows = scores.map((score) => [
    `\`${score.column}\`${score.gated ? ' (has lost writes)' : ''}`,
    score.total.toFixed(3),
    ...ROWS.map((row) => `${score.rows[row]?.toFixed(2) ?? 'none'}, ${score.contributions[row].toFixed(3)}`),
  ]);
  const sweeps = sweep(ranking);
  const key = ROWS.filter((row) => !leftOut.includes(row)).map((row, _i, all) => [row, colourOf(all, row)] as const);
  return [
    heading(3, profile.title),
    text(about),
    ...(leftOut.length === 0 ? [] : [text(missing)]),
    { kind: 'chart', svg: scoreChart(ranking), key, table: { title: `Score: ${profile.title}`, head, rows } },
    rowsBlock(ranking, columns),
    ...sweepBlocks(profile, sweeps, columns),
  ];
}

function rowsBlock(ranking: Ranking, columns: readonly string[]): Block {
  const { profile, scores } = ranking;
  const rows = scores.map(({ column, rows }) => [
    `\`${column}\``,
    ...ROWS.map((row) => rows[row]?.toFixed(2) ?? 'none'),
  ]);
  const table = { title: `Row scores, before weights: ${profile.title}`, head: ['column', ...ROWS], rows };
  return { kind: 'chart', svg: heatMap(ranking, columns), key: [], table };
}

function sweepBlocks({ title }: Profile, sweeps: readonly Sweep[], columns: readonly string[]): Block[] {
  const changes = sweeps.flatMap(({ changes }) =>
    changes.map(({ row, at, from, to }) => [row, at.toFixed(2), `\`${from}\``, `\`${to}\``]),
  );
  const found =
    changes.length === 0
      ? text('No weight, from 0 to 1 while the others keep their proportions, changes the winner.')
      : table(`Where the winner changes: ${title}`, ['weight of', 'from', 'winner below', 'winner above'], changes);
  const shown = sweeps.filter(({ changes }) => changes.length > 0);
  return [found, ...shown.map((each) => sweepBlock(title, each, columns))];
}

function sweepBlock(title: string, each: Sweep, columns: readonly string[]): Block {
  const rows = each.points
    .filter((_, i) => i % 10 === 0)
    .map(({ weight, totals }) => [weight.toFixed(1), ...columns.map((column) => (totals[column] ?? 0).toFixed(3))]);
  return {
    kind: 'chart',
    svg: sweepChart(each, columns),
    key: keyOf(columns),
    table: { title: `${title}: the weight of ${each.row}`, head: ['weight', ...columns], rows },
  };
}

function limitsSection(run: MatrixRun): Block[] {
  return [
    heading(2, 'What this does not show'),
    text(
      'All members, replicas and callers share the cores of one machine, so more hosts would shift the rates, and the ' +
        'columns with more processes are the ones that pay. Where a topology has milliseconds between members, these ' +
        'come from proxies in the process of the lab: they delay bytes, and neither lose nor reorder them. The columns ' +
        'are compared behind the contract of the store, in the process of the lab, without MQTT and REST in front. ' +
        `The versions are ${Object.entries(run.about.versions)
          .map(([name, version]) => `${name} ${version}`)
          .join(', ')}; others may do better.`,
    ),
  ];
}
