import type { Position } from '../../src/store/position.js';
import type { ShadowFeed } from '../../src/store/shadow-feed.js';
import { EtcdChannel } from '../../src/store/etcd/client/channel/etcd-channel.js';
import { WatchSession, type SessionOptions } from '../../src/store/etcd/feed/watch-session.js';
import { commitMany, etcdFeed, type EtcdFeedFixture } from '../harness/etcd-feed.js';
import { startMembers } from '../harness/etcd-members.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { keyOf } from '../suites/feed-fixture.js';

const never = new AbortController().signal;
/** Milliseconds; short, so that a fault is noticed within a test. */
const QUICK = { openMs: 1_000, probeMs: 200, stallMs: 600, quietMs: 60_000 };
/** Where no session may end: a busy machine is silent for a while, too. */
const CALM = { openMs: 5_000, probeMs: 400, stallMs: 3_000, quietMs: 60_000 };

async function until(condition: () => boolean, what: string): Promise<void> {
  for (const deadline = Date.now() + 20_000; !condition();) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Follows in the background and notes when each version of the thing `w` came. */
class Follower {
  readonly versions: number[] = [];
  readonly #stop = new AbortController();
  readonly ended: Promise<void>;
  /** Epoch milliseconds at which a version came first. */
  readonly at = new Map<number, number>();

  constructor(feed: ShadowFeed, from: Position) {
    this.ended = this.#run(feed, from);
    this.ended.catch(() => undefined);
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return this.ended;
  }

  async #run(feed: ShadowFeed, from: Position): Promise<void> {
    for await (const batch of feed.after(from, this.#stop.signal)) {
      for (const { state } of batch.records) {
        this.versions.push(state.version);
        if (!this.at.has(state.version)) this.at.set(state.version, Date.now());
      }
    }
  }
}

/** Writes versions of one thing, one after the other, through a member that stays well. */
class Writer {
  readonly acked: number[] = [];
  readonly ackedAt: number[] = [];
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(fixture: EtcdFeedFixture) {
    this.#running = (async () => {
      for (let version = 1; !this.#stopped; version++) {
        for (let done = false; !done;) {
          try {
            await fixture.commit([{ key: keyOf('w'), version }]);
            done = true;
          } catch {
            // A leader is being chosen. The same version again: whoever reads drops what it has.
          }
        }
        this.acked.push(version);
        this.ackedAt.push(Date.now());
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    })();
  }

  stop(): Promise<void> {
    this.#stopped = true;
    return this.#running;
  }
}

/** Versions only grow, except where the writer itself had to write twice. */
const distinct = (versions: readonly number[]): number[] => versions.filter((v, i) => v !== versions[i - 1]);

