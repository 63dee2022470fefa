import type { Lab, Measured, Side } from '../lab.js';
import { Helper } from '../load/helper.js';
import { openFiles, residentBytes } from '../load/process-usage.js';
import type { Sample } from '../load/sample.js';
import type { Transport } from '../load/stream-readers.js';
import { atLeast, atMost, note, perSecond, ratio, row, type Result, type Row } from '../result.js';
import { bareServer } from './bare-server.js';

/** Descriptors that a process needs beside the sockets of readers. */
const SPARE = 500;
const KIB = 1024;
const WARM_READERS = 100;

/** One shadow, many readers of its stream: deliveries a second over a server that only writes, and memory of a reader. */
export async function streams(lab: Lab): Promise<Result> {
  const most = openFiles() - SPARE;
  const sizes = { full: [1000, 10_000], table: [1000, 10_000], quick: [1000], smoke: [10] }[lab.scale.kind];
  const rows: Row[] = [];
  const notes: string[] = [];
  for (const transport of ['sse', 'websocket'] as const) {
    for (const count of sizes.map((each) => Math.min(each, most))) {
      const { found, eachKib } = await measure(lab, transport, count);
      const name = `${count} readers over ${transport}`;
      rows.push(ratio(`${name}, deliveries over a bare server`, found.umbra, found.bare, perSecond, atLeast(0.9)));
      if (count >= 1000) rows.push(row(`${name}, resident for each`, [eachKib], atMost(20), ' KiB'));
      notes.push(note(name, found.umbra), note(`${name}, bare`, found.bare));
    }
  }
  return { rows, notes };
}

interface Found {
  readonly found: { readonly umbra: readonly Measured[]; readonly bare: readonly Measured[] };
  readonly eachKib: number;
}

async function measure(lab: Lab, transport: Transport, count: number): Promise<Found> {
  const limit = String(count + SPARE);
  const env = { UMBRA_WATCH_MAX_SUBSCRIPTIONS: limit, UMBRA_LIMIT_STREAMS: limit, UMBRA_LIMIT_ADDRESS: limit };
  const umbra = await lab.node('umbra', {
    etcd: [await lab.etcd()],
    env: { ...env, UMBRA_HTTP_MAX_CONNECTIONS: limit },
  });
  const bare = await bareServer(lab, 'bare-streams');
  const { pid } = umbra.process;
  await settle(lab, { port: umbra.httpPort, pid, count: Math.min(WARM_READERS, count), transport });
  const before = residentBytes(pid);
  const sides = {
    umbra: await side(lab, { port: umbra.httpPort, pid, count, transport }),
    bare: await side(lab, { port: bare.port, pid: bare.pid, count, transport }),
  };
  const eachKib = (residentBytes(pid) - before) / KIB / count;
  const found = await lab.alternate(sides);
  for (const { end } of Object.values(sides)) end();
  await umbra.process.stop();
  return { found, eachKib };
}

/** A few readers come, are told changes, and go: what a node needs to serve any is not what each of them needs. */
async function settle(lab: Lab, readers: Readers): Promise<void> {
  const { run, end } = await side(lab, readers);
  await run();
  end();
}

interface Readers {
  readonly port: number;
  /** Of the server. */
  readonly pid: number;
  readonly count: number;
  readonly transport: Transport;
}

/** Each side in a process of its own: two with 10,000 sockets are more than many systems let one process have. */
async function side(lab: Lab, { pid, ...opening }: Readers): Promise<Side & { end: () => void }> {
  const helper = Helper.start('stream-readers');
  const end = (): void => helper.stop();
  lab.onEnd(end);
  await helper.ask('open', opening);
  return { run: () => helper.ask<Sample>('run', lab.scale.seconds), pids: { node: pid, load: helper.pid }, end };
}
