import { jest } from '@jest/globals';
import { ManualClock } from '../testing/manual-clock.js';
import { memoryStore } from '../testing/memory-store.js';
import { scriptedEvents, type ScriptedEvents } from '../testing/scripted-events.js';
import { scriptedFetch } from '../testing/scripted-fetch.js';
import { Umbra } from '../umbra.js';
import type { UmbraError } from '../umbra-error.js';
import type { CacheOptions } from './cache.js';

interface Lamp {
  power: string;
}

const state = (thing: string, revision: number, power: string, version = 1) => ({
  ...{ kind: 'updated', tenant: 'default', thing, shadow: null, version, revision, time: '2023-11-14T22:13:20.000Z' },
  ...{ delta: power === 'on' ? { power } : null, document: { state: { desired: { power } }, metadata: {}, version } },
});
const gone = (thing: string, revision: number) => ({
  ...state(thing, revision, 'off'),
  kind: 'deleted',
  document: null,
});

/** A cache whose connections are streams that the test writes. */
function caching(options: CacheOptions<Lamp> = {}) {
  const clock = new ManualClock();
  const streams: ScriptedEvents[] = [];
  const fetch = scriptedFetch(() => {
    const stream = scriptedEvents();
    streams.push(stream);
    return stream.response;
  });
  const umbra = new Umbra({ url: 'http://umbra.example', fetch, clock, random: () => 0 });
  const cache = umbra.cache<Lamp>({ things: 'lamp-*' }, options);
  const told: unknown[] = [];
  cache.on('add', ({ thing }) => told.push(`add ${thing}`));
  cache.on('change', ({ thing, desired }, before) => told.push(`${thing} ${before.desired.power} -> ${desired.power}`));
  cache.on('remove', ({ thing }) => told.push(`remove ${thing}`));
  cache.on('resync', ({ reason, differences }) => told.push(`resync ${reason} ${differences}`));
  cache.on('health', (health) => told.push(health.state));
  const cursors = (): unknown[] => fetch.sent.map(({ headers }) => headers['last-event-id'] ?? null);
  const load = async (stream = 0, ...states: object[]): Promise<void> => {
    await clock.advance(0);
    for (const each of states) streams[stream]!.send('initial', each);
    streams[stream]!.send('bookmark', { revision: 10 }, 'c10');
    await clock.advance(0);
  };
  return { umbra, cache, clock, streams, told, cursors, load };
}
const caught = (promise: Promise<unknown>): Promise<UmbraError> =>
  promise.then(
    () => null!,
    (error: UmbraError) => error,
  );

it('lists, then follows', async () => {
  const { cache, clock, streams, told, load } = caching({ indexes: { power: ({ desired }) => desired.power } });
  const synced = cache.synced();
  await clock.advance(0);
  streams[0]!.send('initial', state('lamp-1', 3, 'on'));
  await clock.advance(0);
  expect([cache.size, cache.health.state]).toEqual([0, 'loading']);
  await load(0, state('lamp-2', 4, 'off'));
  expect(await synced).toBe(cache);
  expect(cache.get('lamp-1')).toMatchObject({ version: 1, delta: { power: 'on' }, desired: { power: 'on' } });
  streams[0]!.send('change', state('lamp-2', 11, 'on', 2), 'c11');
  streams[0]!.send('change', gone('lamp-1', 12), 'c12');
  streams[0]!.send('change', state('lamp-3', 13, 'off'), 'c13');
  await clock.advance(0);
  expect(
    cache
      .list()
      .map(({ thing }) => thing)
      .sort(),
  ).toEqual(['lamp-2', 'lamp-3']);
  expect([cache.by('power', 'on'), cache.by('power', 'off'), cache.by('power', 'dim')]).toMatchObject([
    [{ thing: 'lamp-2' }],
    [{ thing: 'lamp-3' }],
    [],
  ]);
  expect(() => cache.by('colour', 'red')).toThrow('the cache has no index "colour"');
  expect(told).toEqual(['add lamp-1', 'add lamp-2', 'live', 'lamp-2 off -> on', 'remove lamp-1', 'add lamp-3']);
  expect(cache.health).toEqual({ state: 'live', revision: 12, silentMs: 0, shadows: 2, error: null });
});

