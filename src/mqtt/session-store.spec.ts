import { SettableClock } from '../../test/harness/clock.js';
import { SILENT_LOGGER } from '../telemetry/logger.js';
import type { AedesClient, OutgoingPacket } from './aedes-parts.js';
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

function create(config: Partial<ConstructorParameters<typeof SessionStore>[0]> = {}) {
  const clock = new SettableClock();
  const store = new SessionStore(
    { maxSessions: 3, maxSessionMessages: 4, sessionSeconds: 60, ...config },
    clock,
    SILENT_LOGGER,
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
    const { store } = create();
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
});
