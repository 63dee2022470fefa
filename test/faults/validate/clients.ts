import type { Commit } from '../model/commit.js';
import type { CallKind, ClientCall, ClientHistory } from '../model/client-history.js';
import type { Section } from '../model/history.js';
import { difference } from '../model/model.js';
import { groupBy, type Report } from './findings.js';
import { PROMISES } from './promises.js';

/** Milliseconds beyond its limit that a call may take on a machine with other work. */
const SLACK_MS = 5_000;
/** Milliseconds after which a report is in the outbox, so that the end of its process does not lose it. */
const KEPT_MS = 5_000;

/** Judges what programs were told by the library, by what etcd has kept. */
export function judgeClients(history: ClientHistory, report: Report): void {
  for (const text of history.troubles) report(PROMISES.clientQuiet, text);
  for (const text of history.olderDeltas) report(PROMISES.clientDelta, text);
  judgeWaits(history, report);
  const lives = closedAt(history);
  for (const [shadow, calls] of groupBy(history.calls, (call) => call.shadow)) {
    const commits = history.commits.get(shadow) ?? [];
    const of = (kind: CallKind): ClientCall[] => calls.filter((call) => call.kind === kind);
    judgeReports({ shadow, commits, reports: of('report'), lives }, report);
    judgeWrites({ shadow, commits, calls: of('desire') }, report);
    judgeIncrements({ shadow, commits, calls: of('increment') }, report);
    const last = commits.at(-1);
    const left = !last || last.deleted ? null : difference(last.desired, last.reported);
    if (left !== null) report(PROMISES.convergence, `${shadow} ends with the delta ${JSON.stringify(left)}`);
  }
}

function judgeWaits({ calls, open }: ClientHistory, report: Report): void {
  for (const { kind, n, shadow, limitMs } of open)
    report(PROMISES.clientWaits, `nothing has come of ${kind} ${n} of ${shadow}, with a limit of ${limitMs} ms`);
  for (const { kind, n, shadow, limitMs, end } of calls) {
    const what = `${kind} ${n} of ${shadow}`;
    if (end && end.ms > limitMs + SLACK_MS)
      report(PROMISES.clientWaits, `${what} took ${end.ms} ms, with a limit of ${limitMs} ms`);
    const { error } = end ?? {};
    if (!error) continue;
    const isNamed = error.code !== '' && ['applied', 'not-applied', 'unknown'].includes(error.outcome);
    if (error.isForeign || !isNamed) report(PROMISES.clientErrors, `${what}: ${JSON.stringify(error)}`);
  }
}

/** Devices without an outbox that were closed: what waited is lost with them. */
function closedAt({ calls }: ClientHistory): ReadonlySet<string> {
  const closed = calls.filter(({ kind, isKept }) => kind === 'close' && !isKept);
  return new Set(closed.map(({ life, device, shadow }) => `${life} ${device} ${shadow.split(' ')[0]}`));
}

interface Reports {
  readonly shadow: string;
  readonly commits: readonly Commit[];
  readonly reports: readonly ClientCall[];
  readonly lives: ReadonlySet<string>;
}

/** Whether nobody promises that a report is stored. */
function isExcused({ isBad, end, killedAt, isKept, from, life, device, shadow }: ClientCall, lives: Reports['lives']) {
  if (isBad) return true;
  const hasGone = lives.has(`${life} ${device} ${shadow.split('/')[0]}`);
  if (killedAt !== null) return !isKept || killedAt - from < KEPT_MS;
  if (!end) return hasGone;
  if (end.error === null) return false;
  return end.error.outcome === 'not-applied' || end.error.status !== null || hasGone;
}

/**
 * Each report writes its number into one of some members. So every state tells which reports it has: all up to one of
 * them, but for those that nobody promises.
 */
function judgeReports({ shadow, commits, reports, lives }: Reports, report: Report): void {
  const byNumber = new Map(reports.map((call) => [call.n, call]));
  const refused = new Set(reports.filter(({ end }) => end?.error?.outcome === 'not-applied').map(({ n }) => n));
  const reached = new Map<number, number>();
  let [marks, upTo, gone]: [Section, number, number] = [{}, 0, 0];
  const has = (n: number): boolean => Number(marks[`m${n % 16}`] ?? 0) >= n;
  for (const { version, deleted, reported, token } of commits) {
    const next = deleted ? {} : ((reported['marks'] ?? {}) as Section);
    if (deleted) gone = upTo;
    for (const [name, value] of Object.entries(next)) {
      const before = Number(marks[name] ?? 0);
      if (Number(value) < before)
        report(PROMISES.clientOrder, `${shadow} at version ${version} (${token}): report ${value} over ${before}`);
      if (value !== before && refused.has(Number(value)))
        report(PROMISES.rejected, `${shadow} at version ${version} has report ${value}, said not to be applied`);
    }
    marks = next;
    const most = Math.max(upTo, ...Object.values(next).map(Number));
    for (let n = Math.max(upTo, gone) + 1; n <= most; n++) {
      const call = byNumber.get(n);
      if (call && !has(n) && !isExcused(call, lives))
        report(PROMISES.clientLost, `${shadow} at version ${version} has report ${most} and not ${n}`);
    }
    upTo = most;
    reached.set(version, upTo);
  }
  for (const call of reports) {
    const version = call.end?.version ?? null;
    if (version !== null && !((reached.get(version) ?? 0) >= call.n))
      report(PROMISES.clientLost, `${shadow}: report ${call.n} was told to be stored as version ${version}`);
    if (call.n > upTo && !isExcused(call, lives))
      report(PROMISES.clientLost, `${shadow}: report ${call.n} is not stored in the end: ${JSON.stringify(call.end)}`);
  }
}

interface Writes {
  readonly shadow: string;
  readonly commits: readonly Commit[];
  readonly calls: readonly ClientCall[];
}

/** What an application desires is one commit, which has its number as the token. */
function judgeWrites({ shadow, commits, calls }: Writes, report: Report): void {
  const byToken = groupBy(commits, ({ token }) => token ?? '');
  for (const { n, end } of calls) {
    const found = byToken.get(`d${n}`) ?? [];
    const what = `${shadow}: request ${n} of its application`;
    if (found.length > 1) report(PROMISES.twice, `${what} was carried out ${found.length} times`);
    if (found.length > 0 && end?.error?.outcome === 'not-applied')
      report(PROMISES.rejected, `${what} was said not to be applied: ${JSON.stringify(end.error)}`);
    if (end?.error === null && found[0]?.version !== end.version)
      report(PROMISES.lost, `${what} was told to be version ${end.version}, and is ${found[0]?.version}`);
  }
}

/** A number that is read, and written with one more: none is written twice, and none is left out. */
function judgeIncrements({ shadow, commits, calls }: Writes, report: Report): void {
  const counted = commits.filter(({ patch }) => patch?.desired?.['count'] !== undefined);
  for (const { version, previous, desired } of counted) {
    const before = Number(previous?.desired['count'] ?? 0);
    if (Number(desired['count']) !== before + 1)
      report(PROMISES.lost, `${shadow} at version ${version}: ${JSON.stringify(desired['count'])} after ${before}`);
  }
  const done = calls.filter(({ end }) => end?.error === null).length;
  const doubted = calls.filter(({ end }) => end?.error?.outcome === 'unknown').length;
  if (counted.length < done || counted.length > done + doubted)
    report(PROMISES.twice, `${shadow}: ${counted.length} increments of ${done}, and ${doubted} in doubt`);
}
