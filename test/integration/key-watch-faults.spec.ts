import type { ClusterKeys, KeyWatch } from '../../src/store/cluster-keys.js';
import { etcdKeys, type EtcdKeysFixture } from '../harness/etcd-cluster-keys.js';
import { startMembers } from '../harness/etcd-members.js';
import { startRestorableEtcd, type RestorableEtcd } from '../harness/etcd-backup.js';
import { QUICK_ELECTION, startEtcd, type EtcdServer } from '../harness/etcd.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';
import { KeyRecorder } from '../suites/cluster-keys.suite.js';

/** Milliseconds; short, so that a fault is noticed within a test. */
const TIMES = { openMs: 1_000, probeMs: 200, stallMs: 600, quietMs: 60_000 };
const OPTIONS = { times: TIMES, callTimeoutMs: 400 };
const KEY = 'a/counter';
/** Digits of the counter, zeros first: so that a cut comes in the middle of a few changes. */
const DIGITS = 800;
/** Changes that a watch has missed when it is cut off in the middle of them. */
const CAUGHT_UP = 100;

const fixtures: EtcdKeysFixture[] = [];
let stop: AbortController;
beforeEach(() => (stop = new AbortController()));
afterEach(async () => {
  stop.abort();
  await Promise.all(fixtures.splice(0).map((fixture) => fixture.close()));
});

function open(endpoints: readonly string[], prefix?: string): EtcdKeysFixture {
  const fixture = etcdKeys(endpoints, { ...OPTIONS, ...(prefix === undefined ? {} : { prefix }) });
  fixtures.push(fixture);
  return fixture;
}

async function follow(keys: ClusterKeys): Promise<{ seen: KeyRecorder; watch: KeyWatch }> {
  const seen = new KeyRecorder();
  const watch = keys.watch('a/', seen, stop.signal);
  await until('a snapshot and a member', () => seen.snapshots.length > 0 && watch.reason.startsWith('following'));
  return { seen, watch };
}

/** Counts a key up through calls that are repeated until they are answered; a value may so be put twice. */
class Counter {
  value = 0;
  #isStopped = false;
  #running: Promise<void> | null = null;

  constructor(private readonly keys: ClusterKeys) {}

  async step(): Promise<void> {
    const value = String(this.value + 1).padStart(DIGITS, '0');
    await until('an answer', () =>
      this.keys.commit({ guards: [], puts: [{ key: KEY, value }] }).then(
        () => true,
        () => false,
      ),
    );
    this.value++;
  }

  start(): void {
    this.#running = (async () => {
      while (!this.#isStopped) await this.step();
    })();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }
}

/** Every value from the first to `last` was told, in order; where a call was repeated, twice in a row. */
function expectAll(seen: KeyRecorder, last: number): void {
  const values = seen.updates.map(({ value }) => Number(value));
  const distinct = values.filter((value, i) => value !== values[i - 1]);
  expect(distinct).toEqual(Array.from({ length: last }, (_, i) => i + 1));
  const revisions = seen.updates.map(({ revision }) => revision);
  expect(revisions.every((revision, i) => i === 0 || revision > revisions[i - 1]!)).toBe(true);
}