it('is behind while it is cut off, and resumes', async () => {
  const { cache, clock, streams, cursors, load } = caching();
  await load(0, state('lamp-1', 3, 'on'));
  streams[0]!.cut();
  await clock.advance(500);
  expect(cache.health).toMatchObject({ state: 'behind', silentMs: 500, error: { code: 'unreachable' } });
  expect(cache.get('lamp-1')).toBeDefined();
  await clock.advance(500);
  // What it has already does not count twice.
  streams[1]!.send('change', state('lamp-1', 3, 'off'), 'c11');
  await clock.advance(0);
  expect([cache.health.state, cursors(), cache.get('lamp-1')?.desired.power]).toEqual(['live', [null, 'c10'], 'on']);
});

it('starts over with an initial state that was cut off', async () => {
  const { cache, clock, streams, told, load } = caching();
  await clock.advance(0);
  streams[0]!.send('initial', state('lamp-1', 3, 'on'));
  await clock.advance(0);
  streams[0]!.cut();
  await clock.advance(1_000);
  await load(1, state('lamp-2', 4, 'on'));
  expect([cache.list().map(({ thing }) => thing), told]).toEqual([['lamp-2'], ['add lamp-2', 'live']]);
});

it.each(['compacted', 'epoch-changed'])('tells only differences after %s', async (reason) => {
  const { clock, streams, told, load } = caching();
  await load(0, ...['lamp-1', 'lamp-2', 'lamp-3'].map((thing) => state(thing, 3, 'on')));
  told.length = 0;
  streams[0]!.send('end', { reason, message: 'm' });
  await clock.advance(1_000);
  await load(1, state('lamp-1', 8, 'on'), state('lamp-2', 9, 'off', 2), state('lamp-4', 9, 'on'));
  expect(told).toEqual(['behind', 'remove lamp-3', 'lamp-2 on -> off', 'add lamp-4', 'live', `resync ${reason} 3`]);
});

it('shows an own write, and waits no longer than it is told', async () => {
  const { cache, clock, streams, load } = caching();
  await load(0, state('lamp-1', 3, 'on'));
  const read = cache.read('lamp-1', null, { minRevision: 12 });
  const reached = cache.reached(12);
  const late = caught(cache.reached(99, { timeoutMs: 5_000 }));
  let isReached = false;
  void reached.then(() => (isReached = true));
  streams[0]!.send('change', state('lamp-2', 12, 'on'), 'c11');
  streams[0]!.send('change', state('lamp-1', 12, 'off', 2), 'c12');
  await clock.advance(0);
  // The transaction of revision 12 may have more changes.
  expect([(await read)?.desired.power, isReached]).toEqual(['off', false]);
  streams[0]!.send('bookmark', { revision: 13 }, 'c13');
  await clock.advance(0);
  await reached;
  await clock.advance(5_000);
  expect(await late).toMatchObject({ code: 'timeout' });
});

it('ends when it is full, and says so', async () => {
  const { cache, clock, load } = caching({ maxShadows: 1 });
  const synced = caught(cache.synced());
  await load(0, state('lamp-1', 3, 'on'), state('lamp-2', 3, 'on'));
  expect(await synced).toMatchObject({ code: 'too-many-shadows' });
  expect(cache.health).toMatchObject({ state: 'ended', error: { code: 'too-many-shadows' } });
  expect(await caught(cache.reached(1))).toMatchObject({ code: 'too-many-shadows' });
  expect(clock.timers).toBe(0);
});

it('ends when it is closed, and can still be read', async () => {
  const { cache, clock, streams, load } = caching();
  await load(0, state('lamp-1', 3, 'on'));
  const late = caught(cache.reached(99));
  await cache.close();
  expect([cache.get('lamp-1')?.version, cache.health.state, streams[0]!.isLeft]).toEqual([1, 'ended', true]);
  expect(await late).toMatchObject({ code: 'closed' });
  await clock.advance(0);
  expect(clock.timers).toBe(0);
});

