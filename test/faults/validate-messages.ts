import type { History, Message, Section } from './history.js';
import { difference, same } from './model.js';
import { PROMISES, type Expectations } from './promises.js';
import { groupBy, type Report } from './findings.js';

const RANK = { delta: 0, documents: 1, accepted: 2 };

/** What one MQTT connection was sent about one shadow: delta, documents, accepted of each version, version by version. */
export function checkMessages(history: History, { reloads }: Expectations, report: Report): void {
  const truth = new Map<string, Section | null>();
  for (const { shadow, version, delta } of history.changes) truth.set(`${shadow} ${version}`, delta);
  for (const [name, messages] of groupBy(history.messages, ({ connection, shadow }) => `${connection}: ${shadow}`)) {
    if (!reloads) checkOrder(name, messages, report);
    checkPairs(name, messages, truth, report);
  }
}

function checkOrder(name: string, messages: readonly Message[], report: Report): void {
  let before: Message | null = null;
  const last = new Map<string, number>();
  for (const message of messages) {
    const { kind, version } = message;
    const isNext =
      before === null || version > before.version || (version === before.version && RANK[kind] > RANK[before.kind]);
    if (!isNext) report(PROMISES.messages, `${name}: ${kind} ${version} after ${before?.kind} ${before?.version}`);
    const known = last.get(kind);
    // A delta comes only where there is a difference; documents may be left out when the previous one cannot be read.
    if (kind === 'accepted' && known !== undefined && version !== known + 1) {
      report(PROMISES.messages, `${name}: ${kind} ${version} after ${kind} ${known}`);
    }
    last.set(kind, version);
    before = message;
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
  for (const { kind, shadow, version, body } of messages) {
    if (kind === 'delta') {
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
    // The subscription may have begun between the messages of the first version.
    if (difference_ !== null && version > first && !deltas.has(version)) {
      report(PROMISES.delta, `${name}: no delta of version ${version}`);
    }
  }
}
