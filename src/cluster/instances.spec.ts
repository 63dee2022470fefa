import { SettableClock } from '../../test/harness/clock.js';
import { MemoryClusterKeys } from '../../test/harness/memory-cluster-keys.js';
import { until } from '../../test/harness/until.js';
import { SYSTEM_CLOCK, type Clock } from '../resilience/clock.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { CLAIMS, Instances, INSTANCES, type ClusterView } from './instances.js';

/** Keys of an etcd that the test can take away. */
class FlakyKeys extends MemoryClusterKeys {
  isAway = false;
  keepAlives = 0;
  /** Runs while a keep-alive is on its way. */
  onKeepAlive: () => void = () => undefined;

  override async keepAlive(lease: string): Promise<boolean> {
    if (this.isAway) throw new Error('etcd is away');
    this.keepAlives++;
    this.onKeepAlive();
    return super.keepAlive(lease);
  }

  override async grant(seconds: number): Promise<string> {
    if (this.isAway) throw new Error('etcd is away');
    return super.grant(seconds);
  }
}

function join(
  keys: FlakyKeys,
  { clock = SYSTEM_CLOCK, leaseSeconds = 1 }: { clock?: Clock; leaseSeconds?: number } = {},
) {
  const seen = { views: [] as ClusterView[], losses: 0, able: true };
  const instances = new Instances(keys, {
    nodeId: 'node',
    leaseSeconds,
    eligible: () => seen.able,
    onView: (view) => seen.views.push(view),
    onLost: () => seen.losses++,
    clock,
    logger: SILENT_LOGGER,
  });
  joined.push(instances);
  instances.start();
  return { instances, seen };
}

const joined: Instances[] = [];
let keys: FlakyKeys;
beforeEach(() => (keys = new FlakyKeys()));
afterEach(async () => {
  keys.isAway = false;
  for (const instances of joined.splice(0)) await instances.stop();
});

describe('a lease that etcd no longer confirms', () => {
  it('ends by the timer of the node, which tells its owner', async () => {
    const { instances, seen } = join(keys);
    await until('joined', () => instances.lease !== null);
    keys.isAway = true;
    // Only the timer calls onLost: nothing here asks for the lease.
    await until('the loss is reported', () => seen.losses > 0, 20_000);
    expect(seen.losses).toBe(1);
    expect(instances.lease).toBeNull();
    expect(instances.health).toMatchObject({ ok: false });
  });

  it('ends by the clock of the node, though its timer has not fired', async () => {
    const clock = new SettableClock();
    const { instances, seen } = join(keys, { clock, leaseSeconds: 60 });
    await until('joined', () => instances.lease !== null);
    keys.isAway = true;
    clock.advance(59_000);
    expect(instances.lease).not.toBeNull();
    clock.advance(1_000);
    expect(instances.lease).toBeNull();
    expect(seen.losses).toBe(1);
    // It was reported as ended, so it must not come back, though etcd has it still.
    clock.advance(-2_000);
    expect(instances.lease).toBeNull();
  });

  it('neither ends nor lasts longer when the wall clock jumps', async () => {
    const clock = new SettableClock();
    const { instances } = join(keys, { clock, leaseSeconds: 60 });
    await until('joined', () => instances.lease !== null);
    keys.isAway = true;
    clock.jump(49 * 3_600_000);
    expect(instances.lease).not.toBeNull();
    clock.jump(-98 * 3_600_000);
    clock.advance(60_000);
    expect(instances.lease).toBeNull();
  });

  it('counts from before the keep-alive was sent: etcd may have counted from then', async () => {
    const clock = new SettableClock();
    const { instances } = join(keys, { clock, leaseSeconds: 60 });
    await until('joined', () => instances.lease !== null);
    keys.onKeepAlive = () => {
      keys.onKeepAlive = () => undefined;
      clock.advance(20_000);
    };
    const before = keys.keepAlives;
    instances.hurry();
    await until('kept alive', () => keys.keepAlives > before);
    keys.isAway = true;
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(39_000);
    expect(instances.lease).not.toBeNull();
    clock.advance(1_000);
    expect(instances.lease).toBeNull();
  });
});

it('takes a new lease after the old one has ended, and reports the loss once', async () => {
  const { instances, seen } = join(keys);
  await until('joined', () => instances.lease !== null);
  const first = instances.lease as string;
  await keys.revoke(first);
  await until('joined again', () => instances.lease !== null && instances.lease !== first);
  expect(seen.losses).toBe(1);
});

it('shows who lives, and claims with their holder, lease and revision', async () => {
  const { instances, seen } = join(keys);
  await until('joined', () => instances.lease !== null);
  const lease = instances.lease as string;
  const revision = await keys.commit({ guards: [], puts: [{ key: `${CLAIMS}a/0`, value: instances.id, lease }] });
  await until('the claim is seen', () => seen.views.at(-1)?.claims.size === 1);
  expect(seen.views.at(-1)).toMatchObject({ live: [instances.id] });
  expect(seen.views.at(-1)?.claims.get('a/0')).toEqual({ holder: instances.id, lease, revision });
});

it('leaves while it cannot do its part, and when it stops', async () => {
  const { instances, seen } = join(keys);
  await until('joined', () => instances.lease !== null);
  seen.able = false;
  await until('left', () => keys.keys.size === 0);
  expect(instances.health).toEqual({ ok: false, reason: 'this node cannot do its part' });
  seen.able = true;
  await until('joined again', () => keys.keys.has(INSTANCES + instances.id));
  await instances.stop();
  expect(keys.keys.size).toBe(0);
});
