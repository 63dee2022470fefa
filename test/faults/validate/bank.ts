import type { BankHistory } from '../model/bank.js';
import type { Change } from '../model/history.js';
import { groupBy, type Report } from './findings.js';
import { PROMISES } from './promises.js';

/** What transactions move is never made and never lost: at no revision of any stream, and in no read of all at once. */
export function checkTotals(bank: BankHistory, report: Report): void {
  for (const { revision, total } of bank.audits)
    if (total !== bank.total)
      report(PROMISES.whole, `read together at revision ${revision}, the accounts hold ${total}`);
  for (const [stream, changes] of groupBy(bank.changes, ({ stream, segment }) => `${stream}#${segment}`))
    checkStream(stream, changes, bank, report);
}

function checkStream(stream: string, changes: readonly Change[], bank: BankHistory, report: Report): void {
  const balances = new Map<string, number>();
  changes.forEach((change, i) => {
    balances.set(change.shadow, Number(change.desired['balance']));
    const next = changes[i + 1];
    // The present state comes as of one revision; the changes of one transaction have the same.
    const isWhole = next === undefined || (next.kind === 'change' && next.revision !== change.revision);
    if (!isWhole || balances.size < bank.accounts.length) return;
    const total = [...balances.values()].reduce((sum, balance) => sum + balance, 0);
    if (total !== bank.total)
      report(PROMISES.whole, `${stream}: after revision ${change.revision} the accounts hold ${total}`);
  });
}