describe('a watch on keys of etcd, with one member', () => {
  let server: EtcdServer;
  let proxy: TcpProxy;
  beforeAll(async () => void (server = await startEtcd({ args: QUICK_ELECTION })));
  beforeEach(async () => void (proxy = await TcpProxy.start(server.port)));
  afterEach(() => proxy.stop());
  afterAll(() => server.stop());

  it('misses nothing over the kill and the restart of the member', async () => {
    const { keys } = open([server.endpoint]);
    const counter = new Counter(keys);
    const { seen, watch } = await follow(keys);
    for (let i = 0; i < 5; i++) await counter.step();
    await until('five changes', () => seen.updates.length === 5);
    await server.kill9();
    await until('trouble', () => !watch.reason.startsWith('following'));
    await server.restart();
    for (let i = 0; i < 5; i++) await counter.step();
    await until('the last change', () => Number(seen.known.get(KEY)) === 10);
    expect(seen.snapshots).toHaveLength(1);
    expectAll(seen, 10);
  });

  it('goes on from its revision after a cut in the middle of a catch-up', async () => {
    const { keys, prefix } = open([proxy.endpoint]);
    const counter = new Counter(open([server.endpoint], prefix).keys);
    const { seen } = await follow(keys);
    proxy.set('refuse');
    for (let i = 0; i < CAUGHT_UP; i++) await counter.step();
    const { connections } = proxy;
    proxy.cutAfterResponseBytes((CAUGHT_UP * DIGITS) / 4);
    proxy.set('pass');
    await until('the last change', () => Number(seen.known.get(KEY)) === CAUGHT_UP);
    expect(proxy.connections).toBeGreaterThan(connections + 2);
    expect(seen.snapshots).toHaveLength(1);
    expectAll(seen, CAUGHT_UP);
  });

  it('begins again with a snapshot where the revisions it needs were compacted while it was cut off', async () => {
    const { keys, prefix } = open([proxy.endpoint]);
    const writer = open([server.endpoint], prefix).keys;
    await writer.commit({ guards: [], puts: [{ key: 'a/goes', value: 'x' }] });
    const { seen } = await follow(keys);
    expect(seen.content).toEqual(['a/goes=x']);
    proxy.set('refuse');
    await writer.commit({ guards: [], puts: [{ key: 'a/comes', value: 'y' }], deletes: ['a/goes'] });
    const revision = await writer.commit({ guards: [], puts: [{ key: 'a/comes', value: 'z' }] });
    await server.client.kv.compact({ revision: String(revision), physical: true });
    proxy.set('pass');
    await until('another snapshot', () => seen.snapshots.length === 2);
    expect(seen.content).toEqual(['a/comes=z']);
    expect(seen.updates).toEqual([]);
    await writer.commit({ guards: [], puts: [{ key: 'a/next', value: '1' }] });
    await until('the next change', () => seen.updates.length === 1);
  });

  it('says since when it is not current, and again when it is', async () => {
    const { keys, prefix } = open([proxy.endpoint]);
    const { seen, watch } = await follow(keys);
    // A quiet watch is proven anew, though nothing changes and nothing is written.
    let highest = watch.staleMs ?? Infinity;
    await until('proof after proof', () => {
      const before = highest;
      highest = watch.staleMs ?? Infinity;
      return highest < before;
    });
    proxy.set('blackhole');
    await until('it to be stale', () => (watch.staleMs ?? 0) > 3 * TIMES.stallMs);
    expect(watch.reason).not.toMatch(/^following/);
    const writer = open([server.endpoint], prefix).keys;
    await writer.commit({ guards: [], puts: [{ key: 'a/1', value: 'x' }] });
    expect(seen.content).toEqual([]);
    proxy.cutAll();
    proxy.set('pass');
    await until('it to be current', () => (watch.staleMs ?? Infinity) < TIMES.stallMs);
    await until('the change', () => seen.content.length === 1);
    expect(seen.snapshots).toHaveLength(1);
  });

  it('has no proof before it has a snapshot', async () => {
    proxy.set('refuse');
    const seen = new KeyRecorder();
    const watch = open([proxy.endpoint]).keys.watch('a/', seen, stop.signal);
    await until('some attempts', () => proxy.connections > 3);
    expect(watch.staleMs).toBeNull();
    proxy.set('pass');
    await until('a snapshot', () => seen.snapshots.length === 1);
    expect(watch.staleMs).not.toBeNull();
  });

  it('leaves a member that swallows everything for the next one', async () => {
    const other = await TcpProxy.start(server.port);
    const { keys, prefix } = open([proxy.endpoint, other.endpoint]);
    const counter = new Counter(open([server.endpoint], prefix).keys);
    const { seen, watch } = await follow(keys);
    counter.start();
    await until('changes', () => seen.updates.length > 20);
    const on = watch.reason.includes(proxy.endpoint) ? proxy : other;
    on.set('blackhole');
    await until('the other member', () => watch.reason === `following ${(on === proxy ? other : proxy).endpoint}`);
    await counter.stop();
    await until('the last change', () => Number(seen.known.get(KEY)) === counter.value);
    stop.abort();
    await other.stop();
    expect(seen.snapshots).toHaveLength(1);
    expectAll(seen, counter.value);
  });
});

