import { ANONYMOUS } from '../../../access/principal.js';
import type { SessionShares } from '../../../access/session-limits.js';
import { SettableClock } from '../../../../test/harness/clock.js';
import { SILENT_LOGGER } from '../../../telemetry/logger.js';
import type { Connection } from '../connections/connection.js';
import { eachSession } from '../subscriptions/each-session.js';
import { GrantedFilter } from '../subscriptions/granted-filter.js';
import { Subscribers } from '../subscriptions/subscribers.js';
import { MemoryBudget } from './memory-budget.js';
import { Outgoing, SharedMessage } from './message.js';
import type { Session } from './session.js';
import { SessionStore, type Opening } from './session-store.js';

const TOPIC = '$aws/things/T/shadow/update/accepted';

type Config = ConstructorParameters<typeof SessionStore>[0];

function create(config: Partial<Config> = {}, maxBytes?: number, shares?: SessionShares) {
  const clock = new SettableClock();
  const subscribers = new Subscribers();
  const budget = new MemoryBudget(maxBytes);
  const store = new SessionStore(
    { maxSessions: 3, maxSessionMessages: 4, sessionSeconds: 60, ...config },
    clock,
    SILENT_LOGGER,
    subscribers,
    budget,
    shares && { connectionsOfAddress: 0, of: () => shares },
  );
  const connect = (id: string, options: Partial<Opening> = {}) =>
    store.open({} as Connection, { id, principal: ANONYMOUS, clean: false, expirySeconds: 60, ...options });
  const subscribe = (session: Session, filter = TOPIC, qos: 0 | 1 = 1, noLocal = false) =>
    store.subscribe(new GrantedFilter(session, filter, qos, noLocal, 0));
  const open = (id: string, qos: 0 | 1 = 1): Session => {
    const { session } = connect(id);
    subscribe(session, TOPIC, qos);
    return session;
  };
  /** As the broker hands out a message. */
  const publish = (text: string, topic = TOPIC, sender?: string): void => {
    const message = new SharedMessage(topic, Buffer.from(text));
    eachSession(subscribers.of(topic), sender, (session, qos) => {
      if (qos > 0 && session.expirySeconds > 0) store.keep(session, message, null);
      else session.queue(new Outgoing(message, qos, null));
    });
  };
  return { store, clock, budget, subscribers, connect, subscribe, open, publish };
}

/** Sends what waits, as a connection does. */
function send(session: Session, most = Infinity): { text: string; id: number; isAgain: boolean }[] {
  const sent = [];
  for (let first = session.first; first && sent.length < most; first = session.first) {
    const isAgain = first.id > 0;
    if (first.qos > 0 && !isAgain) first.id = session.nextId();
    sent.push({ text: String(first.message?.payload ?? ''), id: first.id, isAgain });
    session.sent();
  }
  return sent;
}

const texts = (session: Session): string[] => send(session).map(({ text }) => text);

