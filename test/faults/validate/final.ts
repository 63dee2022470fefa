import type { Applied } from '../model/applied.js';
import { groupBy, type Report } from './findings.js';
import { stepOf, type Change, type History, type Told, type UpdateOp } from '../model/history.js';
import { same } from '../model/model.js';
import { EVERYTHING } from '../model/stream-view.js';
import { PROMISES, type Expectations } from './promises.js';

/** The last state, and that without any stream's help: how many steps it counts, and the last of each writer. */
export function checkFinal(history: History, applied: Applied, expectations: Expectations, report: Report): void {
  const { views } = history;
  const byShadow = groupBy(history.updates, ({ shadow }) => shadow);
  const streams = groupBy(history.changes, ({ stream }) => stream);
  for (const [shadow, states] of history.final) {
    const final = states[0] ?? null;
    if (states.some((state) => !same(state as never, final as never)))
      report(PROMISES.reads, `nodes differ over ${shadow}`);
    const ops = byShadow.get(shadow) ?? [];
    // Where readers had to start over, nobody may have told of a deletion, and with it what it took away.
    const isUnsure = expectations.reloads === true && ops.some((op) => applied.isUnknown(op));
    if (final || !isUnsure) checkCount(shadow, ops, final, applied, expectations, report);
    if (final && !isUnsure) checkWriters(ops, final, applied, expectations, report);
    if (expectations.reloads) continue;
    for (const [stream, changes] of streams) {
      const { isWhole, covers } = views.get(stream) ?? EVERYTHING;
      if (isWhole && covers(shadow)) checkEnd(stream, changes, shadow, final, report);
    }
  }
}

function checkCount(
  shadow: string,
  ops: readonly UpdateOp[],
  final: Told | null,
  applied: Applied,
  { repeats }: Expectations,
  report: Report,
): void {
  const acked = ops.filter(({ outcome }) => outcome === 'acked').length;
  const maybe = ops.filter(({ outcome }) => outcome === 'maybe').length;
  let step = final?.version ?? 0;
  if (final === null) {
    const last = lastOf(ops, applied);
    if (last.kind === 'update')
      report(PROMISES.lost, `${shadow} does not exist, but its step ${last.step} was an update`);
    step = last.step;
  }
  if (step < acked)
    report(PROMISES.lost, `${shadow} is at step ${step} after ${acked} acknowledged updates and deletions`);
  if (step > acked + maybe && repeats === undefined)
    report(PROMISES.twice, `${shadow} is at step ${step} after ${acked} acknowledged and ${maybe} in doubt`);
}

function lastOf(ops: readonly UpdateOp[], applied: Applied): { step: number; kind: UpdateOp['kind'] | null } {
  let last: { step: number; kind: UpdateOp['kind'] | null } = { step: 0, kind: null };
  for (const op of ops) {
    const step = applied.steps(op).at(-1) ?? 0;
    if (step > last.step) last = { step, kind: op.kind };
  }
  return last;
}

/** Members a and d are written by one writer each, one update after the other; a deletion takes them away. */
function checkWriters(
  ops: readonly UpdateOp[],
  final: Told,
  applied: Applied,
  { repeats }: Expectations,
  report: Report,
): void {
  const deletion = lastOf(
    ops.filter(({ kind }) => kind === 'delete'),
    applied,
  ).step;
  const isGone = (op: UpdateOp): boolean => (applied.steps(op).at(-1) ?? Infinity) < deletion;
  for (const [section, member] of [['desired', 'a'] as const, ['reported', 'd'] as const]) {
    const own = ops.filter((op) => op.kind === 'update' && op.section === section);
    const value = final[section][member];
    const at = own.findIndex(({ id }) => id === value);
    const written = own[at];
    const lastAcked = own.findLastIndex((op) => op.outcome === 'acked' && !isGone(op));
    if (written && isGone(written))
      report(PROMISES.deleted, `${section}.${member} of ${written.shadow} is ${written.id}, from before its deletion`);
    // Repeated after the death of a node, an update may come behind one that was sent after it.
    if (at < lastAcked && !(repeats && section === 'reported'))
      report(PROMISES.lost, `${own[lastAcked]?.id} was acknowledged; ${section}.${member} is ${String(value)}`);
    if (written?.outcome === 'rejected')
      report(PROMISES.rejected, `${section}.${member} is ${written.id}: ${written.reason}`);
  }
}

function checkEnd(
  stream: string,
  changes: readonly Change[],
  shadow: string,
  final: Told | null,
  report: Report,
): void {
  let last: Change | null = null;
  for (const change of changes)
    if (change.shadow === shadow && (!last || stepOf(change) >= stepOf(last))) last = change;
  const ended = last === null || last.deleted ? null : last.version;
  if (ended !== (final?.version ?? null))
    report(PROMISES.feed, `${stream} ends at version ${ended} of ${shadow}, not ${final?.version ?? null}`);
}
