import { setTimeout as pause } from 'node:timers/promises';
import { CLAIMS } from '../../src/cluster/instances.js';
import { SinkCursors } from '../../src/sinks/sink-cursors.js';
import { SinkRunner } from '../../src/sinks/sink-runner.js';
import { bucketOf } from '../../src/store/bucket.js';
import type { ShadowRecord } from '../../src/store/shadow-store.js';
import { WATCH_TIMES } from '../../src/store/etcd/feed/watch-session.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { etcdFeed, type EtcdFeedFixture, type EtcdFeedOptions } from '../harness/etcd-feed.js';
import { MemoryClusterKeys } from '../harness/memory-cluster-keys.js';
import { until } from '../harness/until.js';
import { keyOf } from '../suites/feed-fixture.js';

const SHARDS = Array.from({ length: 16 }, (_, index) => `p/${index.toString(16)}`);
const shardOf = ({ key }: ShadowRecord): string => SHARDS[bucketOf(key.tenant, key.thing) % 16] as string;
/** Milliseconds until a message is safe at the receiver, and messages on their way: what bounds the rate. */
const SEND_MS = 10;
const IN_FLIGHT = 20;

let server: EtcdServer;
let fixture: EtcdFeedFixture;
let keys: MemoryClusterKeys;
const nodes: Node[] = [];

beforeAll(async () => (server = await startEtcd()));
afterAll(() => server.stop());
beforeEach(() => (keys = new MemoryClusterKeys()));
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.runner.release(SHARDS);
  await fixture.close();
});

const open = (options: EtcdFeedOptions = {}): EtcdFeedFixture => (fixture = etcdFeed(server, options));

/** A sink that counts, and the runner of one node for it. */
class Node {
  /** Messages of the present state, and of live changes. */
  readonly sent = { present: 0, live: 0 };
  /** Revision of the last live change that was handed over. */
  liveAt = 0;
  /** Thing to the versions that were sent, in their order. */
  readonly versions = new Map<string, number[]>();
  readonly runner: SinkRunner;

  constructor(readonly id: string) {
    const send = ({ key, state }: ShadowRecord): Promise<void> => {
      const versions = this.versions.get(key.thing) ?? [];
      this.versions.set(key.thing, [...versions, state.version]);
      return pause(SEND_MS);
    };
    this.runner = new SinkRunner({
      feed: fixture.feed,
      cursors: new SinkCursors(keys, 'test', (shard) => ({ key: CLAIMS + shard, value: id })),
      sink: {
        deliver: (record) => {
          this.sent.live++;
          this.liveAt = record.position.revision;
          return send(record);
        },
        converge: (record) => {
          this.sent.present++;
          return send(record);
        },
      },
      shardOf,
      tenants: ['t1'],
      maxInFlight: IN_FLIGHT,
      idleSaveMs: 100,
      logger: SILENT_LOGGER,
    });
    nodes.push(this);
  }

  async take(): Promise<void> {
    await keys.commit({ guards: [], puts: SHARDS.map((shard) => ({ key: CLAIMS + shard, value: this.id })) });
    await this.runner.take(SHARDS);
  }
}

/** @returns the revision of the last of `count` shadows at version 1 */
async function fill(count: number): Promise<number> {
  let last = 0;
  for (let from = 0; from < count; from += 100) {
    const size = Math.min(100, count - from);
    const writes = Array.from({ length: size }, (_, index) => ({ key: keyOf(`d${from + index}`), version: 1 }));
    last = await fixture.commit(writes);
  }
  return last;
}

const cursors = (): number[] =>
  SHARDS.map((shard) => JSON.parse(keys.keys.get(`cursors/test/${shard}`)?.value ?? '{}').revision as number);

