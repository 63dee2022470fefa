import { jest } from '@jest/globals';
import { INSTANCES } from '../cluster/instances.js';
import { ANONYMOUS } from '../access/principal.js';
import { MemoryClusterKeys } from '../store/memory/memory-cluster-keys.js';
import type { ClusterKeys, KeyChange } from '../store/cluster-keys.js';
import { ServiceError } from '../errors/service-error.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import { SettableClock } from '../../test/harness/clock.js';
import { until } from '../../test/harness/until.js';
import { hasRoom, type Remembered } from './client-room.js';
import { KnownPresence, type PresenceEvent } from './known-presence.js';
import type { ClientConnection } from './local-session.js';
import { LocalSessions } from './local-sessions.js';
import { LostNodes } from './lost-nodes.js';
import { readRecord, recordKey, RECORDS, type PresenceRecord } from '../store/presence-record.js';
import { PresenceWriter } from './presence-writer.js';
import { RecordLeases } from './record-leases.js';

/** Nodes without doors, over keys in memory: what they write, and what they do not. */

let cluster: MemoryClusterKeys;
let clock: SettableClock;
const nodes: TestNode[] = [];

type TestConnection = { -readonly [K in keyof ClientConnection]: ClientConnection[K] };

class TestNode {
  lease: string | null = null;
  readonly known = new KnownPresence(RECORDS);
  readonly events: string[] = [];
  readonly commits: KeyChange[] = [];
  readonly sessions: LocalSessions;
  readonly writer: PresenceWriter;
  readonly lost: LostNodes;
  heardNow = 0;
  full = 0;
  fails = false;
  /** Runs before a commit, once. */
  before: (() => Promise<unknown>) | null = null;
  readonly #abort = new AbortController();

  constructor(
    readonly id: string,
    maxClients = 1_000,
  ) {
    const keys = this.#observed();
    const leases = new RecordLeases(keys, 30, clock);
    this.sessions = new LocalSessions({
      ...{ instance: id, known: this.known, maxClients, clock, heardNow: () => this.heardNow },
      onDirty: () => this.writer.wake(),
      onFull: () => this.full++,
    });
    const shared = { keys, self: this, known: this.known, leases, logger: SILENT_LOGGER };
    this.writer = new PresenceWriter({ ...shared, sessions: this.sessions });
    this.lost = new LostNodes({ ...shared, clock });
    this.known.followedBy(this.sessions);
    this.known.onEvent(({ change, clientId }: PresenceEvent) => this.events.push(`${clientId} ${change}`));
    this.known.watch = keys.watch(RECORDS, this.known, this.#abort.signal);
    nodes.push(this);
  }

  async join(): Promise<this> {
    const lease = await cluster.grant(10);
    await cluster.commit({ guards: [], puts: [{ key: INSTANCES + this.id, value: this.id, lease }] });
    this.lease = lease;
    this.writer.wake();
    await until('the records', () => this.known.isReady);
    return this;
  }

  /** Its lease has ended; it may not know. */
  async die(): Promise<void> {
    await cluster.revoke(this.lease ?? '');
  }

  async stop(): Promise<void> {
    await Promise.all([this.writer.stop(), this.lost.stop()]);
    this.sessions.stop();
    this.#abort.abort();
  }

  connect(clientId: string, tenant = ANONYMOUS.tenant): TestConnection {
    const principal = { ...ANONYMOUS, tenant };
    const connection = { isOpen: true, since: this.heardNow, clientId, principal, address: '127.0.0.1' };
    this.sessions.connected(connection);
    return connection;
  }

  /** Resolves when everything is written, and known to every node. */
  async settled(): Promise<void> {
    await until('the writes', async () => {
      await this.writer.idle();
      return this.sessions.dirty === 0;
    });
    await until('the watches', () =>
      nodes.every(({ known }) =>
        [...cluster.keys].every(
          ([key, { revision }]) =>
            !key.startsWith(RECORDS) || known.get(key.slice(RECORDS.length))?.revision === revision,
        ),
      ),
    );
  }

  #observed(): ClusterKeys {
    const keys = cluster.under('');
    const commit = keys.commit.bind(keys);
    keys.commit = async (change) => {
      this.commits.push(change);
      const { before } = this;
      this.before = null;
      await before?.();
      if (this.fails) throw new ServiceError('storageUnavailable');
      return commit(change);
    };
    return keys;
  }
}

