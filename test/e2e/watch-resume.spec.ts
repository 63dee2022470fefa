import { setTimeout as pause } from 'node:timers/promises';
import { EventSource } from 'eventsource';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { Balancer } from './steps/balancer.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Device, topic } from './steps/device.js';
import { CurlReader } from './steps/event-stream.js';
import { Rest } from './steps/rest.js';
import { until } from '../harness/until.js';

const UPDATES = 1500;
/** Milliseconds between updates, all shadows together: 200 a second. */
const INTERVAL_MS = 5;
/** Events after which a reader is killed; varied, so that cuts fall everywhere. */
const CUT_AFTER = [40, 170, 90, 220, 10, 130];

const cleanup = cleanupAfterAll();
let etcd: EtcdServer;
let a: ReadyNode;
let b: ReadyNode;

beforeAll(async () => {
  etcd = await startEtcd();
  cleanup(() => etcd.stop());
  const env = { UMBRA_ETCD_ENDPOINTS: etcd.endpoint };
  [a, b] = await Promise.all([startNode({ env }), startNode({ env })]);
  cleanup(() => a.stop());
  cleanup(() => b.stop());
});

interface Change {
  readonly shadow: string;
  readonly version: number;
  readonly seq: number;
}

const SHADOWS = [
  { thing: 'w-1', name: undefined },
  { thing: 'w-1', name: 'door' },
  { thing: 'w-2', name: undefined },
  { thing: 'w-2', name: 'lamp' },
  { thing: 'w-3', name: undefined },
  { thing: 'w-4', name: undefined },
];
const label = (thing: string, name: string | null | undefined): string => `${thing}/${name ?? ''}`;

/** Writes through both nodes and both doors; each shadow has one writer at a time, and its answers are the history. */
async function writeHistory(): Promise<Change[]> {
  const doors = [new Rest(a.httpUrl), new Rest(b.httpUrl)];
  const devices = await Promise.all([a, b].map((node) => Device.connect(node.mqttUrl)));
  for (const device of devices) {
    cleanup(() => device.close());
    await device.subscribe(...SHADOWS.map(({ thing, name }) => topic(thing, 'update/accepted', name)));
  }
  const written: Change[] = [];
  const lanes = SHADOWS.map(() => Promise.resolve());
  const write = async (seq: number, { thing, name }: (typeof SHADOWS)[number]): Promise<void> => {
    const body = { state: { reported: { seq } } };
    const side = Math.floor(seq / SHADOWS.length) % 2;
    const answer =
      seq % 5 === 0
        ? await (devices[side] as Device).request(thing, 'update', body, name)
        : await (doors[side] as Rest).update(thing, body, name);
    if (typeof answer.json?.version !== 'number') throw new Error(`update ${seq} failed: ${answer.text}`);
    written.push({ shadow: label(thing, name), version: answer.json.version, seq });
  };
  for (let seq = 0; seq < UPDATES; seq++) {
    const lane = seq % SHADOWS.length;
    lanes[lane] = (lanes[lane] as Promise<void>).then(() => write(seq, SHADOWS[lane] as (typeof SHADOWS)[number]));
    await pause(INTERVAL_MS);
  }
  await Promise.all(lanes);
  return written;
}

function changeOf(data: string): Change & { readonly revision: number } {
  const { thing, shadow, version, revision, patch } = JSON.parse(data);
  return { shadow: label(thing, shadow), version, revision, seq: patch.reported.seq };
}

function byShadow(changes: readonly Change[]): Record<string, string[]> {
  const histories: Record<string, string[]> = {};
  for (const { shadow, version, seq } of changes) (histories[shadow] ??= []).push(`v${version}: ${seq}`);
  return histories;
}

interface Reader {
  /** `data` of every change, in the order of arrival. */
  changes(): string[];
  /** Kills it and lets it resume on the other node. */
  cut(): Promise<void>;
}

async function curlReader(): Promise<Reader> {
  const curl = new CurlReader();
  cleanup(() => curl.kill());
  const nodes = [a, b];
  let life = 0;
  const start = async (): Promise<void> => {
    const status = await curl.start(`${(nodes[life++ % 2] as ReadyNode).httpUrl}/v1/watch`);
    if (status !== 'HTTP/1.1 200 OK') throw new Error(status);
  };
  await start();
  return {
    changes: () => curl.events.filter(({ event }) => event === 'change').map(({ data }) => data),
    async cut() {
      await curl.kill();
      await start();
    },
  };
}

async function eventSourceReader(): Promise<Reader> {
  const balancer = await Balancer.start(...[a, b].map(({ httpUrl }) => Number(new URL(httpUrl).port)));
  const source = new EventSource(`http://127.0.0.1:${balancer.port}/v1/watch`);
  cleanup(() => balancer.stop());
  cleanup(() => source.close());
  const changes: string[] = [];
  let opened = 0;
  source.addEventListener('change', (event) => void changes.push(event.data as string));
  source.addEventListener('open', () => void opened++);
  await until('eventsource is open', () => opened > 0);
  return {
    changes: () => changes,
    async cut() {
      const before = opened;
      // The client notices, waits for the time of the `retry:` hint, and resumes by itself.
      balancer.cutAll();
      await until('eventsource has connected again', () => opened > before);
    },
  };
}

/** Cuts the reader again and again until the writer is done; then waits until it has everything. */
async function disturb(reader: Reader, writing: Promise<Change[]>): Promise<number> {
  let done = false;
  const finished = writing.finally(() => (done = true));
  let cuts = 0;
  while (!done) {
    const target = reader.changes().length + (CUT_AFTER[cuts % CUT_AFTER.length] as number);
    await until('more events', () => done || reader.changes().length >= target);
    if (done) break;
    await reader.cut();
    cuts++;
  }
  await finished;
  await reader.cut();
  await until(
    () => `${UPDATES} events, got ${reader.changes().length}`,
    () => reader.changes().length >= UPDATES,
    30_000,
  );
  return cuts + 1;
}

it('readers that are killed and resume on the other node get exactly what was written', async () => {
  const readers = { curl: await curlReader(), eventsource: await eventSourceReader() };
  const writing = writeHistory();
  const [curlCuts, sourceCuts] = await Promise.all([
    disturb(readers.curl, writing),
    disturb(readers.eventsource, writing),
  ]);
  const written = await writing;
  expect(curlCuts).toBeGreaterThanOrEqual(10);
  expect(sourceCuts).toBeGreaterThanOrEqual(3);

  const expected = byShadow(written);
  for (const history of Object.values(expected)) {
    expect(history.map((entry) => entry.split(':')[0])).toEqual(history.map((_entry, index) => `v${index + 1}`));
  }
  for (const [name, reader] of Object.entries(readers)) {
    const received = reader.changes().map(changeOf);
    expect({ name, history: byShadow(received) }).toEqual({ name, history: expected });
    const revisions = received.map(({ revision }) => revision);
    expect(revisions).toEqual([...revisions].sort((x, y) => x - y));
  }
});