describe('SessionStore', () => {
  it('hands a message to a session once, whatever filters match, with the highest QoS of them', () => {
    const { open, subscribe, publish } = create();
    const one = open('one', 0);
    subscribe(one, '$aws/things/+/shadow/#', 1);
    const zero = open('zero', 0);
    publish('a');
    publish('b', '$aws/things/U/shadow/update/accepted');
    expect([one.kept, zero.kept]).toEqual([2, 0]);
    expect(texts(one)).toEqual(['a', 'b']);
    expect(send(zero)).toMatchObject([{ text: 'a', id: 0 }]);
  });

  it('drops the oldest message of a full session without a connection, and counts it', () => {
    const { store, open, connect, publish } = create();
    const session = open('one');
    store.left(session);
    let dropped = 0;
    store.onDropped = () => dropped++;
    for (const text of ['a', 'b', 'c', 'd', 'e', 'f']) publish(text);
    expect([session.kept, dropped]).toEqual([4, 2]);
    expect(session.takeDropped()).toBe(2);
    expect(session.takeDropped()).toBe(0);
    expect(texts(connect('one').session)).toEqual(['c', 'd', 'e', 'f']);
  });

  it('gives a connected client even what it can no longer keep for it', () => {
    const { open, publish } = create({ maxSessionMessages: 1 });
    const session = open('one');
    for (const text of ['a', 'b', 'c']) publish(text);
    expect(session.kept).toBe(1);
    expect(texts(session)).toEqual(['a', 'b', 'c']);
  });

  it('sends again what was sent and not acknowledged, under its identifier and before all others', () => {
    const { store, open, connect, publish } = create();
    const session = open('one');
    for (const text of ['a', 'b', 'c']) publish(text);
    expect(send(session, 2).map(({ id }) => id)).toEqual([1, 2]);
    expect([session.acknowledge(1), session.acknowledge(1), session.acknowledge(9)]).toEqual([true, false, false]);
    store.left(session);
    publish('d');
    const { session: again, isPresent } = connect('one');
    expect(isPresent).toBe(true);
    expect(send(again)).toEqual([
      { text: 'b', id: 2, isAgain: true },
      { text: 'c', id: 3, isAgain: false },
      { text: 'd', id: 4, isAgain: false },
    ]);
  });

  it('uses no identifier again that is in flight', () => {
    const { open, publish } = create({ maxSessionMessages: 10 });
    const session = open('one');
    publish('stays');
    expect(send(session)).toMatchObject([{ id: 1 }]);
    for (let id = 2; id <= 65_535; id++) {
      publish('goes');
      const sent = send(session)[0]?.id;
      // An expect for each of them takes half a minute.
      if (sent !== id) throw new Error(`identifier ${sent} instead of ${id}`);
      session.acknowledge(id);
    }
    publish('waits');
    expect(session.nextId()).toBe(0);
    session.acknowledge(1);
    expect(send(session)).toMatchObject([{ text: 'waits', id: 1 }]);
  });

  it('ends sessions that are away too long, and those that their client gives up', () => {
    const { store, clock, open, connect, subscribers } = create();
    store.left(open('one'));
    open('two');
    clock.advance(59_999);
    store.expire();
    expect(store.size).toBe(2);
    clock.advance(1);
    store.expire();
    expect(store.session('one')).toBeUndefined();
    expect(connect('two', { clean: true, expirySeconds: 0 }).isPresent).toBe(false);
    expect(store.size).toBe(0);
    expect(subscribers.has(TOPIC)).toBe(false);
  });

  it('does not resume what has expired and was not swept yet', () => {
    const { store, clock, open, connect } = create();
    store.left(open('one'));
    clock.advance(60_000);
    expect(connect('one').isPresent).toBe(false);
  });

  it('lets a client shorten the time, and none lengthen it', () => {
    const { store, clock, connect } = create();
    const short = connect('short', { expirySeconds: 5 }).session;
    const long = connect('long', { expirySeconds: 0xffff_ffff }).session;
    expect([short.expirySeconds, long.expirySeconds]).toEqual([5, 60]);
    for (const session of [short, long]) store.left(session);
    clock.advance(5000);
    store.expire();
    expect([store.session('short'), store.session('long')]).toEqual([undefined, long]);
  });

  it('is bounded: the session that is away longest goes, and a connected one never', () => {
    const { store, open } = create();
    const [one] = [open('one'), open('two'), open('three')];
    store.left(open('four'));
    expect(store.session('four')).toBeUndefined();
    store.left(one);
    open('five');
    expect(store.session('one')).toBeUndefined();
    expect(store.size).toBe(3);
  });

  it('keeps nothing when sessions last no time', () => {
    const { store, open, publish, budget, subscribers } = create({ sessionSeconds: 0 });
    const session = open('one');
    publish('a');
    store.left(session);
    expect([store.size, store.session('one'), budget.used]).toEqual([0, undefined, 0]);
    expect(subscribers.has(TOPIC)).toBe(false);
  });

  it('has one connection, whoever had it before', () => {
    const { store, connect } = create();
    const first = {} as Connection;
    const second = {} as Connection;
    const opening = { id: 'one', principal: ANONYMOUS, clean: false, expirySeconds: 60 };
    expect(store.open(first, opening).previous).toBeNull();
    const taken = store.open(second, opening);
    expect([taken.previous, taken.isPresent, taken.session.connection]).toEqual([first, true, second]);
    const clean = connect('one', { clean: true });
    expect([clean.previous, clean.isPresent, taken.session.isEnded]).toEqual([second, false, true]);
    expect(store.session('one')).toBe(clean.session);
  });

  it('spares a No Local subscriber its own messages', () => {
    const { connect, subscribe, publish } = create();
    const { session } = connect('one');
    subscribe(session, TOPIC, 1, true);
    publish('mine', TOPIC, 'one');
    publish('theirs', TOPIC, 'two');
    expect(texts(session)).toEqual(['theirs']);
  });

  it('bounds the bytes of all sessions: those that are away longest end, then the oldest messages go', () => {
    const { store, open, publish, subscribe, connect, budget } = create({ maxSessionMessages: 1000 }, 6000);
    store.left(open('longest'));
    store.left(open('away'));
    const here = open('here');
    publish('x'.repeat(2000));
    expect(store.size).toBe(3);
    subscribe(here, `${TOPIC}/mine`);
    store.left(here);
    for (const text of ['a', 'b', 'c', 'd']) publish(text.repeat(1500), `${TOPIC}/mine`);
    expect([store.session('longest'), store.session('away')]).toEqual([undefined, undefined]);
    expect(budget.used).toBeLessThanOrEqual(6000);
    connect('here', { clean: true, expirySeconds: 0 });
    expect(budget.used).toBe(0);
  });

  it('refuses a filter that there is no memory for', () => {
    const { connect, subscribe, budget } = create({}, 4000);
    const { session } = connect('one');
    let granted = 0;
    while (subscribe(session, `${TOPIC}/${granted}`)) granted++;
    expect(granted).toBeGreaterThan(3);
    expect(session.granted).toHaveLength(granted);
    expect(budget.used).toBeLessThanOrEqual(4000);
  });

  it('counts every byte back, however a message goes', () => {
    const { store, open, publish, connect, budget } = create();
    const sessions = [open('one'), open('two')];
    const before = budget.used;
    for (let n = 0; n < 6; n++) publish(`text ${n}`);
    expect(budget.used).toBeGreaterThan(before);
    for (const session of sessions) {
      send(session, 3);
      store.left(session);
      const again = connect(session.id).session;
      for (const { id } of send(again)) again.acknowledge(id);
    }
    expect(budget.used).toBe(before);
    for (const session of sessions) store.unsubscribe(session, TOPIC);
    for (const { id } of sessions) connect(id, { clean: true, expirySeconds: 0 });
    expect(budget.used).toBe(0);
  });

  /** Sessions of `tenant`, the names of those that are still there. */
  const namesOf = (store: SessionStore, tenant: string): string[] =>
    [...store.all()].filter(({ principal }) => principal.tenant === tenant).map(({ id }) => id);
  const of = (tenant: string, id = 'one') => ({ tenant, id });

  it('takes the room of the tenant that keeps most sessions, for one that does not keep more itself', () => {
    const { store, connect } = create({ maxSessions: 5 });
    const keep = (id: string, tenant: string) => connect(id, { principal: of(tenant) }).session;
    for (const id of ['s1', 's2']) store.left(keep(id, 'small'));
    for (const id of ['l1', 'l2', 'l3']) store.left(keep(id, 'large'));
    for (const id of ['l4', 'l5', 'l6']) store.left(keep(id, 'large'));
    expect([namesOf(store, 'small'), namesOf(store, 'large')]).toEqual([
      ['s1', 's2'],
      ['l4', 'l5', 'l6'],
    ]);
    for (const id of ['l4', 'l5', 'l6']) keep(id, 'large');
    // All of the large one are connected now: its next one is not kept, and those of the small one stay.
    expect(keep('l7', 'large').expirySeconds).toBe(0);
    store.left(keep('s3', 'small'));
    expect(namesOf(store, 'small')).toEqual(['s2', 's3']);
    expect(store.size).toBe(5);
  });

  it('takes the memory of the tenant that uses most, and of nobody who uses less than who needs it', () => {
    const { store, connect, subscribe, publish, budget } = create({ maxSessions: 9, maxSessionMessages: 1000 }, 6000);
    const keep = (id: string, tenant: string): Session => {
      const { session } = connect(id, { principal: of(tenant) });
      subscribe(session, `${TOPIC}/${id}`);
      return session;
    };
    store.left(keep('small', 'small'));
    for (const id of ['l1', 'l2']) store.left(keep(id, 'large'));
    for (let n = 0; n < 9; n++) publish('x'.repeat(1000), `${TOPIC}/l2`);
    expect([namesOf(store, 'small'), namesOf(store, 'large')]).toEqual([['small'], []]);
    const here = keep('l3', 'large');
    for (let n = 0; n < 9; n++) publish('x'.repeat(1000), `${TOPIC}/l3`);
    expect([namesOf(store, 'small'), here.kept > 0, here.kept < 9]).toEqual([['small'], true, true]);
    expect(budget.used).toBeLessThanOrEqual(6000);
    while (subscribe(here, `${TOPIC}/${here.granted.length}`));
    expect(namesOf(store, 'small')).toEqual(['small']);
    for (const id of ['small', 'l3'])
      connect(id, { principal: of(id === 'small' ? id : 'large'), clean: true, expirySeconds: 0 });
    expect(budget.used).toBe(0);
  });

  it('gives a principal no place more than it may have, unless one of its own is away', () => {
    const { store, connect, clock } = create({ maxSessions: 100 }, undefined, { ofPrincipal: 20, ofTenant: 0 });
    const come = (id: string, principal = of('acme')) =>
      store.excess(id, principal) ?? connect(id, { principal }).session;
    const all = Array.from({ length: 20 }, (_, i) => come(`a${i}`) as Session);
    expect(come('more')).toMatchObject({ authCode: 'AUTH_905', status: 429 });
    expect(come('b', of('acme', 'two'))).toMatchObject({ id: 'b' });
    expect(come('b', of('other'))).toMatchObject({ id: 'b' });
    expect(come('a7')).toBe(all[7]);
    for (const at of [5, 3, 9]) {
      store.left(all[at]!);
      clock.advance(1);
    }
    expect([come('c1'), come('c2')]).toMatchObject([{ id: 'c1' }, { id: 'c2' }]);
    expect([5, 3, 9].map((at) => all[at]!.isEnded)).toEqual([true, true, false]);
    for (const session of [...store.all()]) store.withdraw(session);
    expect(come('d')).toMatchObject({ id: 'd' });
  });

  it('remembers a hole in the feed for those who were away', () => {
    const { store, open } = create();
    const [here, away] = [open('here'), open('away')];
    store.left(away);
    store.missed();
    expect([here.hasMissed, away.hasMissed]).toEqual([false, true]);
  });
});
