import type { AccessChange, AccessHistory, Attempt, Away } from '../model/access-history.js';
import type { Report } from './findings.js';
import { PROMISES, type Violation } from './promises.js';

/** Milliseconds in which a change is in force on every node that hears etcd. */
export const IN_FORCE_MS = 1_000;
/** Milliseconds before the end in which everybody who may must have been served, everywhere. */
const LAST_MS = 3_000;
/** Violations of one promise that are told in full. */
const MAX_TOLD = 5;

/** When a node may have begun to know of a change, and by when it must. */
interface Heard {
  readonly change: AccessChange;
  readonly begun: number;
  readonly known: number;
}

export interface AccessVerdict {
  readonly violations: readonly Violation[];
  /** Withdrawals, and the longest time from one to the last attempt that was still allowed by a node that heard etcd. */
  readonly withdrawals: number;
  readonly longestMs: number;
  /** The same from when etcd could be reached, of what was withdrawn while it could not; null: nothing was. */
  readonly longestReachableMs: number | null;
  readonly attempts: Readonly<Record<'allowed' | 'refused' | 'intruding', number>>;
}

/** Each attempt by itself: what its node knew for certain says what should have become of it. */
export function judgeAccess(history: AccessHistory): AccessVerdict {
  const violations: Violation[] = [];
  const told = new Map<string, number>();
  const report: Report = (promise, text) => {
    const count = (told.get(promise) ?? 0) + 1;
    told.set(promise, count);
    if (count <= MAX_TOLD) violations.push({ promise, text });
  };
  for (const attempt of history.attempts) {
    if (history.intruders.has(attempt.who)) checkIntruder(attempt, report);
    else checkDevice(history, attempt, report);
  }
  checkServed(history, report);
  return { violations, ...figures(history) };
}

function checkIntruder(attempt: Attempt, report: Report): void {
  if (attempt.verdict === 'allowed') report(PROMISES.closed, `${told(attempt)} was not refused`);
}

function checkDevice(history: AccessHistory, attempt: Attempt, report: Report): void {
  const { node, from, to, verdict } = attempt;
  const expected = expectedOf(history, attempt);
  if (expected === null) return;
  const cut = history.away.find(
    (each) => each.node === node && each.kind === 'cut' && each.from <= from && to <= each.to,
  );
  const down = history.away.find((each) => each.node === node && each.kind === 'down' && each.from <= to);
  if (expected.change.isGiven) {
    // A process that is killed takes its connections with it.
    const isWrong = verdict === 'refused' || (verdict === 'lost' && (down === undefined || from > down.to));
    if (isWrong) report(PROMISES.goesOn, `${told(attempt)} was ${verdict}${cut ? ' by a node that was cut off' : ''}`);
    return;
  }
  if (verdict !== 'allowed') return;
  const promise = cut ? PROMISES.closed : down ? PROMISES.newest : PROMISES.withdrawn;
  const late = Math.round(from - expected.known);
  report(promise, `${told(attempt)} was allowed although it was withdrawn, ${late} ms after the node could know`);
}

/** The change that counts for all the time of the attempt; null: that is not certain. */
function expectedOf(history: AccessHistory, { who, node, from, to }: Attempt): Heard | null {
  const heard = (history.changes.get(who) ?? []).map((change) => heardAt(node, change, history.away));
  const certain = heard.findLastIndex(({ known }) => known + IN_FORCE_MS <= from);
  const next = heard[certain + 1];
  return next === undefined || next.begun > to ? (heard[certain] ?? null) : null;
}

/** A node that is cut off goes on by what it has; one that is not there reads all before it serves; a shaken one may hear. */
function heardAt(node: number, change: AccessChange, away: readonly Away[]): Heard {
  let { begun, acked: known } = change;
  for (const { node: at, kind, from, reachable, to } of away) {
    if (at !== node || kind === 'down') continue;
    if (kind === 'cut' && begun > from) begun = Math.max(begun, reachable);
    if (known > from && known < to) known = to;
  }
  return { change, begun, known };
}

/** What was never answered proves nothing: in the end everybody who may has been served at every node. */
function checkServed({ attempts, changes, intruders }: AccessHistory, report: Report): void {
  const end = attempts.reduce((latest, { to }) => Math.max(latest, to), 0);
  const nodes = new Set(attempts.map(({ node }) => node));
  const late = attempts.filter(({ to, verdict }) => verdict === 'allowed' && to > end - LAST_MS);
  for (const [who, list] of changes) {
    if (!list.at(-1)?.isGiven) continue;
    for (const node of nodes) {
      for (const how of ['read', 'publish']) {
        const isServed = late.some((each) => each.who === who && each.node === node && each.how === how);
        if (!isServed) report(PROMISES.goesOn, `${who}: no ${how} at node ${node} was served in the end`);
      }
    }
  }
  for (const who of intruders) {
    if (!attempts.some((each) => each.who === who && each.verdict === 'refused'))
      report(PROMISES.closed, `${who} was never refused: it has not been answered`);
  }
}

function figures(history: AccessHistory): Omit<AccessVerdict, 'violations'> {
  const changes = [...history.changes.values()].flat();
  const withdrawn = changes.filter(({ isGiven, acked }) => !isGiven && acked < Infinity);
  let longestMs = 0;
  let reachableMs: number | null = null;
  for (const attempt of history.attempts) {
    if (attempt.verdict !== 'allowed') continue;
    const after = lateness(history, attempt);
    if (after?.isCut) reachableMs = Math.max(reachableMs ?? 0, after.ms);
    else longestMs = Math.max(longestMs, after?.ms ?? 0);
  }
  const count = (of: (attempt: Attempt) => boolean): number => history.attempts.filter(of).length;
  const isIntruder = ({ who }: Attempt): boolean => history.intruders.has(who);
  return {
    withdrawals: withdrawn.length,
    longestMs: Math.round(longestMs),
    longestReachableMs: reachableMs && Math.round(reachableMs),
    attempts: {
      allowed: count((each) => !isIntruder(each) && each.verdict === 'allowed'),
      refused: count((each) => !isIntruder(each) && each.verdict === 'refused'),
      intruding: count(isIntruder),
    },
  };
}

/** Milliseconds from a withdrawal, or from when its node could hear of it, to an attempt that was still allowed. */
function lateness({ changes, away }: AccessHistory, attempt: Attempt): { ms: number; isCut: boolean } | null {
  const { who, node, from, to } = attempt;
  const list = changes.get(who) ?? [];
  const index = list.findLastIndex(({ acked }) => acked <= from);
  const [last, next] = [list[index], list[index + 1]];
  if (!last || last.isGiven || (next && next.begun <= to)) return null;
  const isDuring = ({ kind, from: since, to: until }: Away): boolean =>
    kind !== 'down' && since < last.acked && last.acked < until;
  const cut = away.find((each) => each.node === node && isDuring(each));
  const known = Math.max(last.acked, cut?.reachable ?? 0);
  return from > known ? { ms: from - known, isCut: cut !== undefined } : null;
}

const told = ({ who, how, node }: Attempt): string => `${who}: ${how} at node ${node}`;