it('recovery that takes longer than the history reaches every shadow once, and live changes flow beside it', async () => {
  const count = 4_000;
  /** Milliseconds: sending the present state takes about eight times as long. */
  const historyMs = 500;
  open();
  const begin = await fixture.feed.head(new AbortController().signal);
  await new SinkCursors(keys, 'test', () => null).begin(SHARDS, begin);
  await fixture.compact(await fill(count));

  const node = new Node('a');
  const latest = new Map<string, number>();
  let writing = true;
  let compacted = 0;
  const traffic = (async () => {
    const history: { revision: number; at: number }[] = [];
    for (let n = 0; writing; n++) {
      const thing = `d${(n * 37) % count}`;
      const version = (latest.get(thing) ?? 1) + 1;
      history.push({ revision: await fixture.commit([{ key: keyOf(thing), version }]), at: performance.now() });
      latest.set(thing, version);
      let past = 0;
      while (history[0] && history[0].at < performance.now() - historyMs) past = history.shift()?.revision ?? 0;
      // The history never ends before the live changes: on a machine that stands still for longer than the history the
      // follower would have missed changes, and would rightly send the present state again.
      past = Math.min(past, node.liveAt);
      if (past > compacted) await fixture.compact((compacted = past));
      await pause(20);
    }
  })();
  await node.take();
  await until('live changes come before the present state is sent', () => node.sent.live > 5, 30_000);
  const early = { ...node.sent };
  const recovered = (): boolean => cursors().every((revision) => revision > begin.revision);
  await until('all is recovered', recovered, 60_000).catch(() => undefined);
  writing = false;
  await traffic;
  const isReached = (thing: string): boolean => (node.versions.get(thing) ?? []).at(-1) === (latest.get(thing) ?? 1);
  const missing = (): number =>
    Array.from({ length: count }, (_, n) => `d${n}`).filter((one) => !isReached(one)).length;
  await until('the last live change', () => missing() === 0, 10_000).catch(() => undefined);
  const unordered = [...node.versions.values()].filter((sent) => sent.some((one, i) => i > 0 && one <= sent[i - 1]!));
  const figures = { ...node.sent, missing: missing(), unordered: unordered.length, liveBefore: early };
  process.stdout.write(`recovery of ${count} shadows, history of ${historyMs} ms: ${JSON.stringify(figures)}\n`);
  expect(figures).toMatchObject({ missing: 0, unordered: 0 });
  expect(early.present).toBeLessThan(count);
  expect(node.sent.present).toBeLessThanOrEqual(count);
});

it('a rolling restart after a quiet time, foreign writes and a compaction sends nothing again', async () => {
  const count = 200;
  open({ times: { ...WATCH_TIMES, probeMs: 100, quietMs: Number(process.env['QUIET_MS'] ?? 200) } });
  await new SinkCursors(keys, 'test', () => null).begin(SHARDS, await fixture.feed.head(new AbortController().signal));
  const first = new Node('a');
  await first.take();
  await fill(count);
  await until('all are sent', () => first.sent.live === count);
  let foreign = 0;
  for (let n = 0; n < 300; n++) foreign = await fixture.commit([]);
  await until('the cursors follow', () => Math.min(...cursors()) >= foreign, 15_000).catch(() => undefined);
  await fixture.compact(foreign - 5);

  // One after the other, as a rolling restart does; the last one dies without giving anything up.
  await first.runner.release(SHARDS);
  const second = new Node('b');
  await second.take();
  await fill(1);
  await until('the second follows', () => second.sent.live > 0);
  second.runner.lose(SHARDS);
  const third = new Node('c');
  await third.take();
  const marker = await fixture.commit([{ key: keyOf('d0'), version: 3 }]);
  await until('the third follows', () => (third.versions.get('d0') ?? []).includes(3));
  process.stdout.write(`quiet restart of ${count}: ${JSON.stringify([second.sent, third.sent, marker > 0])}\n`);
  expect(second.sent).toEqual({ present: 0, live: 1 });
  expect(third.sent.present).toBe(0);
});
