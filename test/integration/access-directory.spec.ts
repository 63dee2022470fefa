import { AccessDirectory } from '../../src/directory/access-directory.js';
import { AccessWriter } from '../../src/directory/access-writer.js';
import { encodeRecord } from '../../src/directory/records/record-kind.js';
import { TENANT } from '../../src/directory/records/tenant-record.js';
import type { KeyChange, StoredKey } from '../../src/store/cluster-keys.js';
import { MemoryClusterKeys } from '../../src/store/memory/memory-cluster-keys.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { etcdKeys } from '../harness/etcd-cluster-keys.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';
import { accessDirectorySuite, AccessInstance, aKey, aPrincipal, aTenant } from '../suites/access-directory.suite.js';

let server: EtcdServer;

beforeAll(async () => {
  server = await startEtcd();
});
afterAll(() => server.stop());

accessDirectorySuite('memory', async (count) => {
  const keys = new MemoryClusterKeys();
  return { instances: Array.from({ length: count }, () => keys), close: async () => undefined };
});

accessDirectorySuite('etcd', async (count) => {
  const first = etcdKeys([server.endpoint]);
  const others = Array.from({ length: count - 1 }, () => etcdKeys([server.endpoint], { prefix: first.prefix }));
  const all = [first, ...others];
  return {
    instances: all.map(({ keys }) => keys),
    close: async () => void (await Promise.all(all.map((each) => each.close()))),
  };
});

describe('the directory of access and its storage', () => {
  it('shows a change to three instances long before a second has passed', async () => {
    const first = etcdKeys([server.endpoint]);
    const all = [first, ...[1, 2].map(() => etcdKeys([server.endpoint], { prefix: first.prefix }))];
    const instances = all.map(({ keys }) => new AccessInstance(keys));
    await Promise.all(instances.map(({ directory }) => directory.ready));
    const writer = instances[0]!.writer;
    let revision = await writer.create('principal', ['t1', 'p'], aPrincipal());
    const took: number[] = [];
    for (let trial = 0; trial < 50; trial++) {
      const isDisabled = trial % 2 === 0;
      const seen = Promise.all(
        instances.map(({ directory }) => {
          return new Promise<void>((resolve) => {
            const leave = directory.onChange(() => {
              if (directory.get('principal', 't1', 'p')?.record.isDisabled !== isDisabled) return;
              leave();
              resolve();
            });
          });
        }),
      );
      const begun = performance.now();
      const written = writer.update('principal', ['t1', 'p'], aPrincipal({ isDisabled }), revision);
      await seen;
      took.push(performance.now() - begun);
      revision = await written;
    }
    took.sort((a, b) => a - b);
    const [p50, p99] = [took[25]!, took[49]!].map((ms) => ms.toFixed(1));
    // Figures for the record, not promises.
    process.stdout.write(
      `a change was seen by three instances after ${p50} ms (median) and ${p99} ms (largest of 50)\n`,
    );
    for (const { directory } of instances) directory.close();
    await Promise.all(all.map((each) => each.close()));
  });

  it('goes on with what it has while it is cut off, says so, and catches up', async () => {
    const proxy = await TcpProxy.start(server.port);
    const times = { openMs: 500, probeMs: 200, stallMs: 600, quietMs: 60_000 };
    const cutOff = etcdKeys([proxy.endpoint], { times, callTimeoutMs: 300 });
    const other = etcdKeys([server.endpoint], { prefix: cutOff.prefix, times });
    const [one, two] = [new AccessInstance(cutOff.keys), new AccessInstance(other.keys)];
    await Promise.all([one.directory.ready, two.directory.ready]);
    const revision = await two.writer.create('principal', ['t1', 'lamp'], aPrincipal());
    await until('the principal', () => one.directory.get('principal', 't1', 'lamp') !== null);
    proxy.set('refuse');
    await two.writer.update('principal', ['t1', 'lamp'], aPrincipal({ isDisabled: true }), revision);
    await until('health to say so', () => !one.directory.health.ok);
    expect(one.directory.health.reason).toMatch(
      /^the rules of access are those of 1\d s ago \(1 principals, 0 policies at revision \d+\): .*trying the next member$/,
    );
    expect(one.directory.get('principal', 't1', 'lamp')?.record).toEqual(aPrincipal());
    expect(one.directory.get('principal', 't1', 'unknown')).toBeNull();
    await expect(one.writer.create('key', ['k'], aKey('lamp'))).rejects.toMatchObject({ code: 'storageUnavailable' });
    proxy.set('pass');
    await until('it to catch up', () => one.directory.get('principal', 't1', 'lamp')?.record.isDisabled === true);
    await until('health', () => one.directory.health.ok);
    one.directory.close();
    two.directory.close();
    await Promise.all([cutOff.close(), other.close(), proxy.stop()]);
  });
});

