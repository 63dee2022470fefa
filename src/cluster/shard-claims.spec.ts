import { MemoryClusterKeys } from '../../test/harness/memory-cluster-keys.js';
import { until } from '../../test/harness/until.js';
import { SYSTEM_CLOCK } from '../resilience/clock.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { ShardClaims, type ShardWorker } from './shard-claims.js';
import { CLAIMS, Instances } from './instances.js';

const SHARDS = Array.from({ length: 16 }, (_, index) => `shard/${index}`);

class Node implements ShardWorker {
  readonly working = new Set<string>();
  able = true;
  /** What a take waits for, or fails with. */
  taking: () => Promise<void> = () => Promise.resolve();
  readonly instances: Instances;
  readonly claims: ShardClaims;

  constructor(
    keys: MemoryClusterKeys,
    name: string,
    private readonly busy: Map<string, string>,
  ) {
    this.instances = new Instances(keys, {
      nodeId: name,
      // Looks come every quarter of a second.
      leaseSeconds: 1,
      eligible: () => this.able,
      onView: (view) => void this.claims.see(view),
      onLost: () => this.claims.lost(),
      clock: SYSTEM_CLOCK,
      logger: SILENT_LOGGER,
    });
    this.claims = new ShardClaims(keys, this.instances, SHARDS, this, SILENT_LOGGER);
    this.instances.start();
  }

  async take(shards: readonly string[]): Promise<void> {
    await this.taking();
    for (const shard of shards) {
      if (this.busy.has(shard)) throw new Error(`${shard} has two workers`);
      this.busy.set(shard, this.instances.id);
      this.working.add(shard);
    }
  }

  async release(shards: readonly string[]): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.lose(shards);
  }

  lose(shards: readonly string[]): void {
    for (const shard of shards) {
      this.busy.delete(shard);
      this.working.delete(shard);
    }
  }

  async stop(): Promise<void> {
    await this.claims.close();
    await this.instances.stop();
  }
}

describe('claims', () => {
  let keys: MemoryClusterKeys;
  let busy: Map<string, string>;
  let nodes: Node[];
  const start = (name: string): Node => {
    const node = new Node(keys, name, busy);
    nodes.push(node);
    return node;
  };

  beforeEach(() => {
    keys = new MemoryClusterKeys();
    busy = new Map();
    nodes = [];
  });
  afterEach(async () => {
    for (const node of nodes) await node.stop();
  });

  it('one node holds everything; a second one gets its share; each shard has one worker', async () => {
    const a = start('a');
    await until('a has all', () => a.working.size === SHARDS.length);
    const b = start('b');
    await until('both have some', () => b.working.size > 0 && a.working.size + b.working.size === SHARDS.length);
    expect([...a.working].some((shard) => b.working.has(shard))).toBe(false);
    const holders = await keys.list(CLAIMS);
    for (const shard of SHARDS) expect(holders.get(CLAIMS + shard)?.value).toBe(busy.get(shard));
  });

  it('what an ended lease held goes to the others, and the node notices', async () => {
    const [a, b] = [start('a'), start('b')];
    await until('all are held', () => busy.size === SHARDS.length && b.working.size > 0 && a.working.size > 0);
    const { lease } = a.instances;
    a.able = false;
    // A lease that is taken away early: for a moment both work, which no lease of a clock-abiding etcd allows.
    busy.clear();
    await keys.revoke(lease ?? '');
    await until('b has all', () => b.working.size === SHARDS.length);
    await until('a has noticed', () => a.working.size === 0);
  });

  it('a node that cannot do its part gives it up, and takes it again', async () => {
    const a = start('a');
    await until('a has all', () => a.working.size === SHARDS.length);
    a.able = false;
    await until('nobody has any', () => busy.size === 0 && keys.keys.size === 0);
    expect(a.instances.health.ok).toBe(false);
    a.able = true;
    await until('a has all again', () => a.working.size === SHARDS.length);
  });

  it('a node that stops leaves nothing behind', async () => {
    const a = start('a');
    await until('a has all', () => a.working.size === SHARDS.length);
    await a.stop();
    expect(keys.keys.size).toBe(0);
    expect(busy.size).toBe(0);
  });

  it('work that could not be begun is tried again', async () => {
    const a = start('a');
    let tries = 0;
    a.taking = () => (tries++ === 0 ? Promise.reject(new Error('etcd is away')) : Promise.resolve());
    await until('a works on all', () => a.working.size === SHARDS.length);
    expect(tries).toBeGreaterThan(1);
  });

  it('a lease that ends while work is begun leaves no work behind', async () => {
    const a = start('a');
    let go = (): void => undefined;
    let takes = 0;
    a.taking = () => (takes++ === 0 ? new Promise((resolve) => (go = resolve)) : Promise.resolve());
    await until('a begins', () => takes === 1);
    a.able = false;
    await until('the claims are gone', () => a.instances.lease === null);
    go();
    await until('a works on what it holds', () => a.claims.held.length === 0 && a.working.size === 0);
    // Nothing comes later either: the take has ended.
    await new Promise((resolve) => setImmediate(resolve));
    expect(a.working.size).toBe(0);
    const b = start('b');
    await until('b has all', () => b.working.size === SHARDS.length);
  });
});