function recordOf(clientId: string): (PresenceRecord & { readonly revision: number }) | null {
  const stored = cluster.keys.get(RECORDS + recordKey({ tenant: 'default', clientId }));
  const record = stored && readRecord(stored.value);
  return record ? { ...record, revision: stored.revision } : null;
}

beforeEach(() => {
  cluster = new MemoryClusterKeys();
  clock = new SettableClock();
});
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

const A = 'a.00000001';
const B = 'b.00000002';

it('writes together what comes while a write is under way, and of each client its last state', async () => {
  const a = await new TestNode(A).join();
  const connections = Array.from({ length: 250 }, (_, i) => a.connect(`c${i}`));
  // Over before anything is written.
  a.sessions.left(connections[249]!, null);
  a.connect('c248');
  await a.settled();
  expect(a.commits.map(({ puts }) => puts?.length)).toEqual([100, 100, 50]);
  expect(recordOf('c0')).toMatchObject({ connected: true, instance: A, ended: null });
  expect(recordOf('c249')).toMatchObject({ connected: false, epoch: null, ended: { reason: 'connection-lost' } });
  expect(a.events).toHaveLength(250);
});

it('the end of a session keeps its epoch, and every connection has a higher one', async () => {
  const a = await new TestNode(A).join();
  const first = a.connect('lamp');
  await a.settled();
  const epoch = recordOf('lamp')?.revision;
  clock.advance(500);
  a.heardNow = 500;
  first.since = 300;
  const { session = '' } = recordOf('lamp') ?? {};
  expect(a.sessions.lastSeen('default/lamp', session)).toBe(clock.now() - 200);
  expect(a.sessions.lastSeen('default/lamp', 'another')).toBeNull();
  a.sessions.left(first, 0);
  await a.settled();
  const at = clock.now();
  expect(recordOf('lamp')).toMatchObject({ connected: false, since: at, lastSeen: at - 200, epoch });
  expect(a.sessions.size).toBe(0);
  a.connect('lamp');
  await a.settled();
  expect(recordOf('lamp')?.revision).toBeGreaterThan(epoch ?? Infinity);
  expect(recordOf('lamp')?.ended).toEqual({ reason: 'client', at });
});

it('the end of an older connection on another node hides no newer one, nor the end of one', async () => {
  const [a, b] = [await new TestNode(A).join(), await new TestNode(B).join()];
  const [old, older] = [a.connect('lamp'), a.connect('door')];
  await a.settled();
  b.connect('lamp');
  const newer = b.connect('door');
  await b.settled();
  b.sessions.left(newer, 0);
  await b.settled();
  const before = a.commits.length;
  const ended = recordOf('door');
  for (const each of [old, older]) a.sessions.left(each, 0x8d);
  await a.settled();
  expect(ended).toMatchObject({ connected: false, instance: B });
  expect(recordOf('door')).toEqual(ended);
  expect(recordOf('lamp')).toMatchObject({ connected: true, instance: B, ended: { reason: 'taken-over' } });
  expect(a.commits).toHaveLength(before);
  expect(b.events.filter((each) => each.startsWith('lamp'))).toEqual(['lamp connected', 'lamp connected']);
});

