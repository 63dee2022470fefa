import { SettableClock } from '../../../../test/harness/clock.js';
import { SILENT_LOGGER } from '../../../telemetry/logger.js';
import type { AedesClient, OutgoingPacket } from '../aedes/aedes-parts.js';
import { SessionStore } from './session-store.js';

const TOPIC = '$aws/things/T/shadow/update/accepted';
let counter = 0;
const packet = (text: string, topic = TOPIC, clientId?: string): OutgoingPacket => ({
  cmd: 'publish',
  topic,
  payload: Buffer.from(text),
  qos: 1,
  retain: false,
  dup: false,
  brokerId: 'broker',
  brokerCounter: ++counter,
  ...(clientId !== undefined && { clientId }),
});
const client = (id: string): AedesClient => ({ id, conn: {} }) as AedesClient;
const texts = (packets: OutgoingPacket[] | undefined): string[] =>
  (packets ?? []).map(({ payload }) => String(payload));

type Parameters = ConstructorParameters<typeof SessionStore>;

function create(config: Partial<Parameters[0]> = {}, isGranted: Parameters[3] = () => true, maxBytes?: number) {
  const clock = new SettableClock();
  const store = new SessionStore(
    { maxSessions: 3, maxSessionMessages: 4, sessionSeconds: 60, ...config },
    clock,
    SILENT_LOGGER,
    isGranted,
    maxBytes,
  );
  const open = async (id: string, qos = 1): Promise<AedesClient> => {
    const opened = client(id);
    await store.addSubscriptions(opened, [{ topic: TOPIC, qos }]);
    store.online(opened);
    return opened;
  };
  return { store, clock, open };
}

