import type { History } from './history.js';
import { PROMISES } from './promises.js';
import { groupBy, type Report } from './findings.js';

interface Known {
  readonly what: string;
  readonly from: number;
  readonly to: number;
  readonly version: number;
  readonly write: boolean;
}

/**
 * Linearizability of a register whose writes are numbered. The order is given by the versions, so it only has to agree
 * with real time: whatever ended before something else began must not have a later version, and no version is read
 * before its update was sent. An update in doubt that was applied ended at no known time.
 */
export function checkReads(history: History, report: Report): void {
  const versionOf = new Map<string, number>();
  for (const { kind, id, shadow, version } of history.changes) {
    if (kind === 'change' && id !== null) versionOf.set(`${shadow} ${id}`, version);
  }
  const reads = groupBy(history.reads, ({ shadow }) => shadow);
  for (const [shadow, updates] of groupBy(history.updates, (op) => op.shadow)) {
    const known: Known[] = [];
    const sentAt = new Map<number, number>();
    for (const { id, from, to, version, outcome } of updates) {
      const at = version ?? versionOf.get(`${shadow} ${id}`);
      if (at === undefined || outcome === 'rejected') continue;
      known.push({ what: id, from, to: outcome === 'acked' ? to : Infinity, version: at, write: true });
      sentAt.set(at, from);
    }
    for (const { from, to, told, door, node } of reads.get(shadow) ?? []) {
      const what = `a read (${door}, node ${node})`;
      known.push({ what, from, to, version: told?.version ?? 0, write: false });
      const sent = told ? sentAt.get(told.version) : undefined;
      if (sent !== undefined && sent > to)
        report(PROMISES.reads, `${what} of ${shadow} knew version ${told?.version} before it was sent`);
    }
    checkOrder(shadow, known, report);
  }
}

function checkOrder(shadow: string, known: readonly Known[], report: Report): void {
  const byEnd = [...known].sort((a, b) => a.to - b.to);
  const byStart = [...known].sort((a, b) => a.from - b.from);
  let ended = 0;
  let newest: Known | null = null;
  for (const one of byStart) {
    for (let next = byEnd[ended]; next && next.to < one.from; next = byEnd[++ended]) {
      if (newest === null || next.version > newest.version) newest = next;
    }
    if (newest === null) continue;
    const stale = one.write ? one.version <= newest.version : one.version < newest.version;
    if (!stale) continue;
    const promise = one.write ? PROMISES.versions : PROMISES.reads;
    report(
      promise,
      `${one.what} of ${shadow} has version ${one.version}; ${newest.what} had ended with ${newest.version} before`,
    );
  }
}
