import { setTimeout as pause } from 'node:timers/promises';
import { EventReader } from '../../harness/event-reader.js';
import { readOverHttp } from '../actors/rest-caller.js';
import type { LabNode } from '../topology.js';
import { PROMISES } from '../validate/promises.js';
import type { FaultContext, Heal } from './faults.js';

/** Streams of each node that resume, and how many of them at the same time. */
const STREAMS = 40;
const AT_ONCE = 10;
/** Milliseconds that one of them is kept at most. */
const STREAM_MS = 3_000;
/** Connections to etcd that a node may have more than before, once all those streams are closed again. */
const MORE = 8;
/** Milliseconds in which closed connections must be gone. */
const CLOSED_MS = 10_000;
/** Milliseconds for reads to be answered again after etcd's users have changed. */
const RENEWED_MS = 8_000;

/** Streams come and go at an etcd with passwords and TLS; then somebody adds a user, which makes all tokens old. */
export async function addUser({ topology, history, prefix }: FaultContext): Promise<Heal> {
  for (const node of topology.nodes) await comeAndGo(node, history);
  await topology.members[0]!.client.user(`${prefix}-somebody`).create('secret');
  const from = history.now();
  const waiting = await Promise.all(topology.nodes.map((node) => readsAgain(node, `${prefix}-0`)));
  const slowest = Math.round(Math.max(...waiting.map((ms) => ms ?? RENEWED_MS)));
  history.faults.push({ fault: `a user was added: reads after ${slowest} ms`, from, to: history.now() });
  for (const [index, ms] of waiting.entries()) {
    if (ms !== null) continue;
    const text = `node ${index} answered no read for ${RENEWED_MS} ms after a user had been added to etcd`;
    history.remarks.push({ promise: PROMISES.serves, text });
  }
  return () => Promise.resolve();
}

async function comeAndGo(node: LabNode, history: FaultContext['history']): Promise<void> {
  const first = await EventReader.open(`${node.httpUrl}/v1/watch`);
  const { id = '' } = await first.nextOf('bookmark', 'change');
  first.close();
  // The id must be behind what the node remembers, or nothing is asked of etcd: see SHORT_MEMORY in scenarios.ts.
  await pause(2_000);
  const before = openOf(node);
  for (let opened = 0; opened < STREAMS; opened += AT_ONCE)
    await Promise.all(Array.from({ length: AT_ONCE }, () => resumeOnce(node, id)));
  const from = performance.now();
  while (openOf(node) > before + MORE && performance.now() - from < CLOSED_MS) await pause(100);
  const after = openOf(node);
  const now = history.now();
  const fault = `node ${node.index}: ${before} -> ${after} connections to etcd after ${STREAMS} streams`;
  history.faults.push({ fault, from: now, to: now });
  if (after <= before + MORE) return;
  const text = `node ${node.index} holds ${after} connections to etcd after ${STREAMS} streams were closed again, ${before} before`;
  history.remarks.push({ promise: PROMISES.bounded, text });
}

function openOf({ proxies }: LabNode): number {
  return proxies.reduce((sum, { open }) => sum + open, 0);
}

async function resumeOnce({ httpUrl }: LabNode, id: string): Promise<void> {
  const reader = await EventReader.open(`${httpUrl}/v1/watch`, { 'last-event-id': id }).catch(() => null);
  await Promise.race([reader?.next(), pause(STREAM_MS)]).catch(() => undefined);
  reader?.close();
}

/** Milliseconds until reads are answered, or null. */
async function readsAgain({ httpUrl }: LabNode, shadow: string): Promise<number | null> {
  const from = performance.now();
  // The change must have arrived before an answer counts.
  await pause(300);
  for (;;) {
    const answered = await readOverHttp(httpUrl, shadow, 2_000).then(
      () => true,
      () => false,
    );
    const took = performance.now() - from;
    if (answered) return took;
    if (took > RENEWED_MS) return null;
    await pause(100);
  }
}
