import { setTimeout as pause } from 'node:timers/promises';
import { logLines } from '../../harness/node-process.js';
import { until } from '../../harness/until.js';
import type { EtcdServer } from '../../harness/etcd.js';
import type { Lab, RunningNode } from '../lab.js';
import { footprint, type Footprint } from '../load/soak/footprint.js';
import { Journal, PARTS } from '../load/soak/journal.js';
import { writeHistory } from '../load/soak/history.js';
import { MixedLoad, WRITE_SHARE } from '../load/soak/mixed-load.js';
import { compactEachPart, SOAK_FLAGS } from '../load/soak/soak-etcd.js';
import { steadyRate } from '../load/soak/steady-rate.js';
import { atLeast, atMost, row, type Result, type Row } from '../result.js';
import { spread } from '../statistics.js';

const RATE = 1000;
const DEVICES = 400;
const READERS = 40;
/** Requests under way at once: five seconds of them, so that a load that was kept waiting for a processor refuses none. */
const MOST_IN_FLIGHT = 5000;
/** Seconds of the load before the first part: at most two minutes, at least a fifth of a part. */
const MOST_WARM_S = 120;
/** Milliseconds before a part that counts in which the node collects its garbage. */
const COLLECT_MS = 1_000;
/** What the last part may be over the first. */
const MOST_RATIO = 1.1;
const LAST = PARTS - 1;

/**
 * A node and an etcd of its own under a fixed rate of requests through all doors. Whether the last third is as the first:
 * failures, latency, memory.
 */
export async function soak(lab: Lab, minutes: number): Promise<Result> {
  const seconds = minutes * 60;
  const dataDir = lab.folder();
  const compactTo = await writeHistory(dataDir, Math.ceil(RATE * WRITE_SHARE * seconds));
  const etcd = await lab.etcd({ args: SOAK_FLAGS, dataDir });
  const node = await lab.node('umbra', { etcd: [etcd] });
  const journal = new Journal();
  const { mqttPort, httpPort } = node;
  const load = await MixedLoad.open(journal, { mqttPort, httpPort, devices: DEVICES, readers: READERS });
  lab.onEnd(() => load.end());
  const warm = Math.min(MOST_WARM_S, seconds / PARTS / 5);
  const start = performance.now();
  journal.begin(start + warm * 1000, seconds);
  const steady = { perSecond: RATE, seconds: warm + seconds, mostInFlight: MOST_IN_FLIGHT, from: start };
  const all = steadyRate(
    steady,
    (n, dueAt) => load.request(n, dueAt),
    () => journal.failed('load', `more than ${MOST_IN_FLIGHT} requests under way`),
  );
  const compactions = compactEachPart(etcd, { from: start + warm * 1000, seconds }, compactTo);
  const looks = await Promise.all([all, look(node, etcd, { start, warm, seconds }), compactions]);
  await load.settle();
  const [requests, { memory, heap }] = looks;
  return {
    rows: [...failureRows(journal, requests, warm + seconds), ...latencyRows(journal), ...memoryRows(memory, heap)],
    notes: [...latencyNotes(journal), ...memoryNotes(memory, heap), ...journal.reasons],
  };
}

interface Looks {
  /** While the first part ran, and the last. */
  readonly memory: readonly [Footprint, Footprint];
  /** Bytes of the heap after a full collection, behind either. */
  readonly heap: readonly [number, number];
}

/**
 * A collection of everything leaves V8 with a small young generation, and answers are slower for long. So there is one
 * before either part that counts, and one behind it, all of them outside of these parts.
 */
async function look(
  node: RunningNode,
  etcd: EtcdServer,
  { start, warm, seconds }: { readonly start: number; readonly warm: number; readonly seconds: number },
): Promise<Looks> {
  const at = (second: number): number => start + (warm + second) * 1000;
  const during = async (part: number): Promise<Footprint> => {
    const begin = at((seconds * part) / PARTS);
    await pause(Math.max(0, begin - COLLECT_MS - performance.now()));
    await heapOf(node);
    await pause(Math.max(0, begin - performance.now()));
    process.stderr.write('.');
    return footprint(node.process.pid, etcd, at((seconds * (part + 1)) / PARTS));
  };
  const first = await during(0);
  const heapFirst = await heapOf(node);
  const last = await during(LAST);
  return { memory: [first, last], heap: [heapFirst, await heapOf(node)] };
}

async function heapOf({ process: node }: RunningNode): Promise<number> {
  const collected = (): Record<string, unknown>[] => logLines(node.logs()).filter(({ msg }) => msg === 'collected');
  const { length } = collected();
  node.signal('SIGHUP');
  await until('the node has collected its garbage', () => collected().length > length);
  return Number(collected().at(-1)?.['heapUsed']);
}

function failureRows(journal: Journal, requests: number, seconds: number): Row[] {
  return [
    row('share of requests and deliveries that failed', [journal.failures / requests], atMost(0)),
    row('requests a second', [requests / seconds], atLeast(RATE * 0.99)),
  ];
}

function latencyRows(journal: Journal): Row[] {
  return journal.doors.map((door) => {
    const [first, last] = [0, LAST].map((part) => spread(journal.times(part, door)).p99) as [number, number];
    return row(`p99 of ${door}, last third over first`, [last / first], atMost(MOST_RATIO));
  });
}

function latencyNotes(journal: Journal): string[] {
  return journal.doors.map((door) => {
    const [first, last] = [0, LAST].map((part) => shown(journal.times(part, door)));
    return `${door}: ${first}, then ${last}`;
  });
}

function shown(times: readonly number[]): string {
  const { n, p50, p99, max } = spread(times);
  return `${n.toLocaleString('en')} with p50 ${p50.toFixed(2)}, p99 ${p99.toFixed(1)}, longest ${max.toFixed(0)} ms`;
}

function memoryRows([first, last]: Looks['memory'], heap: Looks['heap']): Row[] {
  const over = (name: string, values: readonly [number, number]): Row =>
    row(`${name}, last third over first`, [values[1] / values[0]], atMost(MOST_RATIO));
  return [
    over('resident memory of the node', [first.node, last.node]),
    over('heap of the node after a collection', heap),
    over('memory of etcd without its file', [first.etcdOwn, last.etcdOwn]),
    over('resident memory of etcd', [first.etcd, last.etcd]),
    over('file of etcd', [first.file, last.file]),
  ];
}

function memoryNotes(memory: Looks['memory'], heap: Looks['heap']): string[] {
  return memory.map((held, i) => {
    const mib = (what: keyof Footprint): string => held[what].toFixed(0);
    const collected = ((heap[i] ?? Number.NaN) / 1024 ** 2).toFixed(1);
    const etcd = `etcd ${mib('etcd')} MiB, ${mib('etcdOwn')} without its file of ${mib('file')} (${mib('inUse')} in use)`;
    const cores = `node ${held.nodeCores.toFixed(2)} and etcd ${held.etcdCores.toFixed(2)} of a core`;
    const used = `${cores}, ${held.written.toFixed(0)} KiB/s to the disk of etcd`;
    return `${i === 0 ? 'first' : 'last'} third: node ${mib('node')} MiB, heap after it ${collected}; ${etcd}; ${used}`;
  });
}
