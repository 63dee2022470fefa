import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { etcdKeys, type EtcdKeysFixture, type EtcdKeysOptions } from '../harness/etcd-cluster-keys.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { until } from '../harness/until.js';
import { clusterKeysSuite, KeyRecorder } from '../suites/cluster-keys.suite.js';

let server: EtcdServer;

beforeAll(async () => {
  server = await startEtcd();
});
afterAll(() => server.stop());

clusterKeysSuite('memory', async () => ({ keys: new MemoryClusterKeys(), close: async () => undefined }));
clusterKeysSuite('etcd', async () => etcdKeys([server.endpoint]));

describe('what only etcd can do to a watch on keys', () => {
  const fixtures: EtcdKeysFixture[] = [];
  let stop: AbortController;
  beforeEach(() => (stop = new AbortController()));
  afterEach(async () => {
    stop.abort();
    await Promise.all(fixtures.splice(0).map((fixture) => fixture.close()));
  });

  function open(options: EtcdKeysOptions = {}): EtcdKeysFixture {
    const fixture = etcdKeys([server.endpoint], options);
    fixtures.push(fixture);
    return fixture;
  }

  it('reads 5,000 keys of many sizes in pages of one revision, while they change', async () => {
    const { keys } = open();
    const valueOf = (i: number, round: number): string => `${round}:${'-'.repeat(i % 50 === 0 ? 20_000 : i % 97)}`;
    const write = async (round: number): Promise<void> => {
      for (let from = 0; from < 5_000; from += 100) {
        const puts = Array.from({ length: 100 }, (_, n) => ({ key: `a/${from + n}`, value: valueOf(from + n, round) }));
        await keys.commit({ guards: [], puts });
      }
    };
    await write(1);
    const seen = new KeyRecorder();
    const snapshot = seen.snapshot.bind(seen);
    const begun = new Map<string, string>();
    seen.snapshot = (all, revision) => {
      snapshot(all, revision);
      for (const [key, value] of seen.known) begun.set(key, value);
    };
    keys.watch('a/', seen, stop.signal);
    await write(2);
    await until('the last change', () => seen.known.get('a/4999') === valueOf(4_999, 2));
    expect(seen.snapshots).toHaveLength(1);
    expect(begun.size).toBe(5_000);
    // A key was in the snapshot as the second round left it, or its change came after; never both, and never neither.
    const changed = seen.updates.map(({ key }) => key);
    const unchanged = [...begun].filter(([, value]) => value.startsWith('2:')).map(([key]) => key);
    expect([...changed, ...unchanged].sort()).toEqual([...begun.keys()].sort());
    for (let i = 0; i < 5_000; i++) expect(seen.known.get(`a/${i}`)).toBe(valueOf(i, 2));
  });

  it('keeps its progress keys to itself', async () => {
    const times = { openMs: 1_000, probeMs: 100, stallMs: 2_000, quietMs: 200 };
    const { keys, prefix } = open({ times });
    const seen = new KeyRecorder();
    keys.watch('a/', seen, stop.signal);
    await until('a snapshot', () => seen.snapshots.length > 0);
    const marker = Buffer.from(`${prefix}cluster/a/~progress`);
    // Others write, so that the cluster moves ahead of the quiet watch.
    await until('a marker', async () => {
      await server.client.put('/elsewhere').value('x');
      return (await server.client.kv.range({ key: marker })).kvs.length > 0;
    });
    await keys.commit({ guards: [], puts: [{ key: 'a/1', value: 'x' }] });
    await until('the change', () => seen.updates.length > 0);
    expect(seen.updates.map(({ key }) => key)).toEqual(['a/1']);
    expect([...(await keys.list('a/')).keys()]).toEqual(['a/1']);
    const late = new KeyRecorder();
    keys.watch('', late, stop.signal);
    await until('a snapshot', () => late.snapshots.length > 0);
    expect(late.content).toEqual(['a/1=x']);
  });
});
