import { ManualClock } from '../testing/manual-clock.js';
import { scriptedNode, type NodeScript, type ScriptedConnection } from '../testing/scripted-node.js';
import type { UmbraError } from '../umbra-error.js';
import { connect } from './connect.js';
import type { Device } from './device.js';
import { reasonOf } from './refusal.js';

const ended = (code: number): UmbraError => reasonOf(code, 'The node ended the connection');

async function started(script: NodeScript): Promise<{ clock: ManualClock; device: Device }> {
  const clock = new ManualClock();
  const reconnect = { firstMs: 50, longestMs: 50 };
  const connecting = connect({ url: 'mqtt://node', thing: 'lamp', clock, reconnect, ...scriptedNode(script) });
  await clock.advance(0);
  return { clock, device: await connecting };
}

/** A node that stores, and ends a connection in place of an answer as often as `ends` says. */
async function nodeThatEnds(ends: (reported: object, index: number) => UmbraError | null) {
  const stored: unknown[] = [];
  let count = 0;
  const about = await started({
    publish({ topic, body: { state, clientToken } }, node) {
      const reason = ends((state?.reported as object) ?? {}, count++);
      if (reason) return node.cut(reason);
      if (state) stored.push(state.reported);
      node.send(`${topic}/accepted`, { version: count, clientToken, state: {} });
    },
  });
  return { ...about, stored };
}

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    ({ code, outcome }: UmbraError) => [code, outcome],
  );

async function close(device: Device, clock: ManualClock): Promise<void> {
  const closed = device.close();
  await clock.advance(6_000);
  await closed;
}

it.each([135, 134, 149, 142])(
  'the end of a connection with reason %s answers nothing that was under way',
  async (code) => {
    const { device, clock, stored } = await nodeThatEnds((_, index) => (index === 0 ? ended(code) : null));
    const report = codeOf(device.shadow.report({ power: 'off' }));
    await clock.advance(1_000);
    expect([await report, stored]).toEqual(['done', [{ power: 'off' }]]);
    await close(device, clock);
  },
);

it('a get is asked again over the next connection, a deletion ends in doubt', async () => {
  const { device, clock } = await nodeThatEnds((_, index) => (index % 2 === 0 ? ended(135) : null));
  const got = codeOf(device.shadow.get());
  await clock.advance(1_000);
  const deleted = codeOf(device.shadow.delete());
  await clock.advance(1_000);
  expect([await got, await deleted]).toEqual(['done', ['unreachable', 'unknown']]);
  await close(device, clock);
});

it('a report that ends each connection by its size is found among those it was merged with, and given up', async () => {
  const { device, clock, stored } = await nodeThatEnds((reported) => ('large' in reported ? ended(149) : null));
  const reports = [{ a: 1 }, { large: 1 }, { b: 1 }].map((patch) => codeOf(device.shadow.report(patch)));
  await clock.advance(20_000);
  expect(await Promise.all(reports)).toEqual(['done', ['mqtt-149', 'unknown'], 'done']);
  expect(stored).toEqual([{ a: 1 }, { b: 1 }]);
  await close(device, clock);
});

it.each([
  ['large', 'x'.repeat(6_000).replaceAll('x', '\u6f22'), true],
  ['small, and acknowledged', 'x', false],
])('a rejection without a token is that of the report under way, which is %s', async (_, text, isSilent) => {
  const { device, clock } = await started({
    publish({ topic, body: { state, clientToken } }, node) {
      if (state?.reported.text === undefined) return node.send(`${topic}/accepted`, { version: 1, clientToken });
      node.send(`${topic}/rejected`, { code: 413, message: 'too large' });
      return isSilent ? new Promise(() => undefined) : undefined;
    },
  });
  const report = codeOf(device.shadow.report({ text }));
  await clock.advance(3_000);
  expect(await report).toEqual(['document-too-large', 'not-applied']);
  await close(device, clock);
});

it('a rejection without a token of what somebody else has sent ends no report', async () => {
  const { device, clock } = await started({
    publish({ topic, body: { clientToken } }, node) {
      node.send(`${topic}/rejected`, { code: 413, message: 'too large' });
      node.send(`${topic}/accepted`, { version: 1, clientToken });
    },
  });
  const report = codeOf(device.shadow.report({ a: 1 }));
  await clock.advance(1_000);
  expect(await report).toBe('done');
  await close(device, clock);
});

// A broker of others acknowledges at once, and the answers of nodes come later.
it.each([
  ['before the PUBACK of a broker is no answer of the report that is accepted', 'x', 'done'],
  ['before the PUBACK of a broker is no answer of the large one that is accepted', 'x'.repeat(17_000), 'done'],
  ['after the PUBACK of a broker is that of the report under way', 'x', ['document-too-large', 'not-applied']],
])('a rejection without a token %s', async (_, text, outcome) => {
  const { device, clock } = await started({
    publish({ topic, body: { clientToken } }, node) {
      const reject = () => node.send(`${topic}/rejected`, { code: 413, message: 'too large' });
      if (outcome !== 'done') return void setImmediate(reject);
      reject();
      setImmediate(() => node.send(`${topic}/accepted`, { version: 1, clientToken }));
    },
  });
  const report = codeOf(device.shadow.report({ text }));
  await clock.advance(0);
  await new Promise((resolve) => setImmediate(resolve));
  await clock.advance(5_000);
  expect(await Promise.race([report, new Promise((resolve) => setTimeout(resolve, 100, 'under way'))])).toEqual(
    outcome,
  );
  await close(device, clock);
});