it('nor does one that is written at the same time, and the others of its transaction are written all the same', async () => {
  const [a, b] = [await new TestNode(A).join(), await new TestNode(B).join()];
  const old = ['c0', 'c1', 'c2', 'c3', 'c4'].map((id) => a.connect(id));
  await a.settled();
  a.before = async () => {
    b.connect('c2');
    await b.settled();
  };
  for (const each of old) a.sessions.left(each, null);
  await a.settled();
  expect(['c0', 'c1', 'c2', 'c3', 'c4'].map((id) => recordOf(id)?.connected)).toEqual([
    false,
    false,
    true,
    false,
    false,
  ]);
  expect(recordOf('c2')).toMatchObject({ instance: B });
});

it('writes nothing without a lease, and everything once it has joined again', async () => {
  const [a, b] = [await new TestNode(A).join(), await new TestNode(B).join()];
  const lamp = a.connect('lamp');
  await a.settled();
  await a.die();
  b.lost.see({ live: [B] });
  await until('the mark', () => recordOf('lamp')?.connected === false);
  expect(recordOf('lamp')).toMatchObject({ instance: A, ended: { reason: 'node-lost' } });
  // A does not know yet that its lease has ended: what it writes now is refused.
  const door = a.connect('door');
  await until('an attempt', () => a.writer.trouble !== null);
  expect([recordOf('door'), recordOf('lamp')?.connected]).toEqual([null, false]);
  await a.join();
  await a.settled();
  expect([recordOf('lamp')?.connected, recordOf('door')?.connected]).toEqual([true, true]);
  expect(b.events.slice(0, 2)).toEqual(['lamp connected', 'lamp disconnected']);
  // Of two clients either may come first.
  expect(b.events.slice(2).sort()).toEqual(['door connected', 'lamp connected']);
  expect([lamp.isOpen, door.isOpen]).toEqual([true, true]);
});

it('marks the clients of a lost node in bounded batches, but none that has come elsewhere meanwhile', async () => {
  const [a, b] = [await new TestNode(A).join(), await new TestNode(B).join()];
  for (let i = 0; i < 230; i++) a.connect(`c${i}`);
  await a.settled();
  await a.die();
  b.connect('c7');
  await b.settled();
  b.before = () => {
    // It is among those that are about to be marked.
    const moved = JSON.stringify({ ...recordOf('c9'), instance: 'c.00000003', session: 'new' });
    return cluster.commit({ guards: [], puts: [{ key: `${RECORDS}default/c9`, value: moved }] });
  };
  const before = b.commits.length;
  b.lost.see({ live: [B] });
  await until('the marks', () =>
    Array.from({ length: 230 }, (_, i) => recordOf(`c${i}`)).every(
      (record, i) => record?.connected === [7, 9].includes(i),
    ),
  );
  expect([recordOf('c7')?.instance, recordOf('c9')?.instance]).toEqual([B, 'c.00000003']);
  const marks = b.commits.slice(before).map(({ puts }) => puts?.length ?? 0);
  expect(Math.max(...marks)).toBe(100);
  expect(marks.length).toBeLessThan(20);
});

it('marks the clients of a lost node also when the lease of its records is gone, as after the restore of a backup', async () => {
  const [a, b] = [await new TestNode(A).join(), await new TestNode(B).join()];
  a.connect('lamp');
  await a.settled();
  b.sessions.left(b.connect('door'), 0);
  await b.settled();
  await cluster.revoke(cluster.keys.get(`${RECORDS}default/door`)?.lease ?? '');
  await a.die();
  await until(
    'the mark',
    () => {
      // Each view of the cluster shows it anew.
      b.lost.see({ live: [B] });
      return recordOf('lamp')?.ended?.reason === 'node-lost';
    },
    5_000,
  );
});

it('marks no client of a node that has joined again', async () => {
  const [a, b] = [await new TestNode(A).join(), await new TestNode(B).join()];
  a.connect('lamp');
  await a.settled();
  // A view from while it was away.
  b.lost.see({ live: [B] });
  await b.lost.stop();
  expect(recordOf('lamp')).toMatchObject({ connected: true });
  expect(b.commits).toHaveLength(1);
});

