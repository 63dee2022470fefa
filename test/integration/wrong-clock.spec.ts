import { jest } from '@jest/globals';
import { ANONYMOUS } from '../../src/access/principal.js';
import { loadConfig } from '../../src/config/load-config.js';
import type { Clock } from '../../src/resilience/clock.js';
import { DeleteShadow } from '../../src/shadow/delete.js';
import type { ShadowCall } from '../../src/shadow/shadow-call.js';
import { UpdateShadow } from '../../src/shadow/update.js';
import type { EtcdStore } from '../../src/store/etcd/open-etcd.js';
import { increment, shadow, within } from '../harness/changes.js';
import { openEtcdStore } from '../harness/etcd-store.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';

const HOUR_MS = 3_600_000;

/** The real monotonic clock, and a wall clock that is wrong by so much. */
class WrongClock implements Clock {
  constructor(public offMs = 0) {}

  now(): number {
    return Date.now() + this.offMs;
  }

  monotonic(): number {
    return performance.now();
  }
}

describe('a wall clock that is wrong', () => {
  const config = loadConfig({});
  let server: EtcdServer;
  const opened: EtcdStore[] = [];
  beforeAll(async () => void (server = await startEtcd()));
  afterAll(() => server.stop());
  afterEach(async () => {
    server.resume();
    for (const store of opened.splice(0)) await store.close();
  });

  const open = (clock: Clock): EtcdStore => {
    const store = openEtcdStore([server.endpoint], {}, { clock, guardPeriodMs: HOUR_MS });
    opened.push(store);
    return store;
  };
  const node = (offMs: number) => {
    const clock = new WrongClock(offMs);
    const { store } = open(clock);
    return { update: new UpdateShadow(store, clock, config), remove: new DeleteShadow(store, clock) };
  };
  const call = (thing: string): ShadowCall => ({ ...within(), key: shadow(thing), principal: ANONYMOUS });
  const request = { state: { reported: { a: 1 } } };

  it.each([
    ['49 h ahead goes on from a tombstone', 0, 49],
    ['50 h behind leaves a tombstone that counts', -50, 0],
    ['50 h ahead leaves a tombstone that counts', 50, 0],
  ])('of a node %s', async (what, deleterHours, updaterHours) => {
    const thing = what.replaceAll(' ', '-');
    const deleter = node(deleterHours * HOUR_MS);
    for (let i = 0; i < 5; i++) await deleter.update.update(call(thing), request);
    expect((await deleter.remove.delete(call(thing), undefined)).state.version).toBe(5);
    const updater = node(updaterHours * HOUR_MS);
    expect((await updater.update.update(call(thing), request)).state.version).toBe(7);
  });

  it('and goes back an hour while etcd does not answer does not make an update or a read wait longer', async () => {
    const clock = new WrongClock();
    const { store } = open(clock);
    await store.update(shadow('waiting'), increment, within());
    server.pause();
    const started = performance.now();
    const [known, unknown, read] = [
      store.update(shadow('waiting'), increment, within(1_500)),
      store.update(shadow('unread'), increment, within(1_500)),
      store.get(shadow('waiting'), within(1_500)),
    ].map((answer) => answer.then(() => 'answered').catch((error: { code: string }) => error.code));
    const now = Date.now;
    const jumped = jest.spyOn(Date, 'now').mockImplementation(() => now() - HOUR_MS);
    try {
      expect(await known).toBe('outcomeUnknown');
      expect(await unknown).toBe('storageUnavailable');
      expect(await read).toBe('storageUnavailable');
    } finally {
      jumped.mockRestore();
    }
    // A busy machine is late, but not by another whole deadline.
    expect(performance.now() - started).toBeLessThan(3_000);
  });
});
