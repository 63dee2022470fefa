import type { Change, History, UpdateOp } from './history.js';
import { groupBy, type Report } from './findings.js';
import { checkMessages } from './validate-messages.js';
import { checkReads } from './validate-reads.js';
import { difference, merge, same } from './model.js';
import { PROMISES, type Expectations, type Violation } from './promises.js';

/** At most this many violations of one promise are told; one cause often shows hundreds of times. */
const MAX_TOLD = 5;

/** Judges one history. Pure: the same history always gives the same verdict. */
export function validate(history: History, expectations: Expectations): Violation[] {
  const violations: Violation[] = [];
  const counts = new Map<string, number>();
  const report: Report = (promise, text) => {
    const count = (counts.get(promise) ?? 0) + 1;
    counts.set(promise, count);
    if (count <= MAX_TOLD) violations.push({ promise, text });
  };
  for (const { promise, text } of history.remarks) report(promise, text);
  checkStreams(history, expectations, report);
  checkFinal(history, expectations, report);
  checkFates(history, expectations, report);
  checkReads(history, report);
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
    for (const change of changes) {
      const before = last.get(change.shadow);
      const at = `${stream}: ${change.shadow} version ${change.version}`;
      if (change.kind === 'change') {
        if (change.revision < revision) report(PROMISES.feed, `${at} of revision ${change.revision} after ${revision}`);
        revision = Math.max(revision, change.revision);
        checkNext(change, before, fresh, at, report);
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
  const known = before?.version ?? (fresh ? 0 : null);
  if (known === null) return;
  if (change.version <= known) return report(PROMISES.feed, `${at} came after version ${known}`);
  if (change.version > known + 1) return report(PROMISES.feed, `${at} came after version ${known}: a gap`);
  const patch = change.patch ?? {};
  const desired = merge(before?.desired ?? {}, patch.desired ?? {});
  const reported = merge(before?.reported ?? {}, patch.reported ?? {});
  if (same(desired, change.desired) && same(reported, change.reported)) return;
  report(PROMISES.document, `${at}: ${JSON.stringify(change.patch)} did not make this document`);
}

/** Which update made which version, as far as any stream told. */
function appliedVersions(history: History): Map<string, Set<number>> {
  const versions = new Map<string, Set<number>>();
  const note = (id: string | null | undefined, shadow: string, version: number): void => {
    if (id === null || id === undefined) return;
    const key = `${shadow} ${id}`;
    const known = versions.get(key);
    if (known) known.add(version);
    else versions.set(key, new Set([version]));
  };
  for (const { kind, id, shadow, version } of history.changes) if (kind === 'change') note(id, shadow, version);
  for (const { kind, body, shadow, version } of history.messages) {
    if (kind === 'accepted') note(body['clientToken'] as string | undefined, shadow, version);
  }
  return versions;
}

/** The fate of each update: exactly once, at most once, or not at all. */
function checkFates(history: History, { reloads }: Expectations, report: Report): void {
  const applied = appliedVersions(history);
  const owners = new Map<string, string>();
  for (const op of history.updates) {
    const versions = [...(applied.get(`${op.shadow} ${op.id}`) ?? [])];
    if (versions.length > 1) report(PROMISES.twice, `${op.id} is versions ${versions.join(' and ')} of ${op.shadow}`);
    if (op.outcome === 'rejected' && versions.length > 0) {
      report(PROMISES.rejected, `${op.id} (${op.reason}) is version ${versions[0]} of ${op.shadow}`);
    }
    if (op.outcome === 'acked' && versions.length === 0 && !reloads) {
      report(PROMISES.lost, `${op.id} (${op.door}, ${op.reason}) is in no stream of ${op.shadow}`);
    }
    if (op.version !== null && versions.length > 0 && !versions.includes(op.version)) {
      report(PROMISES.versions, `${op.id} was told version ${op.version} and is ${versions.join()}`);
    }
    for (const version of versions) {
      const owner = owners.get(`${op.shadow} ${version}`);
      if (owner !== undefined) report(PROMISES.versions, `${owner} and ${op.id} are both version ${version}`);
      owners.set(`${op.shadow} ${version}`, op.id);
    }
  }
}

/** The last state, and that without any stream's help: how many updates it counts, and the last of each writer. */
function checkFinal(history: History, expectations: Expectations, report: Report): void {
  const byShadow = groupBy(history.updates, ({ shadow }) => shadow);
  for (const [shadow, states] of history.final) {
    const told = states.filter((state) => state !== null);
    const [first] = told;
    const ops = byShadow.get(shadow) ?? [];
    const acked = ops.filter(({ outcome }) => outcome === 'acked').length;
    const maybe = ops.filter(({ outcome }) => outcome === 'maybe').length;
    if (!first) {
      if (acked > 0) report(PROMISES.lost, `${shadow} does not exist after ${acked} acknowledged updates`);
      continue;
    }
    if (told.some((state) => !same(state as never, first as never)))
      report(PROMISES.reads, `nodes differ over ${shadow}`);
    if (first.version < acked) report(PROMISES.lost, `${shadow} is at version ${first.version} after ${acked} updates`);
    if (first.version > acked + maybe) {
      report(PROMISES.twice, `${shadow} is at version ${first.version} after ${acked} updates and ${maybe} in doubt`);
    }
    checkWriters(ops, first, report);
    if (expectations.reloads) continue;
    for (const [stream, changes] of groupBy(history.changes, (change) => change.stream)) {
      const last = Math.max(0, ...changes.filter((change) => change.shadow === shadow).map(({ version }) => version));
      if (last !== first.version)
        report(PROMISES.feed, `${stream} ends at version ${last} of ${shadow}, not ${first.version}`);
    }
  }
}

/** Members a and d are written by one writer each, one update after the other. */
function checkWriters(ops: readonly UpdateOp[], final: { desired: object; reported: object }, report: Report): void {
  for (const [section, member] of [['desired', 'a'] as const, ['reported', 'd'] as const]) {
    const own = ops.filter((op) => op.section === section);
    const value = (final[section] as Record<string, unknown>)[member];
    const at = own.findIndex(({ id }) => id === value);
    const lastAcked = own.findLastIndex(({ outcome }) => outcome === 'acked');
    if (at < lastAcked)
      report(PROMISES.lost, `${own[lastAcked]?.id} was acknowledged; ${section}.${member} is ${String(value)}`);
    if (own[at]?.outcome === 'rejected')
      report(PROMISES.rejected, `${section}.${member} is ${String(value)}: ${own[at]?.reason}`);
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
