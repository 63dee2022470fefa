import { setTimeout as pause } from 'node:timers/promises';
import { formatKey } from '../../../src/store/etcd/keys.js';
import type { EtcdServer } from '../../harness/etcd.js';
import { until } from '../../harness/until.js';
import { NOT_FROZEN } from '../frozen.js';
import type { Lab, Measured, RunningNode, Side } from '../lab.js';
import { HttpConnection } from '../load/http-connection.js';
import { cpuSeconds } from '../load/process-usage.js';
import type { Sample } from '../load/sample.js';
import { atMost, note, ratio, row, type Result, type Row } from '../result.js';
import { median, spread } from '../statistics.js';
import { bareServer } from './bare-server.js';
import { nodeCost } from './doors.js';

/** Events of one revision. */
const BATCHES = [30, 100];
/** Shadows that change; none of them has a reader at the node that is measured. */
const SHADOWS = 2000;
/** Revisions under way at etcd, as of a node that writes. */
const UNDER_WAY = 2;
/** Milliseconds between looks whether a node has caught up, and the processor seconds of such a time that count as rest. */
const LOOK_MS = 100;
const REST = 0.01;

/** What a node pays for an event of a shadow that nobody there listens to, by the events that one revision has. */
export async function foreign(lab: Lab): Promise<Result> {
  const etcd = await lab.etcd();
  const now = await listener(lab, etcd, '/foreign/');
  const bare = await bareListener(lab, etcd, '/foreign-bare/', now.value);
  const before = lab.frozen === null ? null : await listener(lab, etcd, '/foreign-before/', lab.frozen);
  const sides: Record<string, Side> = {};
  for (const batch of BATCHES) {
    sides[`${batch} a revision`] = sideOf(lab, etcd, now, batch);
    sides[`bare, ${batch} a revision`] = sideOf(lab, etcd, bare, batch);
    if (before) sides[`frozen, ${batch} a revision`] = sideOf(lab, etcd, before, batch);
  }
  const found = await lab.alternate(sides);
  return {
    rows: BATCHES.flatMap((batch) =>
      rows(batch, {
        now: found[`${batch} a revision`] ?? [],
        bare: found[`bare, ${batch} a revision`] ?? [],
        frozen: found[`frozen, ${batch} a revision`] ?? [],
      }),
    ),
    notes: [...Object.entries(found).map(([name, samples]) => note(name, samples)), ...(before ? [] : [NOT_FROZEN])],
  };
}

interface Found {
  readonly now: readonly Measured[];
  /** A process that throws the bytes of its watch away. */
  readonly bare: readonly Measured[];
  readonly frozen: readonly Measured[];
}

/** The node's own part is what it costs beyond hearing of the revision: no process could hear of it for less. */
function rows(batch: number, { now, bare, frozen }: Found): Row[] {
  const floor = median(bare.map(nodeCost));
  const own = now.map((each) => nodeCost(each) - floor);
  return [
    row(`processor per foreign event, ${batch} a revision`, now.map(nodeCost), atMost(2), ' µs'),
    row(`the same of a bare watch, ${batch} a revision`, bare.map(nodeCost), undefined, ' µs'),
    row(`the node's own part, ${batch} a revision`, own, atMost(2), ' µs'),
    ...(frozen.length > 0 ? [ratio(`over the frozen revision, ${batch} a revision`, now, frozen, nodeCost)] : []),
  ];
}

/** A process that hears of what is written under a prefix. */
interface Listener {
  readonly pid: number;
  readonly prefix: string;
  readonly value: Buffer;
}

/** A node without clients. */
async function listener(lab: Lab, etcd: EtcdServer, prefix: string, main?: string): Promise<Listener> {
  const node = await lab.node('umbra', { etcd: [etcd], prefix, ...(main === undefined ? {} : { main }) });
  return { pid: node.process.pid, prefix, value: await writtenBy(node, etcd, prefix) };
}

async function bareListener(lab: Lab, etcd: EtcdServer, prefix: string, value: Buffer): Promise<Listener> {
  const { pid } = await bareServer(lab, 'bare-watcher', [etcd.endpoint, prefix]);
  return { pid, prefix, value };
}

function sideOf(lab: Lab, etcd: EtcdServer, { pid, prefix, value }: Listener, batch: number): Side {
  const keys = Array.from({ length: SHADOWS }, (_, i) =>
    Buffer.from(formatKey(prefix, { tenant: 'default', thing: `foreign-${i}`, name: null })),
  );
  const load = { run: (seconds: number) => write(etcd, { keys, value, batch, seconds, pid }) };
  return lab.loaded(load, { node: pid, etcd: etcd.pid });
}

/** A record as this build writes it: two builds need not write the same. */
async function writtenBy({ httpPort }: RunningNode, { client }: EtcdServer, prefix: string): Promise<Buffer> {
  const http = await HttpConnection.open(httpPort);
  const reported = { count: 1, temperature: 21.5, humidity: 41, door: 'closed', online: true, firmware: '1.4.2' };
  await http.send('POST', '/things/foreign-0/shadow', JSON.stringify({ state: { desired: { mode: 'eco' } } }));
  await http.send(
    'POST',
    '/things/foreign-0/shadow',
    JSON.stringify({ state: { reported }, clientToken: 'foreign-0-1' }),
  );
  http.end();
  const key = Buffer.from(formatKey(prefix, { tenant: 'default', thing: 'foreign-0', name: null }));
  const { kvs } = await client.kv.range({ key });
  if (!kvs[0]) throw new Error('the node has written no record');
  return kvs[0].value;
}

interface Writing {
  readonly keys: readonly Buffer[];
  readonly value: Buffer;
  /** Events of one revision. */
  readonly batch: number;
  readonly seconds: number;
  /** Of the node that hears of it. */
  readonly pid: number;
}

/** Writes for so long, then waits until the node has heard of all. */
async function write({ client }: EtcdServer, { keys, value, batch, seconds, pid }: Writing): Promise<Sample> {
  const start = performance.now();
  const latencies: number[] = [];
  let next = 0;
  const writer = async (): Promise<void> => {
    do {
      const success = Array.from({ length: batch }, () => ({
        request_put: { key: keys[next++ % SHADOWS] as Buffer, value },
      }));
      const sent = performance.now();
      await client.kv.txn({ success });
      latencies.push(performance.now() - sent);
    } while (performance.now() - start < seconds * 1000);
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, writer));
  const operations = latencies.length * batch;
  const perSecond = operations / ((performance.now() - start) / 1000);
  await until('the node has heard of all', () => atRest(pid), 30_000);
  const { p50, p99 } = spread(latencies);
  return { perSecond, p50, p99, operations };
}

async function atRest(pid: number): Promise<boolean> {
  const before = cpuSeconds(pid);
  await pause(LOOK_MS);
  return cpuSeconds(pid) - before <= REST + 1e-9;
}
