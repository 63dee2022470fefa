import { jest } from '@jest/globals';
import { ManualClock } from '../testing/manual-clock.js';
import { memoryStore } from '../testing/memory-store.js';
import { scriptedNode, type NodeScript, type Published, type ScriptedConnection } from '../testing/scripted-node.js';
import type { UmbraError } from '../umbra-error.js';
import { connect, type DeviceOptions } from './connect.js';
import type { Device } from './device.js';
import { storeOutbox } from './outbox.js';
import { reasonOf } from './refusal.js';

const SHADOW = '$aws/things/lamp/shadow';
const quick = { firstMs: 100, longestMs: 1_000 };

/** A shadow that answers as a node does. */
class Lamp {
  version = 0;
  delta: object | null = null;
  /** Patches, in the order in which they were carried out. */
  readonly reports: unknown[] = [];
  /** Rejects a report, or leaves it without an answer. */
  judge: (reported: Record<string, unknown>) => number | 'silence' | 'cut' | null = () => null;

  answer(message: Published, node: ScriptedConnection): void {
    const { clientToken, state } = message.body as { clientToken: string; state: { reported: never } };
    if (message.topic === `${SHADOW}/get`) {
      const found = { version: this.version, state: { ...(this.delta && { delta: this.delta }) }, clientToken };
      if (this.version > 0) node.send(`${SHADOW}/get/accepted`, found);
      else node.send(`${SHADOW}/get/rejected`, { code: 404, message: 'No shadow', clientToken });
    }
    if (message.topic === `${SHADOW}/update`) {
      const verdict = this.judge(state.reported);
      if (verdict === 'silence') return;
      if (verdict === 'cut') return node.cut();
      if (verdict !== null)
        return node.send(`${SHADOW}/update/rejected`, { code: verdict, message: 'rejected', clientToken });
      this.reports.push(state.reported);
      node.send(`${SHADOW}/update/accepted`, { version: ++this.version, state, clientToken });
    }
  }

  /** An update of somebody else. */
  desire(node: ScriptedConnection, delta: object | null): void {
    this.delta = delta;
    this.version++;
    if (delta) node.send(`${SHADOW}/update/delta`, { version: this.version, state: delta });
    node.send(`${SHADOW}/update/accepted`, { version: this.version, state: {} });
  }
}

const started: { device: Device; clock: ManualClock }[] = [];
async function start(options: Partial<DeviceOptions> = {}, script: NodeScript = {}, clock = new ManualClock()) {
  const lamp = new Lamp();
  const node = scriptedNode({ publish: (message, at) => lamp.answer(message, at), ...script });
  const connecting = connect({
    ...{ url: 'mqtt://node', thing: 'lamp', clock, random: () => 0, dial: node.dial, reconnect: quick, retry: quick },
    ...options,
  });
  connecting.catch(() => undefined);
  await clock.advance(0);
  const device = await connecting;
  started.push({ device, clock });
  return { clock, lamp, device, ...node, last: () => node.connections.at(-1)! };
}
const failure = (promise: Promise<unknown>): Promise<Partial<UmbraError>> =>
  promise.then(
    () => ({}),
    ({ code, outcome, status }: UmbraError) => ({ code, outcome, status }),
  );

afterEach(async () => {
  for (const { device, clock } of started.splice(0)) {
    const closed = device.close();
    // What waits has its time, and ends.
    await clock.advance(6_000);
    await closed;
    expect(clock.timers).toBe(0);
  }
});