it('goes on when a listener throws', async () => {
  const { cache, clock, streams, load } = caching();
  const listener = jest.fn(() => {
    throw new Error('listener');
  });
  const off = cache.on('add', listener);
  await load(0, state('lamp-1', 3, 'on'), state('lamp-2', 3, 'on'));
  off();
  streams[0]!.send('change', state('lamp-3', 11, 'on'), 'c11');
  await clock.advance(0);
  expect([cache.size, listener.mock.calls.length]).toEqual([3, 2]);
});

describe('with a store', () => {
  it('resumes from where it was, idle time included', async () => {
    const store = memoryStore();
    const first = caching({ store });
    await first.load(0, state('lamp-1', 3, 'on'));
    await first.clock.advance(6_000);
    first.streams[0]!.send('bookmark', { revision: 20 }, 'c20');
    await first.clock.advance(0);
    await first.cache.close();
    const second = caching({ store });
    await second.cache.synced();
    await second.clock.advance(0);
    expect([second.cache.get('lamp-1')?.desired.power, second.cursors()]).toEqual(['on', ['c20']]);
    expect(second.cache.health).toMatchObject({ state: 'behind', revision: 20 });
    second.streams[0]!.send('change', state('lamp-1', 21, 'off', 2), 'c21');
    await second.clock.advance(0);
    expect(second.told).toEqual(['add lamp-1', 'behind', 'live', 'lamp-1 on -> off']);
  });

  it('knows at which revision it was left, also when the last change was a deletion', async () => {
    const store = memoryStore();
    const first = caching({ store });
    await first.load(0, state('lamp-1', 3, 'on'), state('lamp-2', 4, 'on'));
    first.streams[0]!.send('change', gone('lamp-2', 15), 'c15');
    first.streams[0]!.send('bookmark', { revision: 15 }, 'c16');
    await first.clock.advance(0);
    await first.cache.close();
    const second = caching({ store });
    await second.cache.reached(15);
    expect([second.cache.size, second.cache.health.revision]).toEqual([1, 15]);
  });

  it('does not take a state of before a reload for a later one', async () => {
    const store = memoryStore();
    const first = caching({ store });
    await first.load(0, state('lamp-1', 9, 'on', 3));
    first.streams[0]!.send('end', { reason: 'epoch-changed', message: 'restored' });
    await first.clock.advance(2_000);
    // The same content, made anew after a backup that did not have it.
    first.streams[1]!.send('initial', state('lamp-1', 5, 'on', 3));
    first.streams[1]!.send('bookmark', { revision: 5 }, 'c5');
    await first.clock.advance(0);
    await first.cache.close();
    const second = caching({ store });
    await second.cache.synced();
    await second.clock.advance(0);
    second.streams[0]!.send('change', state('lamp-1', 7, 'off', 4), 'c7');
    await second.clock.advance(0);
    expect(second.cache.get('lamp-1')).toMatchObject({ version: 4, desired: { power: 'off' } });
  });

  it('does not take what was kept for another filter, or is damaged', async () => {
    for (const text of ['{', '{"format":2,"source":"other","cursor":"c","revision":3,"slots":"-"}']) {
      const store = memoryStore();
      await store.set('k', text);
      const { clock, cursors } = caching({ store, key: 'k' });
      await clock.advance(0);
      expect(cursors()).toEqual([null]);
    }
  });

  it.each([
    ['fails', () => Promise.reject(new Error('full'))],
    ['never answers', () => new Promise<never>(() => undefined)],
  ])('does without one that %s', async (_, failing) => {
    const { cache, clock, load } = caching({ store: { get: failing, set: failing, delete: failing } });
    await clock.advance(10_000);
    await load(0, state('lamp-1', 3, 'on'));
    const closed = cache.close();
    await clock.advance(20_000);
    await closed;
    expect([cache.size, cache.health.state, cache.health.error]).toEqual([1, 'ended', null]);
  });
});

it('refuses a filter by content', () => {
  const { umbra } = caching();
  const filter = { things: 'lamp-*', delta: true };
  expect(() => umbra.cache(filter)).toThrow('filter by things and shadows alone');
});
