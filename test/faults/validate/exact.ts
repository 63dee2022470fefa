import type { Commits, ExactHistory, ReaderHistory, Segment } from '../model/exact-history.js';
import type { Report } from './findings.js';
import { judgeResumptions } from './compacted.js';
import { PROMISES } from './promises.js';

/** Milliseconds around a time without etcd in which nobody may know what was before a change. */
const SHAKEN_MS = 10_000;
/** Changes that wait for a slow reader, beside those in memory, each as many as the memory has. */
const WAITING = 2;

/** What each reader was told, against what etcd has kept. */
export function judgeExact(history: ExactHistory, report: Report): void {
  const { commits, remarks, acked } = history;
  for (const { promise, text } of remarks) report(promise, text);
  const isUnsure = unsureOf(history);
  for (const reader of history.readers)
    reader.segments.forEach((segment, i) => {
      const name = `${reader.name}#${i}`;
      const isLast = i === reader.segments.length - 1;
      checkSegment({ name, reader, segment, isLast, commits, isUnsure, report });
    });
  checkInitial(history, report);
  for (const { token, shadow, version } of acked)
    if (!commits.has(token, shadow, version))
      report(PROMISES.lost, `${token} was told version ${version} of ${shadow}, which etcd never had`);
  judgeResumptions(history, report);
}

interface Check {
  readonly name: string;
  readonly reader: ReaderHistory;
  readonly segment: Segment;
  readonly isLast: boolean;
  readonly commits: Commits;
  /** Of each commit. */
  readonly isUnsure: (commit: number) => boolean;
  readonly report: Report;
}

/** All revisions of both sides, one after the other. */
function checkSegment(check: Check): void {
  const { name, segment, isLast, commits, report } = check;
  const { revisions, base, reached, isWhole } = segment;
  if (base === null) {
    if (isLast) report(PROMISES.exact, `${name} never had a position`);
    return;
  }
  if (isLast && reached < commits.last)
    report(PROMISES.exact, `${name} ends at revision ${reached}, etcd at ${commits.last}`);
  let [mine, truth] = [0, commits.revisions.firstAbove(base)];
  for (let last = base; mine < revisions.length || truth < commits.revisions.length;) {
    const told = mine < revisions.length ? revisions.at(mine) : Infinity;
    if (told < last) return report(PROMISES.exact, `${name} was told revision ${told} after ${last}`);
    const next = Math.min(told, truth < commits.revisions.length ? commits.revisions.at(truth) : Infinity);
    if (next > reached) break;
    const ends = { mine: endOf(revisions, mine, next), truth: endOf(commits.revisions, truth, next) };
    const isPart = next === reached && !isWhole;
    if (!checkRevision(check, next, [mine, ends.mine], [truth, ends.truth], isPart)) return;
    [mine, truth, last] = [ends.mine, ends.truth, next];
  }
}

function endOf(revisions: Commits['revisions'], from: number, revision: number): number {
  let end = from;
  while (end < revisions.length && revisions.at(end) === revision) end++;
  return end;
}

type Range = readonly [from: number, end: number];

/** False: it differs, which the rest would only repeat. @param isPart the reader did not come to the end of it */
function checkRevision(check: Check, revision: number, mine: Range, truth: Range, isPart: boolean): boolean {
  const { name, reader, segment, commits, isUnsure, report } = check;
  const view = commits.views[reader.view];
  const told: number[] = [];
  for (let i = mine[0]; i < mine[1]; i++) told.push(segment.digests.at(i));
  for (let i = truth[0]; i < truth[1]; i++) {
    const isShown = ((commits.shown.at(i) >>> reader.view) & 1) === 1;
    const at = told.indexOf(commits.digests.at(i));
    const what = `${commits.names[commits.shadows.at(i)]} at revision ${revision}`;
    if (at >= 0) told.splice(at, 1);
    if (at < 0 && isShown && !isPart) {
      report(PROMISES.exact, `${name} was not told of ${what}, or not as it is`);
      return false;
    }
    if (at >= 0 && !isShown && !(view?.isUnsure && isUnsure(i))) {
      report(PROMISES.filters, `${name} was told of ${what}, which does not fit its filter`);
      return false;
    }
  }
  if (told.length > 0) report(PROMISES.exact, `${name} was told more of revision ${revision} than etcd has`);
  return told.length === 0;
}

/** Whether the node may not have known what was before a commit: a compaction removes it from under the last ones. */
function unsureOf({ commits, shaken, compactions, memory }: ExactHistory): (commit: number) => boolean {
  const ends = compactions.map(({ revision }) => commits.revisions.firstAbove(revision));
  return (commit) => {
    const at = commits.times.at(commit) + commits.began;
    const isShaken = shaken.some(({ from, to }) => from - SHAKEN_MS <= at && at <= to + SHAKEN_MS);
    return isShaken || ends.some((end) => commit < end && commit >= end - WAITING * memory);
  };
}

/** The present state as of a revision is what the commits until then have made. */
function checkInitial({ commits, readers }: ExactHistory, report: Report): void {
  const starts = readers.flatMap(({ name, view, segments }) =>
    segments.flatMap(({ initial, base }, i) =>
      initial === null || base === null ? [] : [{ name: `${name}#${i}`, view, initial, base }],
    ),
  );
  starts.sort((a, b) => a.base - b.base);
  const state = new Map<number, number>();
  let next = 0;
  for (const { name, view, initial, base } of starts) {
    for (; next < commits.revisions.length && commits.revisions.at(next) <= base; next++)
      state.set(commits.shadows.at(next), next);
    const held = [...state.values()].filter((commit) => ((commits.held.at(commit) >>> view) & 1) === 1);
    const wanted = held.map((commit) => commits.digests.at(commit)).sort((a, b) => a - b);
    const told = [...initial].sort((a, b) => a - b);
    if (wanted.join() !== told.join())
      report(
        PROMISES.exact,
        `${name} began with ${told.length} documents as of ${base}, of ${wanted.length} or others`,
      );
  }
}