describe('the handler of deltas', () => {
  it('gets the present delta once, whether the node sends it too or not, and what it returns is reported', async () => {
    const { clock, lamp, device, last } = await start();
    [lamp.version, lamp.delta] = [3, { on: true }];
    const handler = jest.fn((delta: object) => delta);
    device.shadow.onDelta(handler);
    last().send(`${SHADOW}/update/delta`, { version: 3, state: { on: true } });
    await clock.advance(0);
    expect(handler.mock.calls.map(([delta]) => delta)).toEqual([{ on: true }]);
    expect(lamp.reports).toEqual([{ on: true }]);
  });

  it.each([true, false])('gets it again after a reconnect, with a session: %s', async (hasSession) => {
    const { clock, lamp, device, last, connections } = await start(
      {},
      { connect: (_, index) => index > 0 && hasSession },
    );
    const seen: unknown[] = [];
    device.shadow.onDelta((delta, { version }) => void seen.push([version, delta]));
    lamp.desire(last(), { on: true });
    await clock.advance(0);
    last().cut();
    [lamp.version, lamp.delta] = [7, { on: false }];
    await clock.advance(100);
    // What a session has kept is of before.
    last().send(`${SHADOW}/update/delta`, { version: 5, state: { old: true } });
    await clock.advance(0);
    expect(seen).toEqual([
      [1, { on: true }],
      [7, { on: false }],
    ]);
    expect(connections[1]!.subscribed.length).toBe(hasSession ? 0 : 5);
  });

  it('runs once at a time, for the newest delta', async () => {
    const { clock, lamp, device, last } = await start();
    const [runs, ends]: [unknown[], (() => void)[]] = [[], []];
    device.shadow.onDelta(async (delta, { signal }) => {
      runs.push(delta);
      await new Promise<void>((resolve) => ends.push(resolve));
      runs.push(signal.aborted);
    });
    for (const step of [1, 2, 3]) lamp.desire(last(), { step });
    await clock.advance(0);
    for (const end of ends) end();
    await clock.advance(0);
    for (const end of ends) end();
    await clock.advance(0);
    expect(runs).toEqual([{ step: 3 }, false]);
    lamp.desire(last(), { step: 4 });
    await clock.advance(0);
    for (const step of [5, 6]) lamp.desire(last(), { step });
    ends.at(-1)!();
    await clock.advance(0);
    ends.at(-1)!();
    await clock.advance(0);
    expect(runs.slice(2)).toEqual([{ step: 4 }, true, { step: 6 }, false]);
  });

  it('is not disturbed by the same delta at another version', async () => {
    const { clock, lamp, device, last } = await start();
    let end!: () => void;
    const runs: boolean[] = [];
    device.shadow.onDelta(async (_, { signal }) => {
      await new Promise<void>((resolve) => (end = resolve));
      runs.push(signal.aborted);
    });
    lamp.desire(last(), { on: true });
    await clock.advance(0);
    lamp.desire(last(), { on: true });
    end();
    await clock.advance(0);
    expect(runs).toEqual([false]);
  });

  it('is tried again with longer pauses while its delta stands', async () => {
    const { clock, lamp, device, last } = await start();
    const attempts: [number, number][] = [];
    device.shadow.onDelta((_, { attempt }) => {
      attempts.push([clock.monotonic(), attempt]);
      throw new Error('jammed');
    });
    lamp.desire(last(), { on: true });
    await clock.advance(700);
    expect(attempts).toEqual([
      [0, 1],
      [100, 2],
      [300, 3],
      [700, 4],
    ]);
    lamp.desire(last(), null);
    await clock.advance(10_000);
    expect(attempts.length).toBe(4);
  });

  it('is asked to end when it takes too long', async () => {
    const { clock, lamp, device, last } = await start({ handlerMs: 1_000 });
    let reason: unknown;
    device.shadow.onDelta((_, { signal }) => {
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve(void (reason = signal.reason))));
    });
    lamp.desire(last(), { on: true });
    await clock.advance(1_000);
    expect(reason).toMatchObject({ code: 'timeout' });
    expect(() => device.shadow.onDelta(() => undefined)).toThrow('a handler of deltas already');
  });

  it('gets the delta of a shadow that is new since it was asked for', async () => {
    const { clock, lamp, device, last } = await start();
    const seen: unknown[] = [];
    let asked = 0;
    const answer = lamp.answer.bind(lamp);
    lamp.answer = (message, node) => {
      answer(message, node);
      if (message.topic.endsWith('/get') && ++asked === 1) lamp.desire(node, { on: true });
    };
    device.shadow.onDelta((delta) => void seen.push(delta));
    await clock.advance(0);
    expect([seen, last().isOpen]).toEqual([[{ on: true }], true]);
  });
});

