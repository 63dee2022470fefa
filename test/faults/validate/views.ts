import { stepOf, type Change, type History } from '../model/history.js';
import { groupBy, type Report } from './findings.js';
import { PROMISES, type Expectations } from './promises.js';

/**
 * A stream with a filter tells what the streams of everything told, as far as its filter shows it: nothing else, and
 * where no reader had to start over, all of it.
 */
export function checkViews(history: History, { reloads }: Expectations, report: Report): void {
  const streams = groupBy(history.changes, ({ stream }) => stream);
  const all = new Map<string, Change>();
  for (const change of history.changes) {
    if (change.kind === 'change' && !history.views.has(change.stream)) all.set(idOf(change), change);
  }
  for (const [stream, view] of history.views) {
    const told = (streams.get(stream) ?? []).filter(({ kind }) => kind === 'change');
    for (const change of told)
      if (!view.shows(change)) report(PROMISES.filters, `${stream}: ${idOf(change)} does not fit its filter`);
    if (reloads) continue;
    const seen = new Set(told.map(idOf));
    for (const [id, change] of all)
      if (view.shows(change) && !seen.has(id)) report(PROMISES.filters, `${stream}: ${id} is missing`);
    for (const change of told)
      if (!all.has(idOf(change))) report(PROMISES.filters, `${stream}: only it has ${idOf(change)}`);
  }
}

function idOf(change: Change): string {
  return `${change.shadow} step ${stepOf(change)} at revision ${change.revision}`;
}