it('a connection that another node has taken over is recorded again once it is heard, and not before', async () => {
  jest.useFakeTimers({ doNotFake: ['setImmediate', 'performance', 'setTimeout', 'clearTimeout'] });
  try {
    const [a, b] = [await new TestNode(A).join(), await new TestNode(B).join()];
    const half = a.connect('lamp');
    await a.settled();
    const newer = b.connect('lamp');
    await b.settled();
    b.sessions.left(newer, 0);
    await b.settled();
    jest.advanceTimersByTime(5_000);
    await a.settled();
    expect(recordOf('lamp')).toMatchObject({ connected: false, instance: B });
    a.heardNow = 100;
    half.since = 100;
    jest.advanceTimersByTime(1_000);
    await a.settled();
    expect(recordOf('lamp')).toMatchObject({ connected: true, instance: A });
  } finally {
    jest.useRealTimers();
  }
});

it('a record that claims a connection of this node that there is not is put right', async () => {
  const a = await new TestNode(A).join();
  const lamp = a.connect('lamp');
  await a.settled();
  const late = cluster.keys.get(`${RECORDS}default/lamp`)?.value ?? '';
  a.sessions.left(lamp, 0);
  await a.settled();
  await cluster.commit({ guards: [], puts: [{ key: `${RECORDS}default/lamp`, value: late }] });
  await until('the end', () => recordOf('lamp')?.ended?.reason === 'connection-lost');
  expect(recordOf('lamp')?.connected).toBe(false);
});

it('keeps what it cannot write, and writes the last state when etcd answers again', async () => {
  const a = await new TestNode(A).join();
  const lamp = a.connect('lamp');
  await a.settled();
  a.fails = true;
  a.sessions.left(lamp, null);
  await until('an attempt', () => a.writer.trouble !== null);
  const again = a.connect('lamp');
  a.sessions.left(again, 0);
  a.fails = false;
  await a.settled();
  expect(recordOf('lamp')).toMatchObject({ connected: false, ended: { reason: 'client' } });
  expect(a.writer.trouble).toBeNull();
});

it('records no more clients than it may, and serves the known ones', async () => {
  const a = await new TestNode(A, 2).join();
  for (const id of ['c0', 'c1']) a.connect(id);
  await a.settled();
  const third = a.connect('c2');
  a.sessions.left(third, 0);
  a.connect('c0');
  await a.settled();
  expect([a.full, a.sessions.size, recordOf('c2')]).toEqual([1, 2, null]);
});

it('a tenant whose clients change their identifiers keeps no other from being recorded', async () => {
  const a = await new TestNode(A, 4).join();
  for (const id of ['r0', 'r1', 'r2', 'r3']) a.connect(id, 'red');
  await a.settled();
  a.connect('r4', 'red');
  for (const id of ['b0', 'b1']) a.connect(id, 'blue');
  await a.settled();
  a.connect('b2', 'blue');
  a.connect('g0', 'green');
  await a.settled();
  const keys = [...cluster.keys.keys()]
    .filter((key) => key.startsWith(RECORDS))
    .map((key) => key.slice(RECORDS.length));
  expect(keys).toEqual(['red/r0', 'red/r1', 'red/r2', 'red/r3', 'blue/b0', 'blue/b1', 'green/g0']);
  expect([a.full, a.known.sizeOf('blue'), a.known.tenants]).toEqual([2, 2, 3]);
});

it.each<[Remembered, boolean]>([
  [{ all: 9, tenants: 1, own: 9 }, true],
  [{ all: 10, tenants: 1, own: 10 }, false],
  [{ all: 10, tenants: 1, own: 0 }, true],
  [{ all: 14, tenants: 2, own: 4 }, true],
  [{ all: 15, tenants: 2, own: 5 }, false],
  [{ all: 20, tenants: 9, own: 0 }, false],
])('room for one more of 10 clients (%#)', (remembered, is) => expect(hasRoom(remembered, 10)).toBe(is));
