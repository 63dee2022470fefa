import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { EtcdServer } from '../../harness/etcd.js';
import { EtcdRecorder } from '../actors/etcd-recorder.js';
import { FleetWriters } from '../actors/fleet-writers.js';
import { bundleProgram, LibraryReader, type ReaderKind } from '../actors/library-reader.js';
import { listStates } from '../actors/list-states.js';
import { askReady } from '../actors/rest-caller.js';
import { History } from '../model/history.js';
import { LibraryHistory } from '../model/library-history.js';
import type { Result } from '../run-scenario.js';
import { Topology, type TopologySpec } from '../topology.js';
import { reporter } from '../validate/findings.js';
import { judgeLibrary } from '../validate/library.js';
import { LAB_RUNS, PROMISES, type Violation } from '../validate/promises.js';
import { libraryOf } from './library-of.js';
import { READERS } from './plan-names.js';
import { Random } from './random.js';

export interface ReadersOptions {
  readonly minutes: number;
  /** Processes, as many of each kind. */
  readonly readers: number;
  /** Changes a second that have to be reached while nothing is paused or down. */
  readonly rate: number;
}

export const USUAL_READERS: ReadersOptions = { minutes: 1, readers: 8, rate: 200 };

const KINDS: readonly ReaderKind[] = ['watch', 'initial watch', 'cache', 'kept cache'];
/** Requests for one change a second: some are refused, or meet a node that is down. */
const REQUESTS = 1.3;
/** UMBRA_WATCH_HISTORY_RECORDS: five seconds of the usual rate, so that an absence is soon longer than that. */
const MEMORY = 1_000;
/** Milliseconds between two faults, for which one lasts, and in which all is whole again afterwards. */
const BETWEEN_MS = [1_500, 6_000] as const;
const HOLD_MS = [500, 3_000] as const;
const BOUND_MS = 60_000;

type Event = 'backup' | 'compact' | 'kill-node' | 'terminate-node' | 'kill-etcd' | 'restore';
/** Again and again; where there is time for one round only, each has happened. */
const EVENTS: readonly Event[] = [
  ...(['backup', 'compact', 'restore', 'kill-node', 'compact', 'terminate-node', 'compact', 'kill-etcd'] as const),
];

interface Stage {
  readonly topology: Topology;
  readonly etcd: EtcdServer;
  readonly history: LibraryHistory;
  readonly writers: FleetWriters;
  readonly random: Random;
  /** For remarks and faults. */
  readonly lab: History;
  readonly until: number;
  readonly backupFolder: string;
  recorder: EtcdRecorder;
  /** The last revision of the backup, and the epoch that it is of; null: there is none. */
  backup: { readonly revision: number; readonly epoch: number } | null;
  /** Milliseconds in which the writers could write. */
  writingMs: number;
}

/**
 * Watches and caches of the client library, each in a process of its own that is killed, frozen and started again, beside
 * a steady load, while nodes and etcd are killed, etcd compacts, and a backup is restored under all of them.
 */
