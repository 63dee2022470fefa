import { stepOf, type History, type Message, type Section } from '../model/history.js';
import { difference, same } from '../model/model.js';
import { PROMISES, type Expectations } from './promises.js';
import { groupBy, type Report } from './findings.js';

const RANK = { delta: 0, documents: 1, accepted: 2, deleted: 0 };

/** What one MQTT connection was sent about one shadow: delta, documents, accepted of each version, version by version. */
export function checkMessages(history: History, { reloads, repeats }: Expectations, report: Report): void {
  const truth = new Map<string, Section | null>();
  const deletions = new Set<string>();
  for (const change of history.changes) {
    const { shadow, deleted, delta } = change;
    if (deleted) deletions.add(`${shadow} ${stepOf(change)}`);
    else truth.set(`${shadow} ${change.version}`, delta);
  }
  for (const [name, messages] of groupBy(history.messages, ({ connection, shadow }) => `${connection}: ${shadow}`)) {
    if (!reloads) {
      checkOrder(name, messages, repeats !== undefined, report);
      checkPrevious(name, messages, deletions, report);
    }
    checkPairs(name, messages, truth, report);
  }
}

function checkOrder(name: string, messages: readonly Message[], repeats: boolean, report: Report): void {
  let before: Message | null = null;
  let committed: number | null = null;
  let hadCurrent = false;
  for (const message of messages) {
    const { kind } = message;
    const step = stepAt(message);
    const known = before === null ? -1 : stepAt(before);
    const isNext = before === null || step > known || (step === known && RANK[kind] > RANK[before.kind]);
    // What comes again is told with its old version, so that receivers can drop it.
    if (!isNext && repeats) continue;
    // The current delta may be ahead of what the node has to tell, or repeat its last one; it comes once.
    const isCurrent: boolean =
      !isNext && !hadCurrent && message.hasCurrentDelta && (kind === 'delta' || before?.kind === 'delta');
    if (!isNext && !isCurrent) report(PROMISES.messages, `${name}: ${kind} ${step} after ${before?.kind} ${known}`);
    hadCurrent ||= isCurrent;
    if (isCurrent && kind === 'delta') continue;
    before = message;
    // A delta comes only where there is a difference; documents may be left out when the previous one cannot be read.
    if (kind !== 'accepted' && kind !== 'deleted') continue;
    if (committed !== null && step !== committed + 1)
      report(PROMISES.messages, `${name}: ${kind} of step ${step} after step ${committed}`);
    committed = step;
  }
}

function stepAt({ version, kind }: Message): number {
  return stepOf({ version, deleted: kind === 'deleted' });
}

/** `previous` is the document one version before, and null where the shadow began, or began again. */
function checkPrevious(
  name: string,
  messages: readonly Message[],
  deletions: ReadonlySet<string>,
  report: Report,
): void {
  for (const { kind, shadow, version, body } of messages) {
    if (kind !== 'documents') continue;
    const previous = body['previous'] as { version: number } | null;
    const begins = version === 1 || deletions.has(`${shadow} ${version - 1}`);
    if (begins ? previous === null : previous?.version === version - 1) continue;
    report(PROMISES.document, `${name}: documents ${version} have ${previous?.version ?? 'nothing'} as previous`);
  }
}

function checkPairs(
  name: string,
  messages: readonly Message[],
  truth: Map<string, Section | null>,
  report: Report,
): void {
  const deltas = new Set(messages.filter(({ kind }) => kind === 'delta').map(({ version }) => version));
  const first = messages[0]?.version ?? 0;
  let newestDelta = 0;
  for (const { kind, shadow, version, body } of messages) {
    if (kind === 'delta') {
      newestDelta = Math.max(newestDelta, version);
      const known = truth.get(`${shadow} ${version}`);
      if (known !== undefined && !same(known, body['state'] as Section)) {
        report(
          PROMISES.delta,
          `${name}: delta ${version} is ${JSON.stringify(body['state'])}, not ${JSON.stringify(known)}`,
        );
      }
    }
    if (kind !== 'documents') continue;
    const { state } = body['current'] as { state: { desired?: Section; reported?: Section } };
    const difference_ = difference(state.desired ?? {}, state.reported ?? {});
    // The subscription may have begun between the messages of the first version, and the current delta may have come in
    // place of older ones; whether deltas come in order is looked at elsewhere.
    if (difference_ !== null && version > Math.max(first, newestDelta) && !deltas.has(version)) {
      report(PROMISES.delta, `${name}: no delta of version ${version}`);
    }
  }
}