describe('a watch on keys of a cluster of three', () => {
  let members: EtcdServer[];
  beforeAll(async () => void (members = await startMembers(3)));
  afterAll(() => Promise.all(members.map((member) => member.stop())));

  // The one that is stopped comes first, since it only has to go on.
  it.each([
    ['is stopped with its connections open', async (member: EtcdServer) => member.pause()],
    ['is killed', (member: EtcdServer) => member.kill9()],
  ])('misses nothing when the member it follows %s', async (name, fault) => {
    const endpoints = members.map((member) => member.endpoint);
    const { keys, prefix } = open(endpoints);
    const counter = new Counter(open(endpoints, prefix).keys);
    const { seen, watch } = await follow(keys);
    counter.start();
    await until('changes', () => seen.updates.length > 20);
    const victim = members.find(({ endpoint }) => watch.reason.includes(endpoint))!;
    const begun = performance.now();
    await fault(victim);
    await until('another member', () => /^following/.test(watch.reason) && !watch.reason.includes(victim.endpoint));
    const after = performance.now() - begun;
    const count = seen.updates.length;
    await until('changes through it', () => seen.updates.length > count + 20);
    await counter.stop();
    await until('the last change', () => Number(seen.known.get(KEY)) === counter.value);
    // A figure for the record, not a promise.
    process.stdout.write(`the member ${name}: another one was followed after ${after.toFixed(0)} ms\n`);
    victim.resume();
    expect(seen.snapshots).toHaveLength(1);
    expectAll(seen, counter.value);
  });
});

describe('a watch on keys when a backup of etcd is restored', () => {
  let etcd: RestorableEtcd;
  let server: EtcdServer;
  beforeAll(async () => void ({ server } = etcd = await startRestorableEtcd()));
  afterAll(() => etcd.stop());

  it('tells the older content as a snapshot, and follows it', async () => {
    const { keys } = open([server.endpoint]);
    const put = (key: string, value: string) => keys.commit({ guards: [], puts: [{ key, value }] });
    await put('a/old', '1');
    await etcd.backup();
    const { seen } = await follow(keys);
    for (let i = 0; i < 20; i++) await put('a/new', String(i));
    await until('the last change', () => seen.known.get('a/new') === '19');
    const { revision } = seen;
    await etcd.restore();
    await until('another snapshot', () => seen.snapshots.length === 2);
    expect(seen.content).toEqual(['a/old=1']);
    expect(seen.snapshots[1]).toBeLessThan(revision);
    const before = seen.updates.length;
    await put('a/new', 'in the restored history');
    await until('a change', () => seen.updates.length > before);
    expect(seen.content).toEqual(['a/new=in the restored history', 'a/old=1']);
  });

  it('notices it although the new history is longer already', async () => {
    const { keys } = open([server.endpoint]);
    const put = (key: string, value: string) => keys.commit({ guards: [], puts: [{ key, value }] });
    await put('a/1', 'before');
    await etcd.backup();
    const { seen } = await follow(keys);
    await put('a/1', 'after');
    await until('the change', () => seen.known.get('a/1') === 'after');
    await etcd.putBack();
    // Others write before this node can reach the restored server again.
    const aside = await startEtcd({ dataDir: server.dataDir, args: QUICK_ELECTION });
    for (let i = 0; i < 20; i++) await aside.client.put('/elsewhere').value(String(i));
    await aside.stop();
    await server.restart();
    await until('another snapshot', () => seen.snapshots.length === 2);
    expect(seen.content).toEqual(['a/1=before']);
  });

  it('is not confused with a restart', async () => {
    const { keys } = open([server.endpoint]);
    const { seen, watch } = await follow(keys);
    await keys.commit({ guards: [], puts: [{ key: 'a/1', value: 'x' }] });
    await until('the change', () => seen.updates.length === 1);
    await server.kill9();
    await until('trouble', () => !watch.reason.startsWith('following'));
    await server.restart();
    await keys.commit({ guards: [], puts: [{ key: 'a/2', value: 'y' }] });
    await until('the change', () => seen.updates.length === 2);
    expect(seen.snapshots).toHaveLength(1);
  });
});