export async function runReaders(seed: number, options: ReadersOptions, main?: string): Promise<Result> {
  const lab = new History();
  const env = { UMBRA_WATCH_HISTORY_RECORDS: String(MEMORY), UMBRA_WATCH_BOOKMARK_MS: '1000' };
  // A backup is that of one member.
  const spec: TopologySpec = { members: 1, nodes: 3, broker: 'built-in', proxied: false, timers: 'default', env };
  const library = await libraryOf(main);
  const topology = await Topology.start({ ...spec, ...(main === undefined ? {} : { main }) }, lab);
  const folder = await mkdtemp(join(tmpdir(), 'umbra-lab-readers-'));
  try {
    return await playOn({ topology, lab, folder, library }, seed, options);
  } finally {
    await topology.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

interface Parts {
  readonly topology: Topology;
  readonly lab: History;
  readonly folder: string;
  readonly library: string;
}

async function playOn(
  { topology, lab, folder, library }: Parts,
  seed: number,
  options: ReadersOptions,
): Promise<Result> {
  const random = new Random(seed);
  const prefix = `l${seed.toString(36)}-`;
  const history = new LibraryHistory();
  const [etcd] = topology.members as [EtcdServer];
  const targets = topology.nodes.map(({ index, httpUrl }) => ({ node: index, url: httpUrl }));
  const urls = targets.map(({ url }) => url);
  const program = await bundleProgram(folder);
  const readers = Array.from({ length: options.readers }, (_, i) => {
    const kind = KINDS[i % KINDS.length]!;
    const parts = { library, kind, urls, things: `${prefix}*`, folder: join(folder, String(i)) };
    return new LibraryReader(`${kind} ${i}`, program, parts, history, random.fork(`reader ${i}`));
  });
  const writers = new FleetWriters(prefix, targets, history, random.fork('writers'), options.rate * REQUESTS);
  const until = performance.now() + options.minutes * 60_000;
  const stage: Stage = {
    ...{
      topology,
      etcd,
      history,
      writers,
      lab,
      until,
      random: random.fork('plan'),
      recorder: recorderOf(etcd, history),
    },
    ...{ backupFolder: join(folder, 'backup'), backup: null, writingMs: 0 },
  };
  stage.recorder.start();
  try {
    await Promise.all(readers.map((reader) => reader.start()));
    const from = performance.now();
    writers.start();
    await disturb(stage);
    await writers.stop();
    stage.writingMs += performance.now() - from;
    await settle(stage, readers);
    await compareLists(urls, prefix, history);
  } finally {
    await Promise.all([...readers, writers, stage.recorder].map((actor) => actor.stop()));
  }
  return verdictOf(stage, seed, options);
}

const recorderOf = (etcd: EtcdServer, history: LibraryHistory): EtcdRecorder =>
  new EtcdRecorder([etcd.endpoint], (commit) => history.epoch.add(commit));

async function disturb(stage: Stage): Promise<void> {
  const { random, until, lab } = stage;
  for (let turn = 0; ; turn++) {
    await pause(random.int(...BETWEEN_MS));
    if (performance.now() > until) return;
    const event = EVENTS[turn % EVENTS.length] as Event;
    const from = lab.now();
    await STEPS[event](stage);
    lab.faults.push({ fault: event, from, to: lab.now() });
  }
}

const hold = ({ random }: Stage): Promise<void> => pause(random.int(...HOLD_MS));

const STEPS: Readonly<Record<Event, (stage: Stage) => Promise<void>>> = {
  compact,
  backup: (stage) => still(stage, () => takeBackup(stage)),
  restore: (stage) => still(stage, () => restore(stage)),
  'kill-node': (stage) => endNode(stage, 'kill9'),
  'terminate-node': (stage) => endNode(stage, 'terminate'),
  async 'kill-etcd'(stage) {
    const from = performance.now();
    await stage.etcd.kill9();
    await hold(stage);
    await stage.etcd.restart();
    stage.writingMs -= performance.now() - from;
  },
};

/** At what the lab has heard: all that was committed before is gone, and the truth stays whole. */
async function compact({ etcd, history, recorder }: Stage): Promise<void> {
  const revision = recorder.position;
  history.epoch.compactions.push({ revision, at: performance.now() });
  await etcd.client.kv.compact({ revision: String(revision), physical: true });
}

async function endNode(stage: Stage, how: 'kill9' | 'terminate'): Promise<void> {
  const node = stage.random.pick(stage.topology.nodes);
  await node[how]();
  await hold(stage);
  await node.start();
}

/** Does something when all that was written is known to the lab, and nothing is being written. */
async function still(stage: Stage, task: () => Promise<void>): Promise<void> {
  const { writers, etcd } = stage;
  const from = performance.now();
  await writers.pause();
  await stage.recorder.reaches(await lastChange(etcd), BOUND_MS);
  await task();
  writers.resume();
  stage.writingMs -= performance.now() - from;
}

/** Revision of the last change of any shadow. */
async function lastChange({ client }: EtcdServer): Promise<number> {
  const [key, range_end] = ['/umbra/v1/shadows/', '/umbra/v1/shadows0'].map((text) => Buffer.from(text));
  const newest = { sort_order: 'Descend', sort_target: 'Mod', limit: 1, keys_only: true } as const;
  const { kvs } = await client.kv.range({ key: key!, range_end: range_end!, ...newest });
  return Number(kvs[0]?.mod_revision ?? 0);
}

async function takeBackup(stage: Stage): Promise<void> {
  const { etcd, backupFolder, recorder, history } = stage;
  await etcd.shutdown();
  await rm(backupFolder, { recursive: true, force: true });
  await cp(etcd.dataDir, backupFolder, { recursive: true });
  stage.backup = { revision: recorder.position, epoch: history.epochs.length - 1 };
  await etcd.restart();
}

/** What was acknowledged after the backup is gone, as it must be. */
async function restore(stage: Stage): Promise<void> {
  const { etcd, backupFolder, history, backup } = stage;
  if (backup === null) throw new Error('there is no backup');
  checkAcked(history);
  await stage.recorder.stop();
  await etcd.shutdown();
  await rm(etcd.dataDir, { recursive: true, force: true });
  await cp(backupFolder, etcd.dataDir, { recursive: true });
  history.restores.push(performance.now());
  history.epochs.push(history.epochs[backup.epoch]!.restored(backup.revision));
  stage.recorder = recorderOf(etcd, history);
  stage.recorder.position = backup.revision;
  await etcd.restart();
  stage.recorder.start();
}

/** What was acknowledged in an epoch is in it. */
function checkAcked(history: LibraryHistory): void {
  for (const { token, shadow, version } of history.acked.splice(0))
    if (!history.epoch.has(token, shadow, version)) {
      const text = `${token} was told version ${version} of ${shadow}, which etcd never had`;
      history.remarks.push({ promise: PROMISES.lost, text });
    }
}

/** All readers come back, and have to be told of everything. */
async function settle({ topology, history, recorder, lab }: Stage, readers: readonly LibraryReader[]): Promise<void> {
  const from = performance.now();
  const isLate = (): boolean => performance.now() - from > BOUND_MS;
  await Promise.all(readers.map((reader) => reader.rest()));
  for (let last = -1; last !== recorder.position && !isLate(); await pause(1_000)) last = recorder.position;
  while (!readers.every(({ isWhole }) => isWhole) && !isLate()) await pause(50);
  history.count('ms until all had caught up', Math.round(performance.now() - from));
  // What a cache shows next is of then.
  await pause(2_500);
  for (const { index, httpUrl } of topology.nodes)
    if (!(await askReady(httpUrl))) lab.remarks.push({ promise: PROMISES.ready, text: `node ${index} is not ready` });
  if (recorder.fault !== null) throw new Error(recorder.fault);
  checkAcked(history);
}

/** Caches show what every node lists. */
async function compareLists(urls: readonly string[], prefix: string, history: LibraryHistory): Promise<void> {
  for (const [node, url] of urls.entries()) {
    const listed = await listStates(url, prefix);
    for (const { name, shown } of history.caches) {
      const states = shown.at(-1)?.states ?? new Map<number, number>();
      const isSame =
        states.size === listed.size && [...listed].every(([id, state]) => states.get(history.names.of(id)) === state);
      const text = `${name} shows ${states.size} shadows, and node ${node} lists ${listed.size}, or others`;
      if (!isSame) history.remarks.push({ promise: PROMISES.libraryCache, text });
    }
    history.count('shadows listed', listed.size);
  }
}

function verdictOf({ history, lab, writingMs }: Stage, seed: number, { rate }: ReadersOptions): Result {
  const violations: Violation[] = [];
  const report = reporter(violations);
  for (const { promise, text } of lab.remarks) report(promise, text);
  judgeLibrary(history, report);
  for (const what of ['kills', 'freezes', 'long absences', 'watch: compacted', 'watch: epoch-changed'])
    if (!history.counts.has(what)) report(LAB_RUNS, `there were none: ${what}`);
  const { epochs } = history;
  // Each epoch begins with what the backup had of another.
  const changes = epochs.reduce((sum, epoch) => sum + epoch.own, 0);
  const reached = changes / (writingMs / 1_000);
  if (reached < rate) report(LAB_RUNS, `${reached.toFixed(1)} changes a second were made, of ${rate}`);
  const about = [
    `${changes} changes in ${Math.round(writingMs / 1_000)} s: ${reached.toFixed(1)} a second`,
    `${epochs.length - 1} restored backups, ${epochs.reduce((sum, { compactions }) => sum + compactions.length, 0)} compactions`,
    ...[...history.counts].map(([what, count]) => `${what}: ${count}`),
    `lab ${Math.round(process.memoryUsage.rss() / 1e6)} MB`,
  ];
  const faults = [...lab.faults.map(({ fault, from, to }) => `${fault} for ${Math.round(to - from)} ms`), ...about];
  return { scenario: READERS, seed, violations, skipped: null, figures: null, faults };
}
