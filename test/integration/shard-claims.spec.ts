import { INSTANCES, CLAIMS, readView, type ClusterView } from '../../src/cluster/instances.js';
import { ShardClaims, type ShardWorker } from '../../src/cluster/shard-claims.js';
import { SYSTEM_CLOCK } from '../../src/resilience/clock.js';
import type { ClusterKeys } from '../../src/store/cluster-keys.js';
import type { EtcdStore } from '../../src/store/etcd/open-etcd.js';
import { EtcdClusterKeys } from '../../src/store/etcd/etcd-cluster-keys.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { openEtcdStore } from '../harness/etcd-store.js';

const SHARD = 'consume/0';
/** Seconds; no lease of these tests ends by itself. */
const LONG = 600;

let server: EtcdServer;
let store: EtcdStore;
let keys: ClusterKeys;
let places = 0;

beforeAll(async () => (server = await startEtcd()));
afterAll(() => server.stop());
beforeEach(() => {
  store = openEtcdStore([server.endpoint]);
  keys = new EtcdClusterKeys({
    cluster: store.cluster,
    prefix: `/claims/${places++}/`,
    clock: SYSTEM_CLOCK,
    logger: SILENT_LOGGER,
  }).under('broker/');
});
afterEach(() => store.close());

/** An instance whose lease the test grants and takes away. */
class Node implements ShardWorker {
  readonly working = new Set<string>();
  readonly claims: ShardClaims;
  lease: string | null = null;

  constructor(readonly id: string) {
    this.claims = new ShardClaims(keys, this, [SHARD], this, SILENT_LOGGER);
  }

  async join(): Promise<string> {
    this.lease = await keys.grant(LONG);
    await keys.commit({ guards: [], puts: [{ key: INSTANCES + this.id, value: this.id, lease: this.lease }] });
    return this.lease;
  }

  /** The lease has ended by the clock of the node; etcd still has it. */
  giveUp(): void {
    this.lease = null;
    this.claims.lost();
  }

  async sees(view: ClusterView): Promise<void> {
    await this.claims.see(view);
  }

  take(shards: readonly string[]): Promise<void> {
    for (const shard of shards) this.working.add(shard);
    return Promise.resolve();
  }

  release(shards: readonly string[]): Promise<void> {
    this.lose(shards);
    return Promise.resolve();
  }

  lose(shards: readonly string[]): void {
    for (const shard of shards) this.working.delete(shard);
  }
}

const stored = async () => (await keys.list(CLAIMS)).get(CLAIMS + SHARD);
const alone = async (node: Node): Promise<ClusterView> => ({ ...(await readView(keys)), live: [node.id] });

it('puts its claim anew under its new lease, and keeps it when the old lease ends', async () => {
  const a = new Node('a');
  const old = await a.join();
  await a.sees(await alone(a));
  expect(await stored()).toMatchObject({ value: 'a', lease: old });
  const fence = a.claims.fence(SHARD);
  expect(fence).toEqual({ claim: `broker/${CLAIMS}${SHARD}`, revision: (await stored())?.revision });

  a.giveUp();
  expect(a.claims.fence(SHARD)).toBeNull();
  const present = await a.join();
  await a.sees(await alone(a));
  expect([...a.working]).toEqual([SHARD]);
  expect(await stored()).toMatchObject({ value: 'a', lease: present });
  // What the earlier life of the lane still had on its way is fenced off.
  expect(a.claims.fence(SHARD)?.revision).toBeGreaterThan(fence?.revision ?? Infinity);

  await keys.revoke(old);
  expect(await stored()).toMatchObject({ value: 'a', lease: present });
});

it('has one holder, in the order in which there were two: old lease, new lease, end of the old lease, other node', async () => {
  const [a, b] = [new Node('a'), new Node('b')];
  const old = await a.join();
  await a.sees(await alone(a));
  a.giveUp();
  await a.join();
  await a.sees(await alone(a));
  await b.join();
  await keys.revoke(old);
  // A view in which nobody holds the shard and it is for b to have: all that is left is the guard of its claim.
  await b.sees({ askedAt: performance.now(), live: ['b'], said: new Map(), claims: new Map() });
  expect({ a: a.working.size, b: b.working.size }).toEqual({ a: 1, b: 0 });
});

it('does not work on a claim that another node has put since the view', async () => {
  const [a, b] = [new Node('a'), new Node('b')];
  const old = await a.join();
  await a.sees(await alone(a));
  a.giveUp();
  await a.join();
  const view = await alone(a);
  await keys.revoke(old);
  await b.join();
  await b.sees(await alone(b));
  await a.sees({ ...view, askedAt: performance.now() });
  expect({ a: a.working.size, b: b.working.size }).toEqual({ a: 0, b: 1 });
  expect(await stored()).toMatchObject({ value: 'b' });
});

it('takes a claim back whose commit went through without an answer', async () => {
  const a = new Node('a');
  const lease = await a.join();
  const revision = await keys.commit({ guards: [], puts: [{ key: CLAIMS + SHARD, value: 'a', lease }] });
  await a.sees(await alone(a));
  expect(a.claims.fence(SHARD)?.revision).toBe(revision);
  expect([...a.working]).toEqual([SHARD]);
});

it('removes a claim of an earlier lease on a shard that another node should own', async () => {
  const [a, b] = [new Node('a'), new Node('b')];
  await a.join();
  await a.sees(await alone(a));
  a.giveUp();
  await a.join();
  await b.join();
  await a.sees(await alone(b));
  expect(await stored()).toBeUndefined();
  await b.sees(await alone(b));
  expect({ a: a.working.size, b: b.working.size }).toEqual({ a: 0, b: 1 });
});