describe('SessionStore', () => {
  it('keeps messages of QoS 1 subscriptions, once for overlapping filters, and only those', async () => {
    const { store, open } = create();
    const one = await open('one');
    await store.addSubscriptions(one, [{ topic: '$aws/things/+/shadow/#', qos: 1 }]);
    await open('zero', 0);
    store.keep(packet('a'));
    store.keep(packet('b', '$aws/things/U/shadow/update/accepted'));
    expect(texts(store.session('one')?.backlog())).toEqual(['a', 'b']);
    expect(store.session('zero')?.waiting).toBe(0);
    expect(store.has(TOPIC)).toBe(true);
    expect(store.has('other')).toBe(false);
  });

  it('drops the oldest message of a full session and counts it', async () => {
    const { store, open } = create();
    await open('one');
    for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) store.keep(packet(text));
    const session = store.session('one');
    expect(texts(session?.backlog())).toEqual(['c', 'd', 'e', 'f']);
    expect(session?.takeDropped()).toBe(2);
    expect(session?.takeDropped()).toBe(0);
  });

  it('sends again what was sent and not acknowledged, under its identifier', async () => {
    const { store, open } = create();
    const one = await open('one');
    const [a, b, c] = ['a', 'b', 'c'].map((text) => packet(text)) as [OutgoingPacket, OutgoingPacket, OutgoingPacket];
    for (const each of [a, b, c]) store.keep(each);
    await store.outgoingUpdate(one, { ...a, messageId: 7 });
    await store.outgoingUpdate(one, { ...b, messageId: 8 });
    expect(await store.outgoingClearMessageId(one, { messageId: 7 })).toBe(a);
    expect(await store.outgoingClearMessageId(one, { messageId: 7 })).toBeUndefined();
    expect(store.session('one')?.backlog()).toEqual([
      { ...b, brokerId: null, dup: true, messageId: 8 },
      { ...c, brokerId: null },
    ]);
    expect(texts(store.session('one')?.after(b.brokerCounter))).toEqual(['c']);
  });

  it('ends sessions that are away too long, and those that their client gives up', async () => {
    const { store, clock, open } = create();
    const one = await open('one');
    await open('two');
    store.offline(one);
    clock.advance(59_999);
    store.expire();
    expect(store.size).toBe(2);
    clock.advance(1);
    store.expire();
    expect(store.session('one')).toBeUndefined();
    await store.cleanSubscriptions({ id: 'two' });
    expect(store.size).toBe(0);
    expect(store.has(TOPIC)).toBe(false);
  });

  it('is bounded: the session that is away longest goes, and a connected one never', async () => {
    const { store, open } = create();
    const [one] = [await open('one'), await open('two'), await open('three')];
    await open('four');
    expect(store.session('four')).toBeUndefined();
    store.offline(one);
    await open('five');
    expect(store.session('one')).toBeUndefined();
    expect(store.size).toBe(3);
  });

  it('keeps nothing when sessions last no time', async () => {
    const { store, open } = create({ sessionSeconds: 0 });
    await open('one');
    expect(store.size).toBe(0);
  });

  it('is not kept by a connection that was taken over', async () => {
    const { store, open } = create();
    const before = await open('one');
    store.online(client('one'));
    store.offline(before);
    store.expire();
    expect(store.session('one')?.client).not.toBeNull();
  });

  it('leaves out filters that were refused', async () => {
    const { store } = create({}, ({ topic }) => topic === TOPIC);
    await store.addSubscriptions(client('one'), [
      { topic: '#', qos: 1 },
      { topic: TOPIC, qos: 1 },
    ]);
    expect((await store.subscriptionsByClient({ id: 'one' })).map(({ topic }) => topic)).toEqual([TOPIC]);
  });

  it('spares a No Local subscriber its own messages', async () => {
    const { store } = create();
    await store.addSubscriptions(client('one'), [{ topic: TOPIC, qos: 1, nl: true }]);
    store.keep(packet('mine', TOPIC, 'one'));
    store.keep(packet('theirs', TOPIC, 'two'));
    expect(texts(store.session('one')?.backlog())).toEqual(['theirs']);
  });

  it('bounds the bytes of all sessions: those that are away longest end, then the oldest messages go', async () => {
    const { store, open } = create({ maxSessionMessages: 1000 }, undefined, 4096);
    store.offline(await open('longest'));
    store.offline(await open('away'));
    const here = await open('here');
    store.keep(packet('x'.repeat(2000)));
    expect(store.size).toBe(3);
    // Shared by all three: its payload is counted once.
    expect(store.bytes).toBeLessThan(2500);
    await store.addSubscriptions(here, [{ topic: `${TOPIC}/mine`, qos: 1 }]);
    for (const text of ['a', 'b', 'c']) store.keep(packet(text.repeat(1500), `${TOPIC}/mine`));
    expect([store.session('longest'), store.session('away')]).toEqual([undefined, undefined]);
    expect(texts(store.session('here')?.backlog()).map((text) => text[0])).toEqual(['b', 'c']);
    expect(store.bytes).toBeLessThanOrEqual(4096);
    await store.cleanSubscriptions(here);
    expect(store.bytes).toBe(0);
  });

  it('counts every byte back, however a message goes', async () => {
    const { store, open } = create();
    const one = await open('one');
    const two = await open('two');
    for (let n = 0; n < 6; n++) store.keep(packet(`text ${n}`));
    expect(store.bytes).toBeGreaterThan(0);
    for (const opened of [one, two]) {
      const id = opened.id;
      store
        .session(id)
        ?.backlog()
        .forEach(({ brokerCounter }, i) => store.session(id)?.sent(brokerCounter, i + 1));
      for (let i = 1; i <= 4; i++) await store.outgoingClearMessageId(opened, { messageId: i });
    }
    expect(store.bytes).toBe(0);
  });

  it('keeps nothing that is sent with QoS 0, because a filter without wildcard says so', async () => {
    const { store, open } = create();
    const one = await open('one', 0);
    await store.addSubscriptions(one, [{ topic: '$aws/things/T/shadow/#', qos: 1 }]);
    store.keep(packet('never acknowledged'));
    expect(store.session('one')?.waiting).toBe(0);
  });
});
