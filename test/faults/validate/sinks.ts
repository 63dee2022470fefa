import { shardOf, type Delivery, type Disturbance, type SinkHistory, type SinkName } from '../model/sink-history.js';
import { groupBy, type Report } from './findings.js';
import { PROMISES, type Violation } from './promises.js';

/** At most this many violations of one promise are told. */
const MAX_TOLD = 5;
/**
 * Milliseconds before a fault from which a change may be sent again because of it: the cursor is saved twice a second,
 * and this machine is busy.
 */
const REACH_MS = 3_000;
/** Milliseconds after a fault in which its repetitions come, beyond the time in which all is as before. */
const ECHO_MS = 20_000;
/** Milliseconds by which a claim may have been seen after it was put. */
const SEEN_MS = 100;

/** From the loss of an owner until the first delivery by the next one, of one shard. */
export interface HandOver {
  readonly kind: string;
  readonly sink: SinkName;
  readonly ms: number;
  /** Whether the server itself was away meanwhile, so that nobody could have delivered. */
  readonly isHindered: boolean;
}

export interface SinkVerdict {
  readonly violations: readonly Violation[];
  readonly handOvers: readonly HandOver[];
  /** Changes that came again, by sink. */
  readonly repeats: ReadonlyMap<SinkName, number>;
  /** Milliseconds between the first and the last arrival of one change. */
  readonly longestRepeatMs: number;
}

/** @param last the step of the last update of each shadow. Pure. */
export function judgeSinks(history: SinkHistory, last: ReadonlyMap<string, number>): SinkVerdict {
  const violations: Violation[] = [];
  const counts = new Map<string, number>();
  const report: Report = (promise, text) => {
    const count = (counts.get(promise) ?? 0) + 1;
    counts.set(promise, count);
    if (count <= MAX_TOLD) violations.push({ promise, text });
  };
  for (const { promise, text } of history.remarks) report(promise, text);
  const repeats = new Map<SinkName, number>();
  let longestRepeatMs = 0;
  for (const [sink, deliveries] of history.deliveries) {
    const byShadow = groupBy(deliveries, ({ shadow }) => shadow);
    checkWrites(history, sink, byShadow, report);
    for (const [shadow, step] of last) {
      const found = checkShadow(history, sink, byShadow.get(shadow) ?? [], `${sink}: ${shadow}`, report);
      if (found.steps < step) report(PROMISES.sinkLost, `${sink}: ${shadow} ends with step ${found.steps} of ${step}`);
      repeats.set(sink, (repeats.get(sink) ?? 0) + found.repeats);
      longestRepeatMs = Math.max(longestRepeatMs, found.longestRepeatMs);
    }
  }
  return { violations, handOvers: handOversOf(history), repeats, longestRepeatMs };
}

/** What is acknowledged has arrived, at the step and revision that the writer was told. */
function checkWrites(
  history: SinkHistory,
  sink: SinkName,
  byShadow: ReadonlyMap<string, readonly Delivery[]>,
  report: Report,
): void {
  const arrived = new Map<string, Delivery>();
  for (const deliveries of byShadow.values())
    for (const delivery of deliveries) if (delivery.token !== undefined) arrived.set(delivery.token, delivery);
  for (const { shadow, token, outcome, step, revision } of history.writes) {
    const delivery = arrived.get(token);
    if (outcome === 'rejected' && delivery) report(PROMISES.rejected, `${sink}: ${token} at step ${delivery.step}`);
    if (outcome !== 'acked') continue;
    const told = `${token}, step ${step} of ${shadow} at revision ${revision}`;
    if (!delivery) report(PROMISES.sinkLost, `${sink}: ${told} is acknowledged and has not arrived`);
    else if (delivery.step !== step || delivery.revision !== revision || delivery.shadow !== shadow)
      report(PROMISES.sinkOrder, `${sink}: ${told} arrived as ${JSON.stringify(delivery)}`);
  }
}

/**
 * Every arrival is either the next step that has never been seen, or a step that has been seen, once more and the same.
 * So no step is left out, and none overtakes an earlier one. A stream of NATS knows what comes twice and has no repetition;
 * elsewhere each one must have a fault that explains it.
 */
function checkShadow(
  history: SinkHistory,
  sink: SinkName,
  deliveries: readonly Delivery[],
  at: string,
  report: Report,
): { readonly steps: number; readonly repeats: number; readonly longestRepeatMs: number } {
  const seen: Delivery[] = [];
  let [repeats, longestRepeatMs] = [0, 0];
  for (const delivery of deliveries) {
    const first = seen[delivery.step - 1];
    if (first === undefined) {
      if (delivery.step !== seen.length + 1)
        report(PROMISES.sinkOrder, `${at}: step ${delivery.step} came after step ${seen.length}`);
      const before = seen[delivery.step - 2];
      if (before && before.revision >= delivery.revision)
        report(PROMISES.sinkOrder, `${at}: revision ${delivery.revision} came after ${before.revision}`);
      seen[delivery.step - 1] = delivery;
      continue;
    }
    repeats++;
    longestRepeatMs = Math.max(longestRepeatMs, delivery.at - first.at);
    if (first.revision !== delivery.revision || first.id !== delivery.id || first.token !== delivery.token)
      report(PROMISES.sinkIds, `${at}: step ${delivery.step} is ${first.id} and ${delivery.id}`);
    if (sink === 'nats') report(PROMISES.sinkIds, `${at}: ${delivery.id} is twice in the stream`);
    else if (!history.disturbances.some((each) => explains(each, first.at, delivery.at)))
      report(PROMISES.sinkRepeats, `${at}: step ${delivery.step} came again after ${delivery.at - first.at} ms`);
  }
  return { steps: seen.length, repeats, longestRepeatMs };
}

const explains = ({ from, to }: Disturbance, first: number, again: number): boolean =>
  first >= from - REACH_MS && again <= to + ECHO_MS;

function handOversOf(history: SinkHistory): HandOver[] {
  const times = new Map<string, number[]>();
  for (const [sink, deliveries] of history.deliveries) {
    for (const [shard, list] of groupBy(deliveries, ({ shadow }) => shardOf(shadow)))
      times.set(
        `${sink}/${shard}`,
        list.map(({ at }) => at).sort((a, b) => a - b),
      );
  }
  return history.losses.flatMap(({ kind, at, places, instance }) =>
    places.flatMap((place) => {
      const claim = history.claims.get(place)?.find((each) => each.at >= at && each.instance !== instance);
      const first = claim && times.get(place)?.find((time) => time >= claim.at - SEEN_MS);
      if (first === undefined) return [];
      const sink = place.split('/')[0] as SinkName;
      const isHindered = history.disturbances.some(
        ({ sinks, from, to }) => sinks.includes(sink) && from <= first && to >= at,
      );
      return [{ kind, sink, ms: first - at, isHindered }];
    }),
  );
}