describe('a snapshot of access', () => {
  const revision = 5;
  const tenants = (count: number, title: string): Map<string, StoredKey> => {
    const value = encodeRecord(TENANT, ['t'], aTenant({ title }));
    return new Map(Array.from({ length: count }, (_, i) => [`tenants/t${i}`, { value, revision, lease: null }]));
  };

  it('takes the place of one that is still being read', async () => {
    const directory = new AccessDirectory(new MemoryClusterKeys(), SILENT_LOGGER);
    const told: unknown[] = [];
    directory.onChange((change) => told.push(change));
    directory.snapshot(tenants(20_000, 'first'), revision);
    directory.change({ key: 'tenants/t1', value: null, revision: revision + 1 });
    // Of a restored backup: it begins at a lower revision.
    directory.snapshot(tenants(2, 'second'), revision - 1);
    await directory.ready;
    // More turns than the first one would need: it would take the place of the second.
    for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(['all']);
    expect([...directory.list('tenant')].map(({ record }) => record.title)).toEqual(['second', 'second']);
    expect(directory.revision).toBe(revision - 1);
  });

  it('leaves the state before it in force until it has been read', async () => {
    const directory = new AccessDirectory(new MemoryClusterKeys(), SILENT_LOGGER);
    directory.snapshot(tenants(2, 'first'), revision);
    await directory.ready;
    const { generation } = directory;
    directory.snapshot(tenants(20_000, 'second'), revision + 1);
    directory.change({ key: 'tenants/t0', value: null, revision: revision + 2 });
    expect(directory.get('tenant', 't0')?.record.title).toBe('first');
    expect([directory.revision, directory.generation]).toEqual([revision, generation]);
    await until('the second one', () => directory.generation > generation);
    expect([directory.get('tenant', 't0'), directory.count('tenant')]).toEqual([null, 19_999]);
    expect([directory.revision, directory.generation]).toEqual([revision + 2, generation + 1]);
  });

  it('is given up when the directory is closed', async () => {
    const directory = new AccessDirectory(new MemoryClusterKeys(), SILENT_LOGGER);
    directory.snapshot(tenants(20_000, 'first'), revision);
    directory.close();
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect([directory.isReady, directory.count('tenant')]).toEqual([false, 0]);
  });
});

/** Loses the answer of the next commit, and repeats it, as the calls to etcd do. */
class ForgetfulKeys extends MemoryClusterKeys {
  forgets = false;
  override async commit(change: KeyChange): Promise<number | null> {
    const first = await super.commit(change);
    if (!this.forgets) return first;
    this.forgets = false;
    return super.commit(change);
  }
}

describe('a change of access whose answer was lost', () => {
  let keys: ForgetfulKeys;
  let directory: AccessDirectory;
  let writer: AccessWriter;
  beforeEach(async () => {
    keys = new ForgetfulKeys();
    // The views of memory are of its own class, so the records lie at its root.
    directory = new AccessDirectory(keys, SILENT_LOGGER);
    writer = new AccessWriter(keys, directory);
    directory.start();
    await directory.ready;
  });
  afterEach(() => directory.close());

  it('counts as done when it was', async () => {
    keys.forgets = true;
    const created = await writer.create('principal', ['t1', 'a'], aPrincipal());
    expect(directory.get('principal', 't1', 'a')?.revision).toBe(created);
    keys.forgets = true;
    const updated = await writer.update('principal', ['t1', 'a'], aPrincipal({ isDisabled: true }), created);
    expect(updated).toBeGreaterThan(created);
    expect(directory.get('principal', 't1', 'a')).toMatchObject({ revision: updated, record: { isDisabled: true } });
    keys.forgets = true;
    await writer.delete('principal', ['t1', 'a'], updated);
    expect((await keys.list('')).size).toBe(0);
  });

  it('is told from a twin: of two writes of the same, at once, one is done', async () => {
    const created = await writer.create('principal', ['t1', 'a'], aPrincipal());
    const twins = [0, 1].map(() => writer.update('principal', ['t1', 'a'], aPrincipal({ isDisabled: true }), created));
    const made = [0, 1].map(() => writer.create('principal', ['t1', 'b'], aPrincipal()));
    for (const both of [twins, made]) {
      const ends = await Promise.allSettled(both);
      expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    }
    expect(directory.get('principal', 't1', 'b')?.record).toEqual(aPrincipal());
  });

  it('is not taken for done because somebody had written the same before', async () => {
    const created = await writer.create('principal', ['t1', 'a'], aPrincipal());
    await expect(writer.create('principal', ['t1', 'a'], aPrincipal())).rejects.toMatchObject({
      code: 'preconditionFailed',
    });
    const updated = await writer.update('principal', ['t1', 'a'], aPrincipal(), created);
    const again = writer.update('principal', ['t1', 'a'], aPrincipal(), created);
    await expect(again).rejects.toMatchObject({ code: 'preconditionFailed' });
    expect(directory.get('principal', 't1', 'a')?.revision).toBe(updated);
  });
});
