import { heading, table, text, type Block } from './blocks.js';
import { figure } from './figures.js';
import { median } from '../bench/statistics.js';
import type { CallTimeout, MatrixRun } from './matrix-run.js';

const HEAD = [
  ...['timers of etcd', 'call timeout ms', 'kills', 'without service ms, P50 (lowest … highest)', 'election ms, P50'],
  ...['gap − election', 'stops, ms in all', 'writes then', 'failed then', 'member left then'],
];

/** How long a node of Umbra is without service with one time for a call, and whether slow disks disturb it. No errors. */
export function callTimeoutSection({ callTimeouts }: MatrixRun): Block[] {
  if (callTimeouts.length === 0) return [];
  return [
    heading(2, 'Time for a call to etcd'),
    text(
      'The leader is killed again and again; then the leader is stopped for 200, 300 and 400 ms in turn, once a second, ' +
        'as a slow disk does it. Calls that end in doubt then, and a member that is left, are false alarms.',
    ),
    table('Loss of the leader, and false alarms', HEAD, callTimeouts.map(rowOf)),
  ];
}

function rowOf({ timers, callTimeoutMs, gaps, elections, ...stopped }: CallTimeout): string[] {
  const [low, high] = [Math.min(...gaps), Math.max(...gaps)];
  return [
    ...[timers, String(callTimeoutMs), String(gaps.length)],
    ...[`${figure(median(gaps))} (${figure(low)} … ${figure(high)})`, figure(median(elections))],
    figure(median(gaps.map((gap, i) => gap - (elections[i] ?? Number.NaN)))),
    ...[`${stopped.stops}, ${figure(stopped.stopMs)}`, stopped.writes.toLocaleString('en')],
    ...[String(stopped.failed), String(stopped.left)],
  ];
}
