import { setTimeout as pause } from 'node:timers/promises';
import type { EtcdServer } from '../../harness/etcd.js';
import type { FaultContext, Heal } from './faults.js';
import type { Watcher } from '../actors/watcher.js';
import { PROMISES } from '../validate/promises.js';

const FOREIGN_PUTS = 300;
/** Milliseconds for positions to follow: a stream does after 60 to 90 s, a sink saves that a minute later at most. */
const FOLLOW_MS = 170_000;
/** Milliseconds for what should not be published to come all the same. */
const AFTER_MS = 4_000;

/**
 * Nothing changes, but etcd's revision moves, since others use it. What was there is compacted, and then all nodes
 * restart one after the other. No reader has missed anything: none may have to start over, and no delta may come again.
 */
export async function quietFleet({ topology, history, traffic }: FaultContext): Promise<Heal> {
  if (!traffic) throw new Error('no traffic');
  await traffic.hush();
  const member = topology.members[await topology.leader()]!;
  const since = history.now();
  const revision = await foreignWrites(member);
  const followed = await followedTo(revision, traffic.watchers, member);
  history.faults.push({ fault: followed, from: since, to: history.now() });
  await member.client.kv.compact({ revision: String(revision), physical: true });
  const compacted = history.now();
  const places = traffic.watchers.map(({ name, lastId }) => ({ name, id: lastId }));
  return async () => {
    for (const node of topology.nodes) {
      await node.terminate();
      await node.start();
    }
    await pause(AFTER_MS);
    for (const { name, id } of places) {
      const { status, body } = await fetch(`${topology.node(0).httpUrl}/v1/watch`, {
        headers: { 'last-event-id': id ?? '' },
      });
      await body?.cancel();
      if (status === 200) continue;
      const text = `the place of ${name}, which had missed nothing, was gone after a restart: status ${status}`;
      history.remarks.push({ promise: PROMISES.quiet, text });
    }
    const again = history.messages.filter(({ kind, at }) => kind === 'delta' && at > compacted);
    if (again.length > 0) {
      const text = `${again.length} deltas of ${new Set(again.map(({ shadow }) => shadow)).size} shadows came again`;
      history.remarks.push({ promise: PROMISES.quiet, text });
    }
    const over = traffic.watchers.filter((watcher) => watcher.startedOver);
    for (const { name } of over)
      history.remarks.push({ promise: PROMISES.quiet, text: `${name} had to start over although nothing had changed` });
    traffic.goOn();
  };
}

/** The revision after all of them. */
async function foreignWrites({ client }: EtcdServer): Promise<number> {
  let revision = 0;
  for (let i = 0; i < FOREIGN_PUTS; i++) {
    const { header } = await client.kv.put({ key: Buffer.from('/others/key'), value: Buffer.from(String(i)) });
    revision = Number(header.revision);
  }
  return revision;
}

/** Waits until every stream and every cursor of the sink is there; at the bound, the compaction comes all the same. */
async function followedTo(revision: number, watchers: readonly Watcher[], member: EtcdServer): Promise<string> {
  const from = performance.now();
  for (;;) {
    const streams = Math.min(...watchers.map(({ position }) => position));
    const cursors = Math.min(revision, ...(await cursorsOf(member)));
    const took = performance.now() - from;
    if ((streams >= revision && cursors >= revision) || took > FOLLOW_MS)
      return `quiet: streams at ${streams} and cursors at ${cursors} of ${revision} after ${Math.round(took)} ms`;
    await pause(500);
  }
}

/** Revisions up to which the sink has published. */
async function cursorsOf({ client }: EtcdServer): Promise<number[]> {
  const { kvs } = await client.kv.range({ key: Buffer.from('\0'), range_end: Buffer.from('\0') });
  const cursors = kvs.filter(({ key }) => key.toString().includes('/cursors/'));
  return cursors.map(({ value }) => (JSON.parse(value.toString()) as { revision: number }).revision);
}
