import type { ExactHistory, Lifetime, Resumption } from '../model/exact-history.js';
import type { Report } from './findings.js';
import { PROMISES } from './promises.js';

/** Records that a node may hold beyond what is configured, and fewer of them, as the last batch has many or few. */
const SLACK = 200;
/** Milliseconds by which the lab may hear of a commit later than a node. */
const LATE_MS = 1_000;

/**
 * A reader is told `compacted` if etcd has removed what it lacks and the node does not have that in memory either; in no
 * other case. Where chance decides, either is right.
 */
export function judgeResumptions(history: ExactHistory, report: Report): void {
  for (const one of history.resumptions) {
    if (isLost(history, one)) history.count('resumptions that had to be told compacted');
    const { reader, revision, outcome } = one;
    if (outcome === 'compacted') {
      const isGone = history.compactions.some((each) => revision + 1 < each.revision && each.from <= one.at);
      if (!isGone) report(PROMISES.compacted, `${reader} was told so at ${revision}, which etcd has`);
      else if (isHeld(history, one))
        report(PROMISES.compacted, `${reader} was told so at ${revision}, which is in memory`);
    } else if (isLost(history, one)) {
      report(PROMISES.compacted, `${reader} was not told so, and resumed at ${revision}`);
    }
  }
}

/** For certain in the memory of the node. */
function isHeld({ lifetimes, commits, memory }: ExactHistory, { node, revision, asked, at }: Resumption): boolean {
  const life = lifetimeAt(lifetimes, node, asked);
  if (!life || life.readyAt === Infinity || revision < life.readyAt) return false;
  return commits.countAfter(revision, at + LATE_MS) < memory - SLACK;
}

/** For certain neither in etcd nor in the memory of the node. */
function isLost({ lifetimes, compactions, commits, memory }: ExactHistory, one: Resumption): boolean {
  const { node, revision, asked } = one;
  const life = lifetimeAt(lifetimes, node, asked);
  const isGone = compactions.some((each) => revision + 1 < each.revision && each.to <= asked);
  if (!life || !isGone) return false;
  return revision < life.startedAt || commits.countAfter(revision, asked) > memory + SLACK;
}

function lifetimeAt(lifetimes: readonly Lifetime[], node: number, at: number): Lifetime | undefined {
  return lifetimes.findLast((each) => each.node === node && each.from <= at);
}