describe('the feed of etcd when the connection is cut', () => {
  let server: EtcdServer;
  let proxy: TcpProxy;
  beforeAll(async () => {
    server = await startEtcd();
  });
  beforeEach(async () => {
    proxy = await TcpProxy.start(server.port);
  });
  afterEach(() => proxy.stop());
  afterAll(() => server.stop());

  it('loses nothing of a catch-up of 5,000 revisions (the library resumes behind what it has not delivered)', async () => {
    const fixture = etcdFeed(server, { endpoints: [proxy.endpoint] });
    const start = await fixture.feed.head(never);
    const end = await commitMany(fixture, 5_000);
    const versions = new Set<number>();
    let count = 0;
    let cuts = 0;
    proxy.cutAfterResponseBytes(100_000);
    for await (const batch of fixture.feed.after(start, never)) {
      for (const record of batch.records) versions.add(record.state.version);
      count += batch.records.length;
      if (batch.position.revision >= end) break;
      if (count >= (cuts + 1) * 1_000) {
        cuts++;
        proxy.cutAll();
      }
    }
    expect(cuts).toBeGreaterThanOrEqual(3);
    expect(proxy.connections).toBeGreaterThan(4);
    expect(count).toBe(5_000);
    expect(versions.size).toBe(5_000);
    await fixture.close();
  });

  it('leaves a member that swallows everything for the next one, and says why', async () => {
    const reasons: string[] = [];
    const other = await TcpProxy.start(server.port);
    const fixture = etcdFeed(server, { endpoints: [proxy.endpoint, other.endpoint], times: QUICK, callTimeoutMs: 300 });
    const follower = new Follower(fixture.feed, await fixture.feed.head(never));
    const writer = new Writer(fixture);
    await until(() => follower.versions.length > 5, 'changes before the fault');
    const on = fixture.feed.health.reason.includes(proxy.endpoint) ? proxy : other;
    on.set('blackhole');
    await until(() => {
      const { ok, reason } = fixture.feed.health;
      if (!ok) reasons.push(reason);
      return ok && !reason.includes(on.endpoint);
    }, 'following the other member');
    await writer.stop();
    await until(() => follower.versions.at(-1) === writer.acked.at(-1), 'the last change');
    await follower.stop();
    expect(reasons[0]).toBe(`the watch on ${on.endpoint} is silent for 0.6 s; trying the next member`);
    expect(follower.versions).toEqual(writer.acked);
    await other.stop();
    await fixture.close();
  });

  it('does not take its own slow reader for a silent member', async () => {
    const fixture = etcdFeed(server, { endpoints: [proxy.endpoint], times: CALM });
    const start = await fixture.feed.head(never);
    const end = await commitMany(fixture, 8_000);
    let connections = 0;
    let count = 0;
    for await (const batch of fixture.feed.after(start, never)) {
      count += batch.records.length;
      if (count === 1) {
        await new Promise((resolve) => setTimeout(resolve, CALM.stallMs * 2));
        connections = proxy.connections;
      }
      if (batch.position.revision >= end) break;
    }
    expect(count).toBe(8_000);
    expect(proxy.connections).toBe(connections);
    await fixture.close();
  });

  it('keeps a quiet watch alive, and writes nothing for that', async () => {
    const fixture = etcdFeed(server, { endpoints: [proxy.endpoint], times: CALM });
    const start = await fixture.feed.head(never);
    const follower = new Follower(fixture.feed, start);
    await until(() => fixture.feed.health.ok, 'following');
    const { connections } = proxy;
    // Every probe asks the cluster once: eight of them take longer than a silence that ends a session.
    const calls = fixture.calls;
    await until(() => fixture.calls >= calls + 8, 'probes');
    expect((await fixture.feed.head(never)).revision).toBe(start.revision);
    expect(proxy.connections).toBe(connections);
    await follower.stop();
    await fixture.close();
  });

  it('ends a session whose member stays behind the cluster', async () => {
    const options = (cluster: string): SessionOptions => ({
      channel: new EtcdChannel({ host: server.endpoint, credentials: {}, tokens: null }),
      cluster,
      prefix: '/lag/shadows/',
      cursor: 1,
      times: QUICK,
      quorum: async () => 1_000_000_000,
      poke: () => undefined,
    });
    const { cluster_id: cluster } = (await server.client.kv.range({ key: Buffer.from('x') })).header;
    const session = await WatchSession.open(options(cluster));
    await expect(session.read()).rejects.toMatchObject({ kind: 'lost', message: expect.stringContaining('lags') });
    const wrong = await WatchSession.open(options('1')).catch((error: unknown) => error);
    expect(wrong).toMatchObject({ kind: 'other-history' });
  });

  it('goes on after a restart of the only member', async () => {
    const own = await startEtcd();
    const fixture = etcdFeed(own);
    const start = await fixture.feed.head(never);
    const follower = new Follower(fixture.feed, start);
    await fixture.commit([{ key: keyOf('w'), version: 1 }]);
    await until(() => follower.versions.length === 1, 'the first change');
    await own.kill9();
    await until(() => !fixture.feed.health.ok, 'trouble');
    await own.restart();
    await fixture.commit([{ key: keyOf('w'), version: 2 }]);
    await until(() => follower.versions.length === 2, 'the change after the restart');
    await follower.stop();
    expect(follower.versions).toEqual([1, 2]);
    await fixture.close();
    await own.stop();
  });
});

describe('the feed of a cluster of three', () => {
  let members: EtcdServer[];
  beforeEach(async () => {
    members = await startMembers(3);
  });
  afterEach(() => Promise.all(members.map((member) => member.stop())));

  it.each([
    ['is killed', (member: EtcdServer) => member.kill9()],
    ['is stopped with its connections open', async (member: EtcdServer) => member.pause()],
  ])('misses nothing when the member it follows %s', async (name, fault) => {
    const [first, second, writing] = members as [EtcdServer, EtcdServer, EtcdServer];
    const endpoints = [first.endpoint, second.endpoint];
    const fixture = etcdFeed(writing, { endpoints, times: QUICK, callTimeoutMs: 500 });
    const follower = new Follower(fixture.feed, await fixture.feed.head(never));
    const writer = new Writer(fixture);
    await until(() => follower.versions.length > 5, 'changes before the fault');
    const victim = fixture.feed.health.reason.includes(first.endpoint) ? first : second;
    await fault(victim);
    await until(() => fixture.feed.health.ok && !fixture.feed.health.reason.includes(victim.endpoint), 'the other one');
    const count = follower.versions.length;
    await until(() => follower.versions.length > count + 20, 'changes after the fault');
    await writer.stop();
    await until(() => follower.versions.at(-1) === writer.acked.at(-1), 'the last change');
    await follower.stop();
    const late = writer.acked.map((version, i) => (follower.at.get(version) ?? Infinity) - (writer.ackedAt[i] ?? 0));
    // A figure for the record, not a promise.
    process.stdout.write(`the member ${name}: the latest change came ${Math.max(...late)} ms after its commit\n`);
    expect(distinct(follower.versions)).toEqual(writer.acked);
    await fixture.close();
  });
});
