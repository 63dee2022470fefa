import type { Connection } from './connection.js';
import { EvenEnd } from './even-end.js';

/** What the end of a connection asks of it. */
class FakeConnection {
  isOpen = true;
  isIdle = true;
  isHeld = false;
  endedAt: number | null = null;

  hold(isHeld: boolean): void {
    this.isHeld = isHeld;
  }

  end(): void {
    this.isOpen = false;
    this.endedAt = performance.now();
  }
}

let committed = 0;
let published = 0;

async function end(connections: FakeConnection[], withinMs: number, limitMs = 10_000): Promise<EvenEnd> {
  const deadline = performance.now() + limitMs;
  const revisions = { committed: () => committed, published: () => published };
  const ending = new EvenEnd({ end: (each) => each.end(0x8b, 'a test'), withinMs, deadline, ...revisions });
  await ending.end(connections as unknown as Connection[]);
  return ending;
}

const some = (count: number): FakeConnection[] => Array.from({ length: count }, () => new FakeConnection());

beforeEach(() => {
  committed = published = 0;
});

it('ends all of them within the span, one after the other', async () => {
  const connections = some(20);
  const { ended } = await end(connections, 200);
  expect([ended, connections.filter(({ isOpen }) => isOpen)]).toEqual([20, []]);
  expect(connections[19]!.endedAt! - connections[0]!.endedAt!).toBeGreaterThan(100);
});

it('spends no time on those that have gone by themselves', async () => {
  const connections = some(1_000);
  for (const each of connections.slice(0, 999)) each.isOpen = false;
  const from = performance.now();
  const { ended } = await end(connections, 60_000);
  expect(ended).toBe(1);
  expect(performance.now() - from).toBeLessThan(10_000);
});

it('reads no more of one whose requests are not answered, and ends it when they are', async () => {
  const [busy, idle] = some(2) as [FakeConnection, FakeConnection];
  busy.isIdle = false;
  setTimeout(() => {
    expect([busy.isHeld, busy.isOpen, idle.isOpen]).toEqual([true, true, false]);
    busy.isIdle = true;
  }, 200);
  expect((await end([busy, idle], 40)).ended).toBe(2);
});

it('waits until what was committed is published', async () => {
  committed = 7;
  const [connection] = some(1) as [FakeConnection];
  setTimeout(() => {
    expect(connection.isOpen).toBe(true);
    // What others commit later is none of its business.
    committed = 9;
    published = 7;
  }, 100);
  await end([connection], 20);
  expect(connection.isOpen).toBe(false);
});

it('waits for none after the deadline, and reads those on that stay', async () => {
  const [busy, last] = some(2) as [FakeConnection, FakeConnection];
  busy.isIdle = false;
  const { ended } = await end([busy, last], 60_000, 100);
  expect([ended, busy.isOpen, busy.isHeld, last.isOpen]).toEqual([0, true, false, true]);
});

it('does not end all at once those that have waited for the same answer', async () => {
  committed = 1;
  const connections = some(40);
  setTimeout(() => (published = 1), 600);
  await end(connections, 400);
  const times = connections.map(({ endedAt }) => endedAt!);
  const densest = Math.max(...times.map((from) => times.filter((at) => at >= from && at < from + 100).length));
  expect(densest).toBeLessThanOrEqual(20);
});
