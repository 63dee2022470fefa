import { setTimeout as pause } from 'node:timers/promises';
import { readOverHttp, writeOverHttp } from '../actors/rest-caller.js';
import { History, type UpdateOp } from '../model/history.js';
import type { LabNode } from '../topology.js';
import { PROMISES } from '../validate/promises.js';
import type { FaultContext, Heal } from './faults.js';

const SHADOWS = 6;
/** More than a value keeps in mind of the writes before it. */
const OVERWRITES = 12;
/** Milliseconds for the write to be seen on the other node. */
const SEEN_MS = 2_000;

/**
 * A node writes, and loses etcd before it has the answer. Others write on top of it, and what was in between is compacted
 * before the node is back, within the time of its request: it cannot know any more what became of its write, and must not
 * take it for lost.
 */
export async function doubtAndCompaction({ topology, history, prefix, random }: FaultContext): Promise<Heal> {
  const node = random.pick(topology.nodes);
  const other = topology.nodes.find((one) => one !== node);
  if (!other) throw new Error('needs two nodes');
  const shadows = Array.from({ length: SHADOWS }, (_, i) => `${prefix}doubt${i}`);
  // The node knows the value that it is going to build on: a read would be lost before the write.
  await Promise.all(shadows.map((shadow) => write(node, shadow, 'before')));
  for (const proxy of node.proxies) proxy.set('lose-responses');
  const doubted = shadows.map((shadow) => write(node, shadow, 'doubted'));
  const applied = await Promise.all(shadows.map((shadow) => reads(other, shadow, 'doubted')));
  for (const proxy of node.proxies) proxy.set('refuse');
  await Promise.all(
    shadows.map(async (shadow) => {
      for (let n = 1; n <= OVERWRITES; n++) await write(other, shadow, `later-${n}`);
    }),
  );
  const { client } = topology.members[await topology.leader()]!;
  const { header } = await client.kv.range({ key: Buffer.from('head'), count_only: true });
  await client.kv.compact({ revision: header.revision, physical: true });
  for (const proxy of node.proxies) proxy.set('pass');
  const outcomes = await Promise.all(doubted);
  const twice: string[] = [];
  for (const [i, shadow] of shadows.entries()) {
    const { told } = await readOverHttp(other.httpUrl, shadow);
    if (applied[i] && told?.desired['v'] === 'doubted') twice.push(`${shadow} (${outcomes[i]?.reason})`);
  }
  const at = history.now();
  const tally = outcomes.map(({ reason }) => reason).join(', ');
  history.faults.push({
    fault: `${applied.filter(Boolean).length} of ${SHADOWS} in doubt: ${tally}`,
    from: at,
    to: at,
  });
  if (twice.length > 0) history.remarks.push({ promise: PROMISES.twice, text: `applied again: ${twice.join(', ')}` });
  return () => Promise.resolve();
}

async function write({ index, httpUrl }: LabNode, shadow: string, v: string): Promise<UpdateOp> {
  // prettier-ignore
  const op: UpdateOp = { id: `${shadow}-${v}`, kind: 'update', shadow, node: index, door: 'http', section: 'desired',
    patch: { v }, from: performance.now(), to: Infinity, outcome: 'maybe', step: null, reason: 'no answer' };
  await writeOverHttp(new History(), { node: index, url: httpUrl }, op);
  return op;
}

async function reads({ httpUrl }: LabNode, shadow: string, v: string): Promise<boolean> {
  for (const from = performance.now(); performance.now() - from < SEEN_MS; await pause(20)) {
    const { told } = await readOverHttp(httpUrl, shadow);
    if (told?.desired['v'] === v) return true;
  }
  return false;
}
