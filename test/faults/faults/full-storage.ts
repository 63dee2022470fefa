import { setTimeout as pause } from 'node:timers/promises';
import { EventReader } from '../../harness/event-reader.js';
import type { LabNode } from '../topology.js';
import { PROMISES } from '../validate/promises.js';
import type { FaultContext, Heal } from './faults.js';
import { fillQuota } from './storage-faults.js';

/** As many as a node once let read the storage at the same time, so that one more shows whether they block it. */
const READERS = 8;
/** Milliseconds for a stream to tell the first thing that it has to tell, and for a deletion. */
const FIRST_MS = 15_000;

/** etcd is full, a node starts anew, and its readers come back: what was promised for reads is promised to them too. */
export async function fullWithStreams(context: FaultContext): Promise<Heal> {
  const { topology, history, prefix, traffic } = context;
  const things = topology.nodes.map(({ index }) => `${prefix}full${index}`);
  for (const thing of things) await put(topology.node(0), thing, 1);
  const cursor = await positionOf(topology.node(0));
  for (const thing of things) await put(topology.node(0), thing, 2);
  // A change would show a stream that it has caught up; here it must find that out by itself.
  await traffic?.hush();
  const heal = await fillQuota(context);
  const node = topology.node(0);
  await node.terminate();
  await node.start();
  const { header } = await topology.members[0]!.client.kv.range({ key: Buffer.from('head'), count_only: true });
  const head = Number(header.revision);
  const streams = Array.from({ length: READERS }, () => new Stream(node, '/v1/watch', cursor));
  // A bookmark says that a stream has caught up; until then it keeps a reader of the storage busy.
  const told = await Promise.all(streams.map((stream) => stream.reaches(head)));
  const missed = told.filter((one) => !one).length;
  if (missed > 0)
    remark(history, `${missed} of ${READERS} streams that resumed while the storage was full never caught up`);
  const initial = new Stream(node, '/v1/watch?initial=true');
  if (!(await initial.reaches(head)))
    remark(history, 'a stream with its initial state got no end of it while the storage was full');
  for (const stream of [...streams, initial]) stream.close();
  for (const [index, thing] of things.entries()) {
    const { httpUrl } = topology.node(index);
    const answer = await fetch(shadowUrl(httpUrl, thing), { method: 'DELETE', signal: AbortSignal.timeout(FIRST_MS) })
      .then(async (response) => `${response.status} ${(await response.text()).slice(0, 120)}`)
      .catch(String);
    if (!answer.startsWith('200'))
      remark(history, `node ${index} did not delete while the storage was full: ${answer}`);
  }
  return async () => {
    await heal();
    traffic?.goOn();
  };
}

function remark(history: FaultContext['history'], text: string): void {
  history.remarks.push({ promise: PROMISES.full, text });
}

function shadowUrl(httpUrl: string, thing: string): string {
  return `${httpUrl}/v1/things/${thing}/shadow`;
}

async function put({ httpUrl }: LabNode, thing: string, n: number): Promise<void> {
  const body = JSON.stringify({ state: { desired: { n } } });
  const { status } = await fetch(shadowUrl(httpUrl, thing), { method: 'PATCH', body });
  if (status !== 200) throw new Error(`status ${status} before the storage was full`);
}

async function positionOf({ httpUrl }: LabNode): Promise<string> {
  const reader = await EventReader.open(`${httpUrl}/v1/watch`);
  const { id } = await reader.nextOf('bookmark');
  reader.close();
  return id ?? '';
}

/** One stream, opened at once and kept. */
class Stream {
  readonly #reader: Promise<EventReader>;

  constructor({ httpUrl }: LabNode, path: string, cursor?: string) {
    this.#reader = EventReader.open(httpUrl + path, cursor === undefined ? {} : { 'last-event-id': cursor });
    this.#reader.catch(() => undefined);
  }

  /** Whether it says in time that there is nothing more for it up to this revision. */
  reaches(revision: number): Promise<boolean> {
    const reached = this.#reader.then(async (reader) => {
      while (Number((await reader.nextOf('bookmark')).data['revision']) < revision);
      return true;
    });
    return Promise.race([reached.catch(() => false), pause(FIRST_MS, false)]);
  }

  close(): void {
    this.#reader.then(
      (reader) => reader.close(),
      () => undefined,
    );
  }
}
