import { ManualClock } from '../testing/manual-clock.js';
import { scriptedNode } from '../testing/scripted-node.js';
import type { UmbraError } from '../umbra-error.js';
import { connect } from './connect.js';
import type { Json } from './merge.js';
import { ReportQueue, type QueueLimits } from './report-queue.js';

const queueOf = (limits: Partial<QueueLimits> = {}): ReportQueue<void> => {
  let ids = 0;
  const newId = (): string => `token-${++ids}`;
  return new ReportQueue(newId, { maxWaiting: 262_144, maxApart: Infinity, ...limits });
};
const sizeOf = (queue: ReportQueue<void>): number => queue.updates.reduce((sum, { text }) => sum + text.length + 64, 0);

/** A device of a node that stores what is not `bad`, and holds its answers back while it is told to. */
async function started() {
  const clock = new ManualClock();
  const about = {
    updates: 0,
    stored: {} as object,
    answers: [] as (() => void)[],
    asked: [] as number[],
    isHolding: false,
  };
  const { dial } = scriptedNode({
    publish({ topic, body: { state, clientToken } }, node) {
      const answer = (kind: string, more: object) => (): void =>
        node.send(`${topic}/${kind}`, { version: about.updates, clientToken, state: {}, ...more });
      if (!state) {
        about.asked.push(clock.monotonic());
        return answer('accepted', {})();
      }
      about.updates++;
      const isBad = 'bad' in state.reported;
      if (!isBad) about.stored = { ...about.stored, ...state.reported };
      about.answers.push(isBad ? answer('rejected', { code: 400 }) : answer('accepted', {}));
      while (!about.isHolding && about.answers.length > 0) about.answers.shift()!();
    },
  });
  const device = await connect({ url: 'mqtt://node', thing: 'lamp', clock, dial, background: true });
  const close = async (): Promise<void> => {
    const closed = device.close();
    await clock.advance(6_000);
    await closed;
  };
  return { device, clock, about, close };
}

it('a report that is rejected takes no other along, however many wait', async () => {
  const { device, clock, about, close } = await started();
  const codes: unknown[] = [];
  for (let n = 0; n < 500; n++)
    device.shadow
      .report(n === 321 ? { bad: 1 } : { [`m${n}`]: n })
      .catch(({ code }: UmbraError) => codes.push([n, code]));
  await clock.advance(2_000);
  expect([codes.length, Object.keys(about.stored).length]).toEqual([1, 499]);
  // By halves: not one by one.
  expect(about.updates).toBeLessThan(20);
  await close();
});

it('merges no more than one update of a service takes, measured by what is left of it', () => {
  const queue = queueOf();
  const none = [{ resolve: () => undefined, reject: () => undefined }];
  for (let n = 0; n < 1_000; n++) queue.add({ count: n, text: 'x'.repeat(100) }, none);
  expect(queue.take()?.parts.length).toBe(1_000);
  for (let n = 0; n < 1_000; n++) queue.add({ [`m${n}`]: 'x'.repeat(50) }, none);
  const sizes: number[] = [];
  for (let update = queue.take(); update; update = queue.take()) sizes.push(update.text.length);
  expect([sizes.length, Math.max(...sizes) <= 16_384]).toEqual([4, true]);
  queue.add({ large: 'x'.repeat(20_000) }, none);
  queue.add({ small: 1 }, none);
  expect([queue.take()?.parts.length, queue.take()?.text]).toEqual([0, '{"small":1}']);
});

it('a wait for earlier reports ends when they are sent apart', async () => {
  const { device, clock, about, close } = await started();
  about.isHolding = true;
  for (const patch of [{ a: 1 }, { bad: 1 }, { b: 1 }]) void device.shadow.report(patch);
  await clock.advance(0);
  // It asks for the present delta after that.
  device.shadow.onDelta(() => undefined);
  await clock.advance(1_000);
  about.isHolding = false;
  about.answers.shift()!();
  await clock.advance(1_000);
  expect([about.stored, about.asked]).toEqual([{ a: 1, b: 1 }, [1_000]]);
  await close();
});

describe('what waits', () => {
  it('takes no more than it may, as long as it can be merged', () => {
    const queue = queueOf({ maxWaiting: 5_000 });
    for (let n = 0; n < 1_000; n++) queue.add({ step: n }, []);
    expect(sizeOf(queue)).toBeLessThanOrEqual(5_000);
    expect(queue.take()!.patch).toEqual({ step: 999 });
    expect(queue.isEmpty).toBe(true);
  });

  it('ends as outbox-full if it cannot be merged', () => {
    const queue = queueOf({ maxWaiting: 5_000 });
    const fill = (): void => {
      for (let n = 0; n < 1_000; n++) queue.add(n % 2 === 0 ? { a: {} } : { a: { b: null } }, []);
    };
    expect(fill).toThrow(expect.objectContaining({ code: 'outbox-full', retryable: true }));
    expect(sizeOf(queue)).toBeLessThanOrEqual(5_000);
  });

  it.each<[string, (n: number) => Json, number]>([
    ['counts on', (n) => ({ step: n }), 17_000],
    ['has 100 members', (n) => ({ sensors: { [`s${n % 100}`]: { value: n, at: 1_700_000_000 + n } } }), 28_000],
  ])('is merged for an outbox, which writes all of it at each save, when it %s', (_, patch, most) => {
    const queue = queueOf({ maxApart: 16_384 });
    let largest = 0;
    for (let n = 0; n < 3_000; n++) {
      queue.add(patch(n), []);
      largest = Math.max(largest, sizeOf(queue));
    }
    expect(largest).toBeGreaterThan(16_000);
    expect(largest).toBeLessThan(most);
    expect(queue.updates.length).toBeGreaterThan(63);
  });

  it('is not merged for an outbox while it is few reports', () => {
    const queue = queueOf({ maxApart: 16_384 });
    for (let n = 0; n < 64; n++) queue.add({ text: 'x'.repeat(1_000), n }, []);
    expect(queue.updates).toHaveLength(64);
  });
});