describe('a report', () => {
  it('is merged with those that wait, in its order', async () => {
    const { clock, lamp, device, last } = await start();
    last().cut();
    const stored = [{ a: 1 }, { b: { c: 1 } }, { a: 2, b: { d: 1 } }].map((patch) => device.shadow.report(patch));
    await clock.advance(100);
    expect(lamp.reports).toEqual([{ a: 2, b: { c: 1, d: 1 } }]);
    expect(await Promise.all(stored)).toEqual([{ version: 1 }, { version: 1 }, { version: 1 }]);
  });

  it('is another update if one cannot say both', async () => {
    const { clock, lamp, device, last } = await start();
    last().cut();
    for (const patch of [{ a: 1 }, { b: null }, { b: { c: 1 } }, null, { d: 1 }]) void device.shadow.report(patch);
    await clock.advance(100);
    expect(lamp.reports).toEqual([{ a: 1, b: null }, null, { d: 1 }]);
  });

  it.each<['silence' | 'cut' | 409 | 429]>([['silence'], ['cut'], [409], [429]])(
    'is sent again after %s, before others',
    async (fault) => {
      const { clock, lamp, device, connections } = await start();
      const verdicts: (typeof fault | null)[] = [fault, fault, null];
      lamp.judge = () => verdicts.shift() ?? null;
      const first = device.shadow.report({ step: 1 });
      await clock.advance(0);
      const second = device.shadow.report({ step: 2 });
      await clock.advance(25_000);
      expect([await first, await second, lamp.reports]).toEqual([
        { version: 1 },
        { version: 2 },
        [{ step: 1 }, { step: 2 }],
      ]);
      const updates = connections.flatMap(({ published }) =>
        published.filter(({ topic }) => topic.endsWith('/update')),
      );
      expect(new Set(updates.slice(0, 3).map(({ body }) => body.clientToken)).size).toBe(1);
    },
  );

  it('fails alone if what it was merged with is good', async () => {
    const { clock, lamp, device, last } = await start();
    lamp.judge = (reported) => ('bad' in (reported as object) ? 400 : null);
    last().cut();
    const outcomes = [{ a: 1 }, { bad: 1 }, { a: 2 }].map((patch) => failure(device.shadow.report(patch)));
    await clock.advance(100);
    expect(await Promise.all(outcomes)).toEqual([
      ...[{}, { code: 'invalid-request', outcome: 'not-applied', status: 400 }, {}],
    ]);
    expect(lamp.reports).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it.each<[string, Record<string, unknown>, object]>([
    ['of no object', { patch: [1] }, { code: 'invalid-argument', outcome: 'not-applied' }],
    ['that is no JSON', { patch: { a: Infinity } }, { code: 'invalid-argument', outcome: 'not-applied' }],
    ['for which there is no place', { patch: { a: 'x'.repeat(300_000) } }, { code: 'outbox-full' }],
    ['that may not be heard of', { refuses: true }, { code: 'forbidden', status: 403 }],
    ['that may not be published', { reason: 135 }, { code: 'not-allowed', outcome: 'not-applied', status: 403 }],
    ['without an answer in its time', { judge: 'silence', timeoutMs: 500 }, { code: 'timeout', outcome: 'unknown' }],
    ['whose wait is aborted', { judge: 'silence', aborts: true }, { code: 'aborted', outcome: 'unknown' }],
    ['when the device is closed', { judge: 'silence', closes: true }, { code: 'closed', outcome: 'unknown' }],
  ])('%s ends with a name', async (_, how, error) => {
    const lamp = new Lamp();
    if (how['judge']) lamp.judge = () => how['judge'] as 'silence';
    const { clock, device } = await start(
      {},
      {
        refuses: () => how['refuses'] === true,
        publish: (message, node) => {
          if (how['reason']) throw reasonOf(how['reason'] as number, 'refused');
          lamp.answer(message, node);
        },
      },
    );
    const control = new AbortController();
    const options = { signal: control.signal, ...(how['timeoutMs'] !== undefined && { timeoutMs: 500 }) };
    const outcome = failure(device.shadow.report((how['patch'] as object) ?? { a: 1 }, options));
    await clock.advance(600);
    if (how['aborts']) control.abort();
    if (how['closes']) void device.close();
    await clock.advance(6_000);
    expect(await outcome).toMatchObject(error);
  });

  it('outlives the process in an outbox, with its token', async () => {
    const store = memoryStore();
    const outbox = storeOutbox(store, 'outbox');
    const lost = await start({ outbox });
    lost.lamp.judge = () => 'silence';
    void lost.device.shadow.report({ step: 1 });
    await lost.clock.advance(0);
    void lost.device.shadow.report({ step: 2 });
    void lost.device.shadow.report({ other: 1 });
    await lost.clock.advance(0);
    const again = await start({ outbox });
    await again.clock.advance(0);
    expect(again.lamp.reports.flatMap((report) => Object.entries(report as object))).toEqual([
      ...[['step', 2], ['other', 1]], // prettier-ignore
    ]);
    expect(store.texts.get('outbox')).toBe('{"updates":[]}');
  });

  it('is kept by the outbox before its device has closed', async () => {
    const store = memoryStore();
    let write = (): void => undefined;
    const disk = new Promise<void>((resolve) => (write = resolve));
    const slow = { ...store, set: (key: string, text: string) => disk.then(() => store.set(key, text)) };
    const { device, clock } = await start({ outbox: storeOutbox(slow, 'outbox') });
    device.shadow.report({ step: 1 }).catch(() => undefined);
    const closed = jest.fn();
    const closing = device.close().then(closed);
    await clock.advance(6_000); // Longer than it waits for answers.
    expect(closed).not.toHaveBeenCalled();
    write();
    await closing;
    expect(store.texts.get('outbox')).toContain('"step":1');
  });
});

describe('a connection', () => {
  it('that is refused for good ends connecting, and leaves no timer', async () => {
    const clock = new ManualClock();
    const { dial } = scriptedNode({ connect: () => Promise.reject(reasonOf(134, 'Connection refused')) });
    const outcome = failure(connect({ url: 'mqtt://node', thing: 'lamp', auth: 'key', dial, clock }));
    await clock.advance(0);
    expect([await outcome, clock.timers]).toEqual([
      { code: 'not-authenticated', outcome: 'not-applied', status: 401 },
      0,
    ]);
  });

  it('that cannot be had in time ends connecting with the reason', async () => {
    const clock = new ManualClock();
    const { dial } = scriptedNode({ connect: () => Promise.reject(reasonOf(136, 'Connection refused')) });
    const connecting = connect({ url: 'mqtt://node', thing: 'lamp', dial, clock });
    connecting.catch(() => undefined);
    await clock.advance(30_000);
    await expect(connecting).rejects.toMatchObject({ code: 'timeout', cause: { code: 'mqtt-136' } });
    expect(clock.timers).toBe(0);
  });

  it.each([{ thing: 'a/b' }, { thing: '' }, { url: 'https://x', dial: undefined }])(
    'is not tried with %j',
    async (wrong) => {
      const options = { url: 'mqtt://node', thing: 'lamp', dial: scriptedNode().dial, ...wrong } as DeviceOptions;
      await expect(connect(options)).rejects.toMatchObject({ code: 'invalid-argument' });
    },
  );

  it('asks for a better credential when one is refused, and comes back with it', async () => {
    const passwords: unknown[] = [];
    let token = 'old';
    const auth = {
      headers: async () => ({}),
      token: async () => token,
      refused: async () => (token = 'new') === 'new',
    };
    const { device, clock } = await start(
      { auth, background: true },
      {
        connect: ({ password }) => {
          passwords.push(password);
          if (password === 'old') throw reasonOf(135, 'Connection refused');
        },
      },
    );
    await clock.advance(200);
    expect([passwords, device.connected, device.error]).toEqual([['old', 'new'], true, null]);
  });

  it('goes on with a newer token before the present one ends; with another connection, if that is refused', async () => {
    const clock = new ManualClock();
    let issued = 0;
    const token = async (): Promise<string> => {
      issued++;
      const iat = Math.floor(clock.now() / 1_000);
      return `x.${btoa(JSON.stringify({ iat, exp: iat + 600, issued }))}.y`;
    };
    const renewed: string[] = [];
    const { connections } = await start(
      { auth: { headers: async () => ({}), token } },
      {
        publish: ({ topic, body }) => {
          renewed.push(topic);
          if (renewed.length === 2) throw reasonOf(135, 'refused');
          expect(typeof body).toBe('string');
        },
      },
      clock,
    );
    await clock.advance(479_000);
    expect(renewed).toEqual([]);
    await clock.advance(2_000);
    expect([renewed, connections.length]).toEqual([['$umbra/session/renew'], 1]);
    await clock.advance(481_000);
    expect([renewed.length, connections.length]).toEqual([2, 2]);
    expect(connections.map(({ options: { isFirst } }) => isFirst)).toEqual([true, false]);
  });
});