describe('a report that is refused as not allowed', () => {
  const RENEW = '$umbra/session/renew';
  const jwt = (name: string): string => `x.${btoa(JSON.stringify({ exp: 4_000_000_000, name }))}.y`;

  /** A node that refuses what `refuses` says of a token, whatever CONNECT says of it. */
  async function nodeThatRefuses(
    tokens: string[],
    refuses: (topic: string, token: unknown) => boolean,
    onRenewal?: (node: ScriptedConnection) => Promise<void>,
  ) {
    const clock = new ManualClock();
    const stored: unknown[] = [];
    const { dial, connections } = scriptedNode({
      publish({ topic, body }, node) {
        if (topic === RENEW && onRenewal) return onRenewal(node);
        if (refuses(topic, node.options.password)) throw reasonOf(135, 'The node refused a message');
        if (topic === RENEW) return;
        const { state, clientToken } = body as { state?: { reported: unknown }; clientToken: string };
        if (state) stored.push(state.reported);
        node.send(`${topic}/accepted`, { version: stored.length, clientToken, state: {} });
      },
    });
    const auth = { headers: async () => ({}), token: async () => (tokens.length > 1 ? tokens.shift()! : tokens[0]!) };
    const reconnect = { firstMs: 50, longestMs: 50 };
    const connecting = connect({ url: 'mqtt://node', thing: 'lamp', clock, reconnect, dial, auth });
    await clock.advance(0);
    const device = await connecting;
    const renewals = (): number =>
      connections.flatMap(({ published }) => published).filter(({ topic }) => topic === RENEW).length;
    return { device, clock, connections, stored, renewals };
  }

  it('because its token is over is sent again with the next one', async () => {
    const [old, next] = [jwt('old'), jwt('next')];
    const { device, clock, stored, connections } = await nodeThatRefuses([old, next], (_, token) => token === old);
    const [report, deletion] = [codeOf(device.shadow.report({ a: 1 })), codeOf(device.shadow.delete())];
    await clock.advance(1_000);
    expect([await report, await deletion]).toEqual(['done', ['unreachable', 'not-applied']]);
    expect([stored, connections.map(({ options }) => options.password)]).toEqual([[{ a: 1 }], [old, next]]);
    await close(device, clock);
  });

  it('because its token is over is sent again however the look at the token ends', async () => {
    const [old, next] = [jwt('old'), jwt('next')];
    const ends = async (node: ScriptedConnection): Promise<void> => {
      // The node needs time for that.
      await null;
      node.cut(ended(135));
    };
    const { device, clock, stored, connections } = await nodeThatRefuses(
      [old, next],
      (_, token) => token === old,
      ends,
    );
    const report = codeOf(device.shadow.report({ a: 1 }));
    await clock.advance(1_000);
    expect([await report, stored, connections.length]).toEqual(['done', [{ a: 1 }], 2]);
    await close(device, clock);
  });

  it('because its token is over is sent again with all others, by one look', async () => {
    const [old, next] = [jwt('old'), jwt('next')];
    const { device, clock, stored, renewals } = await nodeThatRefuses([old, next], (_, token) => token === old);
    const reports = [device.shadow, device.named('x'), device.named('y')].map((one) => codeOf(one.report({ a: 1 })));
    await clock.advance(1_000);
    expect([await Promise.all(reports), stored.length, renewals()]).toEqual([['done', 'done', 'done'], 3, 1]);
    await close(device, clock);
  });

  it('by policies is rejected, and the connection stays', async () => {
    const { device, clock, connections } = await nodeThatRefuses([jwt('one')], (topic) => topic !== RENEW);
    const report = codeOf(device.shadow.report({ a: 1 }));
    await clock.advance(1_000);
    expect([await report, connections.length]).toEqual([['not-allowed', 'not-applied'], 1]);
    await close(device, clock);
  });

  it('by a broker that knows no renewal is rejected after one more connection', async () => {
    const { device, clock, connections, renewals } = await nodeThatRefuses([jwt('one')], () => true);
    for (let n = 0; n < 3; n++) {
      const report = codeOf(device.shadow.report({ a: 1 }));
      await clock.advance(1_000);
      expect(await report).toEqual(['not-allowed', 'not-applied']);
    }
    expect([connections.length, renewals()]).toEqual([2, 1]);
    await close(device, clock);
  });

  it('with a key is rejected at once', async () => {
    const { device, clock, connections, renewals } = await nodeThatRefuses(['umk_1'], () => true);
    const report = codeOf(device.shadow.report({ a: 1 }));
    await clock.advance(1_000);
    expect([await report, connections.length, renewals()]).toEqual([['not-allowed', 'not-applied'], 1, 0]);
    await close(device, clock);
  });
});
