import { cp, rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { startEtcd, type EtcdServer } from '../../harness/etcd.js';
import { History, type Told } from '../model/history.js';
import { merge, same } from '../model/model.js';
import { PROMISES } from '../validate/promises.js';
import { Random } from './random.js';
import { BackupJobs, destroyData } from '../faults/backup-jobs.js';
import { readOverHttp, writeOverHttp } from '../actors/rest-caller.js';
import { verdict, type Result } from '../run-scenario.js';
import { DEFAULT_TOPOLOGY, MATRIX, type Scenario } from './scenarios.js';
import { Topology } from '../topology.js';
import { BOUND_MS, Traffic, USUAL_TRAFFIC } from '../actors/traffic.js';
import { Watcher } from '../actors/watcher.js';

const PLAIN = 'restore from an older backup';
const BUMPED = 'restore from an older backup, revision bumped';
const BY_JOBS = 'restore by the jobs of Kubernetes';
export const RESTORES: readonly string[] = [PLAIN, BUMPED, BY_JOBS];

/** Updates of each shadow that the restore takes back. */
const TAKEN_BACK = 15;
/** Of the cluster that is restored. */
const TOKEN = 'restored-1';
/** Revisions that a bumped backup is ahead of what was lost. */
const AHEAD = 500;

/**
 * A backup is put back under running nodes. What was acknowledged after the backup is gone, as it must be; what the
 * nodes still know of it must not come back, and every reader must be told.
 */
export async function runRestore(name: string, seed: number, main?: string): Promise<Result> {
  const history = new History();
  const topology = await Topology.start({ ...DEFAULT_TOPOLOGY, ...(main === undefined ? {} : { main }) }, history);
  const member = topology.members[0] as EtcdServer;
  const backup = name === BY_JOBS ? await SnapshotOfJobs.of(member) : new CopiedFolder(member, name === BUMPED);
  const prefix = `r${seed.toString(36)}`;
  const random = new Random(seed);
  try {
    const targets = topology.nodes.map(({ index, httpUrl }) => ({ node: index, url: httpUrl }));
    const watchers = targets.map(
      ({ node, url }) => new Watcher(`over the restore ${node}`, new History(), prefix, [{ node, url }]),
    );
    await Promise.all(watchers.map((watcher) => watcher.start()));
    // What is compared with the backup must be there.
    const before = await traffic(topology, random, `${prefix}a`, new History(), false);
    await backup.make();
    await ready(topology);
    const from = history.now();
    await takeBack(before, targets, `${prefix}t`);
    await backup.putBack();
    history.faults.push({ fault: name, from, to: history.now() });
    await ready(topology);
    await checkOld(history, before, topology, prefix);
    await checkTold(history, watchers);
    await Promise.all(watchers.map((watcher) => watcher.stop()));
    const after = await traffic(topology, random, `${prefix}b`, history);
    const scenario: Scenario = { ...(MATRIX[0] as Scenario), name };
    return verdict(scenario, seed, after, { maxMemory: 450e6 });
  } finally {
    await topology.stop();
    await backup.remove();
  }
}

async function traffic(
  topology: Topology,
  random: Random,
  prefix: string,
  history: History,
  deletes = true,
): Promise<History> {
  const round = new Traffic(topology, history, random.fork(prefix), prefix, { ...USUAL_TRAFFIC, deletes });
  await round.start();
  await pause(2_500);
  await round.finish();
  return history;
}

async function ready(topology: Topology): Promise<void> {
  const deadline = Date.now() + BOUND_MS;
  for (const { httpUrl } of topology.nodes) {
    while (Date.now() < deadline) {
      const answer = await fetch(`${httpUrl}/health/ready`).catch(() => null);
      if (answer?.status === 200) break;
      await pause(100);
    }
  }
}

/** Updates after the backup: all nodes have them in their caches. */
async function takeBack(
  before: History,
  targets: readonly { node: number; url: string }[],
  writer: string,
): Promise<void> {
  for (const shadow of before.final.keys()) {
    for (let n = 0; n < TAKEN_BACK; n++) {
      const target = targets[n % targets.length]!;
      await writeOverHttp(new History(), target, operation(shadow, target.node, `${writer}-${n}`, { lost: n }));
    }
  }
}

function operation(
  shadow: string,
  node: number,
  id: string,
  patch: Record<string, number>,
): Parameters<typeof writeOverHttp>[2] {
  // prettier-ignore
  return { id, kind: 'update', shadow, node, door: 'http', section: 'desired', patch, from: performance.now(),
    to: Infinity, outcome: 'maybe', step: null, reason: 'no answer' };
}

interface Backup {
  make(): Promise<void>;
  /** Instead of what the member has; it runs before and afterwards. */
  putBack(): Promise<void>;
  remove(): Promise<void>;
}

/** The folder of a member that stands still meanwhile. */
class CopiedFolder implements Backup {
  readonly #member: EtcdServer;
  readonly #copy: string;
  readonly #bump: boolean;

  constructor(member: EtcdServer, bump: boolean) {
    this.#member = member;
    this.#copy = `${member.dataDir}-backup`;
    this.#bump = bump;
  }

  async make(): Promise<void> {
    await this.#member.shutdown();
    await cp(this.#member.dataDir, this.#copy, { recursive: true });
    await this.#member.restart();
  }

  async putBack(): Promise<void> {
    const revision = await revisionOf(this.#member);
    await this.#member.shutdown();
    await rm(this.#member.dataDir, { recursive: true, force: true });
    await cp(this.#copy, this.#member.dataDir, { recursive: true });
    if (this.#bump) await bumpRevision(this.#member, revision + AHEAD);
    await this.#member.restart();
  }

  remove(): Promise<void> {
    return rm(this.#copy, { recursive: true, force: true });
  }
}

/** A snapshot by the commands of k8s/, of a member that runs; its data are destroyed before it is restored. */
class SnapshotOfJobs implements Backup {
  readonly #member: EtcdServer;
  readonly #jobs: BackupJobs;
  #snapshot = '';

  private constructor(member: EtcdServer, jobs: BackupJobs) {
    this.#member = member;
    this.#jobs = jobs;
  }

  static async of(member: EtcdServer): Promise<SnapshotOfJobs> {
    return new SnapshotOfJobs(member, await BackupJobs.for(member, 'm0'));
  }

  async make(): Promise<void> {
    this.#snapshot = await this.#jobs.save();
  }

  async putBack(): Promise<void> {
    const revision = await revisionOf(this.#member);
    await this.#member.kill9();
    await destroyData(this.#member);
    await this.#jobs.restore(this.#snapshot, TOKEN);
    // The job does it by a flag that Debian's etcdctl does not have.
    await bumpRevision(this.#member, revision + AHEAD);
    await this.#member.restart();
  }

  remove(): Promise<void> {
    return this.#jobs.remove(TOKEN);
  }
}

async function revisionOf({ client }: EtcdServer): Promise<number> {
  const { header } = await client.kv.range({ key: Buffer.from('head'), count_only: true });
  return Number(header.revision);
}

/** What `etcdutl snapshot restore --bump-revision --mark-compacted` does, for servers that come without it. */
async function bumpRevision(member: EtcdServer, revision: number): Promise<void> {
  const aside = await startEtcd({ dataDir: member.dataDir, args: ['--name', 'm0'] });
  const put = { key: Buffer.from('/bump'), value: Buffer.from('1') };
  for (let at = 0; at < revision;) {
    const answers = await Promise.all(Array.from({ length: 50 }, () => aside.client.kv.put(put)));
    at = Math.max(...answers.map(({ header }) => Number(header.revision)));
  }
  await aside.client.kv.compact({ revision: String(revision), physical: true });
  await aside.stop();
}

/** Old shadows are as they were at the backup, and go on from there. */
async function checkOld(history: History, before: History, topology: Topology, prefix: string): Promise<void> {
  const wrong = (text: string): void => void history.remarks.push({ promise: PROMISES.restored, text });
  for (const [shadow, [was]] of before.final) {
    let expected = was as Told;
    for (const { httpUrl, index } of topology.nodes) {
      const { told } = await readOverHttp(httpUrl, shadow);
      if (!same(told as never, expected as never))
        wrong(`node ${index} reads version ${told?.version} of ${shadow}, not ${expected.version}`);
      const op = operation(shadow, index, `${prefix}-after-${index}`, { after: index });
      await writeOverHttp(history, { node: index, url: httpUrl }, op);
      expected = { ...expected, version: expected.version + 1, desired: merge(expected.desired, op.patch) };
      const { told: now } = await readOverHttp(httpUrl, shadow);
      if (op.outcome !== 'acked' || !same(now as never, expected as never)) {
        wrong(
          `${shadow}: an update after the restore (${op.reason}) made ${JSON.stringify(now)}, not ${JSON.stringify(expected)}`,
        );
        return;
      }
    }
  }
}

async function checkTold(history: History, watchers: readonly Watcher[]): Promise<void> {
  const deadline = Date.now() + BOUND_MS;
  const deaf = (): Watcher[] => watchers.filter((watcher) => !watcher.startedOver);
  while (deaf().length > 0 && Date.now() < deadline) await pause(100);
  for (const { name } of deaf()) history.remarks.push({ promise: PROMISES.restored, text: `${name} was not told` });
}
