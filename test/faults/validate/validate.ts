import { Applied } from '../model/applied.js';
import { stepOf, type Change, type History } from '../model/history.js';
import { EVERYTHING } from '../model/stream-view.js';
import { groupBy, reporter, type Report } from './findings.js';
import { checkFinal } from './final.js';
import { checkMessages } from './messages.js';
import { checkReads } from './reads.js';
import { difference, merge, same } from '../model/model.js';
import { PROMISES, type Expectations, type Violation } from './promises.js';
import { checkTotals } from './bank.js';
import { checkViews } from './views.js';

/** Judges one history. Pure: the same history always gives the same verdict. */
export function validate(history: History, expectations: Expectations): Violation[] {
  const violations: Violation[] = [];
  const report = reporter(violations);
  for (const { promise, text } of history.remarks) report(promise, text);
  checkStreams(history, expectations, report);
  checkViews(history, expectations, report);
  if (history.bank) {
    for (const { promise, text } of history.bank.remarks) report(promise, text);
    checkStreams(history.bank, expectations, report);
    checkFates(history.bank, new Applied(history.bank), expectations, report);
    checkTotals(history.bank, report);
  }
  const applied = new Applied(history);
  checkFinal(history, applied, expectations, report);
  checkFates(history, applied, expectations, report);
  checkReads(history, applied, expectations, report);
  checkMessages(history, expectations, report);
  checkConvergence(history, report);
  checkReady(history, expectations, report);
  checkMemory(history, expectations, report);
  return violations;
}

/** Each stream by itself: every version once, in order, and each one what its patch makes of the one before. */
function checkStreams(history: History, { reloads }: Expectations, report: Report): void {
  for (const [stream, changes] of groupBy(history.changes, ({ stream, segment }) => `${stream}#${segment}`)) {
    let revision = 0;
    const last = new Map<string, Change>();
    const fresh = stream.endsWith('#0');
    const isWhole = (history.views.get(changes[0]?.stream ?? '') ?? EVERYTHING).isWhole;
    for (const change of changes) {
      const before = last.get(change.shadow);
      const at = `${stream}: ${change.shadow} ${change.deleted ? 'deleted at' : 'version'} ${change.version}`;
      if (change.kind === 'change') {
        if (change.revision < revision) report(PROMISES.feed, `${at} of revision ${change.revision} after ${revision}`);
        revision = Math.max(revision, change.revision);
        if (isWhole) checkNext(change, before, fresh, at, report);
        else if (before && stepOf(change) <= stepOf(before))
          report(PROMISES.feed, `${at} came after step ${stepOf(before)}`);
      }
      if (!same(change.delta, difference(change.desired, change.reported))) {
        report(PROMISES.delta, `${at}: delta ${JSON.stringify(change.delta)} is not the difference`);
      }
      last.set(change.shadow, change);
    }
  }
  if (reloads) return;
  for (const { stream, reason } of history.endings) {
    if (reason.startsWith('starts over')) report(PROMISES.resume, `${stream} ${reason}`);
  }
}

function checkNext(change: Change, before: Change | undefined, fresh: boolean, at: string, report: Report): void {
  const known = before ? stepOf(before) : fresh ? 0 : null;
  if (known === null) return;
  const step = stepOf(change);
  if (step <= known) return report(PROMISES.feed, `${at} came after step ${known}`);
  if (step > known + 1) return report(PROMISES.feed, `${at} came after step ${known}: a gap`);
  if (change.deleted) {
    if (before?.deleted !== false) report(PROMISES.feed, `${at} is a deletion of nothing`);
    return;
  }
  const patch = change.patch ?? {};
  const desired = merge(before?.desired ?? {}, patch.desired ?? {});
  const reported = merge(before?.reported ?? {}, patch.reported ?? {});
  if (same(desired, change.desired) && same(reported, change.reported)) return;
  report(PROMISES.document, `${at}: ${JSON.stringify(change.patch)} did not make this document`);
}

/** The fate of each update and deletion: exactly once, at most once, or not at all. */
function checkFates(history: History, applied: Applied, { reloads, repeats }: Expectations, report: Report): void {
  const owners = new Map<string, string>();
  for (const op of history.updates) {
    const steps = applied.seen(op);
    if (steps.length > 1 && !(repeats && op.door === 'mqtt'))
      report(PROMISES.twice, `${op.id} is steps ${steps.join(' and ')} of ${op.shadow}`);
    if (op.outcome === 'rejected' && steps.length > 0) {
      report(PROMISES.rejected, `${op.id} (${op.reason}) is step ${steps[0]} of ${op.shadow}`);
    }
    if (op.outcome === 'acked' && steps.length === 0 && !reloads) {
      const promise = op.kind === 'delete' ? PROMISES.deleted : PROMISES.lost;
      report(promise, `${op.id} (${op.kind}, ${op.door}, ${op.reason}) is in no stream of ${op.shadow}`);
    }
    if (op.step !== null && steps.length > 0 && !steps.includes(op.step)) {
      report(PROMISES.versions, `${op.id} was told step ${op.step} and is ${steps.join()}`);
    }
    for (const step of steps) {
      const owner = owners.get(`${op.shadow} ${step}`);
      if (owner !== undefined) report(PROMISES.versions, `${owner} and ${op.id} are both step ${step} of ${op.shadow}`);
      owners.set(`${op.shadow} ${step}`, op.id);
    }
  }
}

function checkConvergence(history: History, report: Report): void {
  for (const [shadow, ms] of history.converged) {
    if (ms === null) report(PROMISES.convergence, `${shadow} still has a delta, or nobody tells`);
  }
}

function checkReady(history: History, { unready, calm }: Expectations, report: Report): void {
  for (const { node, from, to } of unready ?? []) {
    const seen = history.ready.filter((sample) => sample.node === node && sample.at >= from && sample.at <= to);
    if (!seen.some(({ ready }) => ready === false))
      report(PROMISES.ready, `node ${node} stayed ready without its storage`);
  }
  if (calm) {
    const bad = history.ready.find(({ ready }) => ready === false);
    if (bad) report(PROMISES.ready, `node ${bad.node} was not ready although nothing was broken`);
  }
  for (const [node, samples] of groupBy(history.ready, ({ node }) => String(node))) {
    if (samples.at(-1)?.ready !== true)
      report(PROMISES.ready, `node ${node} is not ready again although all is healed`);
  }
}

function checkMemory(history: History, { maxMemory }: Expectations, report: Report): void {
  for (const [node, samples] of groupBy(history.memory, ({ node }) => String(node))) {
    const most = Math.max(...samples.map(({ bytes }) => bytes));
    if (most > maxMemory) report(PROMISES.bounded, `node ${node} took ${Math.round(most / 1e6)} MB`);
  }
}
