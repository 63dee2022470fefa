import type { Applied } from '../model/applied.js';
import { groupBy, type Report } from './findings.js';
import type { History, UpdateOp } from '../model/history.js';
import { PROMISES, type Expectations } from './promises.js';

type Kind = 'update' | 'delete' | 'read' | 'nothing' | 'listed' | 'not listed';

interface Known {
  readonly what: string;
  readonly kind: Kind;
  readonly from: number;
  readonly to: number;
  /** null until it is known: who found no shadow did not learn which deletion that was. */
  step: number | null;
}

/** What the steps of one shadow were, by the updates and deletions that made them. */
interface Register {
  readonly shadow: string;
  readonly known: Known[];
  readonly madeBy: Map<number, { readonly kind: UpdateOp['kind']; readonly from: number }>;
  /** Beginnings of what may be a step although nobody told: only where readers had to start over. */
  readonly unknown: readonly number[];
}

/**
 * Linearizability of a register whose writes are numbered. The order is given by the steps, so it only has to agree with
 * real time: whatever ended before something else began must not have a later step, and no step is seen before its
 * update was sent. An update in doubt that was applied ended at no known time. That there is no shadow, or that one is
 * in a list, fits several steps: the first that is possible is taken, which leaves most room to all others.
 */
export function checkReads(history: History, applied: Applied, { reloads }: Expectations, report: Report): void {
  const reads = groupBy(history.reads, ({ shadow }) => shadow);
  const lists = listsOf(history, report);
  for (const [shadow, updates] of groupBy(history.updates, (op) => op.shadow)) {
    const register = registerOf(shadow, updates, applied, reloads === true);
    for (const { from, to, told, door, node } of reads.get(shadow) ?? []) {
      const what = `a read (${door}, node ${node})`;
      register.known.push({ what, from, to, step: told?.version ?? null, kind: told ? 'read' : 'nothing' });
      const step = told ? register.madeBy.get(told.version) : undefined;
      if (step?.kind === 'delete') report(PROMISES.deleted, `${what} of ${shadow}: ${told?.version} was its deletion`);
      if (step !== undefined && step.from > to)
        report(PROMISES.reads, `${what} of ${shadow} knew version ${told?.version} before it was sent`);
    }
    register.known.push(...(lists.get(shadow) ?? []));
    checkOrder(register, report);
  }
}

function registerOf(shadow: string, updates: readonly UpdateOp[], applied: Applied, reloads: boolean): Register {
  const known: Known[] = [];
  const madeBy: Register['madeBy'] = new Map([[0, { kind: 'delete', from: -Infinity }]]);
  for (const op of updates) {
    const [first, ...more] = op.outcome === 'rejected' ? [] : applied.steps(op);
    if (first === undefined) continue;
    const { id, kind, from, outcome, to } = op;
    known.push({ what: id, kind, from, to: outcome === 'acked' ? to : Infinity, step: first });
    for (const step of [first, ...more]) madeBy.set(step, { kind, from });
  }
  const unknown = reloads ? updates.filter((op) => applied.isUnknown(op)).map(({ from }) => from) : [];
  return { shadow, known, madeBy, unknown };
}

function listsOf(history: History, report: Report): Map<string, Known[]> {
  const lists = new Map<string, Known[]>();
  for (const { what, node, from, to, covers, listed } of history.lists) {
    for (const shadow of covers) {
      const known: Known = { what: `${what} (node ${node})`, from, to, step: null, kind: 'not listed' };
      const all = lists.get(shadow) ?? [];
      all.push(listed.has(shadow) ? { ...known, kind: 'listed' } : known);
      lists.set(shadow, all);
    }
    for (const shadow of listed)
      if (!covers.includes(shadow)) report(PROMISES.lists, `${what} (node ${node}) lists ${shadow}, which never was`);
  }
  return lists;
}

function checkOrder(register: Register, report: Report): void {
  const byEnd = [...register.known].sort((a, b) => a.to - b.to);
  const byStart = [...register.known].sort((a, b) => a.from - b.from);
  let ended = 0;
  let newest: Known | null = null;
  for (const one of byStart) {
    for (let next = byEnd[ended]; next && next.to < one.from; next = byEnd[++ended]) {
      if (next.step !== null && next.step > (newest?.step ?? -1)) newest = next;
    }
    const atLeast = newest?.step ?? 0;
    if (one.step === null) {
      one.step = firstPossible(one, atLeast, register);
      if (one.step === null) impossible(one, newest, register, report);
    } else if (newest !== null) {
      const isWrite = one.kind === 'update' || one.kind === 'delete';
      if (isWrite ? one.step <= atLeast : one.step < atLeast) stale(one, isWrite, newest, register, report);
    }
  }
}

/** The first step from `atLeast` on that `one` can have seen, or null. */
function firstPossible(one: Known, atLeast: number, { madeBy }: Register): number | null {
  const exists = one.kind === 'listed';
  for (let step = atLeast; ; step++) {
    const by = madeBy.get(step);
    // Nobody told what this step was, and a later one was seen: it may be anything.
    if (by === undefined) return step < maxOf(madeBy) ? step : null;
    // It was sent when this had its answer, and later steps come later.
    if (by.from > one.to) return null;
    if ((by.kind === 'update') === exists) return step;
  }
}

function maxOf(madeBy: Register['madeBy']): number {
  let most = 0;
  for (const step of madeBy.keys()) most = Math.max(most, step);
  return most;
}

function impossible(one: Known, newest: Known | null, { shadow, unknown }: Register, report: Report): void {
  if (unknown.some((from) => from <= one.to)) return;
  const since = newest === null ? 'which never was' : `although ${newest.what} had ended with step ${newest.step}`;
  if (one.kind === 'nothing') report(PROMISES.reads, `${one.what} found no ${shadow}, ${since}`);
  else report(PROMISES.lists, `${one.what}: ${shadow} is ${one.kind}, ${since}`);
}

function stale(one: Known, isWrite: boolean, newest: Known, { shadow }: Register, report: Report): void {
  const text = `${one.what} of ${shadow} has step ${one.step}; ${newest.what} (${newest.kind}) had ended with ${newest.step} before`;
  if (isWrite) report(PROMISES.versions, text);
  else report(newest.kind === 'delete' ? PROMISES.deleted : PROMISES.reads, text);
}
