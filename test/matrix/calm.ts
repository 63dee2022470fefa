import { History } from '../faults/model/history.js';
import { until } from '../harness/until.js';
import type { OpenColumn } from './open-column.js';
import { brokenPromises, lostWrites } from './judge.js';
import { finalStates, Follower, NodeTraffic } from './traffic.js';

/** Writes of a calm run, at the least. */
const WRITES = 100;

export interface Verdict {
  /** `shadow: write`. */
  readonly lost: readonly string[];
  readonly broken: readonly string[];
  readonly history: History;
}

/**
 * Two nodes' traffic while nothing is broken, and the verdict. A read is behind by no more than the age that it tells.
 * @param reads that it has at the least
 */
export async function judgeCalm(column: OpenColumn, reads = 10): Promise<Verdict> {
  const history = new History();
  const { signal } = new AbortController();
  const left = new Follower('left', column.feed, history);
  left.start(await column.feed.head(signal));
  const nodes = [0, 1].map((node) => new NodeTraffic(node, column, history, true));
  for (const each of nodes) each.start();
  await until('so many reads', () => history.reads.length >= reads && history.updates.length >= WRITES);
  await Promise.all(nodes.map((each) => each.stop()));
  const { revision } = await column.feed.head(signal);
  await until('the reader is at the head', () => left.reached >= revision);
  await left.stop();
  for (const [shadow, state] of await finalStates(column)) history.final.set(shadow, [state]);
  const lost = lostWrites(history.updates, history.changes).map(({ shadow, id }) => `${shadow}: ${id}`);
  return { lost, broken: brokenPromises(history).map(({ promise }) => promise), history };
}
