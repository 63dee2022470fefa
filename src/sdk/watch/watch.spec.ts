import { ManualClock } from '../testing/manual-clock.js';
import { memoryStore } from '../testing/memory-store.js';
import { scriptedEvents, type ScriptedEvents } from '../testing/scripted-events.js';
import { scriptedFetch } from '../testing/scripted-fetch.js';
import { Umbra } from '../umbra.js';
import type { UmbraError } from '../umbra-error.js';
import { storeCursor } from './cursor.js';
import { sourceOf } from './filter.js';
import type { WatchOptions } from './watch.js';

const problem =
  (status: number, type: string, more: object = {}) =>
  (): Response =>
    new Response(JSON.stringify({ type: `urn:umbra:problem:${type}`, detail: type, ...more }), { status });
const change = (n: number) => ({
  kind: 'updated',
  thing: 'lamp',
  shadow: null,
  version: n,
  revision: n,
  document: null,
});

/**
 * A watch whose connections get these answers, and then streams.
 * @param failing answers of the connections by their number, from 0
 */
function watching(
  options: WatchOptions = {},
  failing: Record<number, () => Response> = {},
  body?: () => Promise<void>,
) {
  const clock = new ManualClock();
  const streams: ScriptedEvents[] = [];
  const fetch = scriptedFetch((_, index) => {
    const answer = failing[index];
    if (answer) return answer();
    const stream = scriptedEvents();
    streams.push(stream);
    return stream.response;
  });
  const umbra = new Umbra({ url: 'http://umbra.example', fetch, clock, random: () => 0 });
  const seen: (number | string)[] = [];
  const run = async (): Promise<void> => {
    for await (const { version, isInitial } of umbra.watch({ things: 'lamp-*' }, options)) {
      await body?.();
      seen.push(isInitial ? `initial ${version}` : version);
    }
  };
  let end: UmbraError | 'done' | undefined;
  run().then(
    () => (end = 'done'),
    (error: UmbraError) => (end = error),
  );
  const cursors = (): unknown[] => fetch.sent.map(({ headers }) => headers['last-event-id'] ?? null);
  return { umbra, clock, streams, fetch, seen, cursors, end: () => end };
}

describe('a watch', () => {
  it('resumes behind what was taken, after the pause that the service asks for', async () => {
    const { clock, streams, seen, cursors } = watching();
    await clock.advance(0);
    streams[0]!.raw('retry: 2000\n\n');
    streams[0]!.send('bookmark', { revision: 1 }, 'c1');
    for (const n of [2, 3]) streams[0]!.send('change', change(n), `c${n}`);
    await clock.advance(0);
    streams[0]!.cut();
    await clock.advance(1_999);
    expect(streams).toHaveLength(1);
    await clock.advance(1);
    streams[1]!.send('change', change(4), 'c4');
    await clock.advance(0);
    expect([seen, cursors()]).toEqual([
      [2, 3, 4],
      [null, 'c3'],
    ]);
  });

  it('counts as lost when nothing comes, and leaves no connection behind', async () => {
    const { clock, streams, cursors } = watching({ heartbeatMs: 10_000 });
    await clock.advance(0);
    streams[0]!.send('bookmark', { revision: 1 }, 'c1');
    await clock.advance(9_999);
    streams[0]!.send('bookmark', { revision: 2 }, 'c2');
    await clock.advance(9_999);
    expect(streams[0]!.isLeft).toBe(false);
    await clock.advance(1_001);
    expect([streams[0]!.isLeft, cursors()]).toEqual([true, [null, 'c2']]);
  });

  it.each(['too-slow', 'draining', 'failed'])('goes on after the end %s', async (reason) => {
    const { clock, streams, cursors, end } = watching({ cursor: 'c0' });
    await clock.advance(0);
    streams[0]!.send('change', change(1), 'c1');
    streams[0]!.send('end', { reason, message: 'm' });
    await clock.advance(1_000);
    expect([cursors(), end()]).toEqual([['c0', 'c1'], undefined]);
  });

  it.each(['compacted', 'epoch-changed'])('ends with the end %s, or begins anew where it has to', async (reason) => {
    const plain = watching({ cursor: 'c0' });
    const reasons: string[] = [];
    const initial = watching({ cursor: 'c0', initial: true, onReload: (why) => reasons.push(why) });
    for (const { clock, streams } of [plain, initial]) {
      await clock.advance(0);
      streams[0]!.send('end', { reason, message: 'gone' });
      await clock.advance(1_000);
    }
    expect(plain.end()).toMatchObject({ name: 'UmbraError', code: reason, message: 'gone' });
    initial.streams[1]!.send('initial', change(7));
    await initial.clock.advance(0);
    expect([initial.seen, initial.cursors(), reasons]).toEqual([['initial 7'], ['c0', null], [reason]]);
    expect(initial.fetch.sent.map(({ url }) => new URL(url).searchParams.get('initial'))).toEqual([null, 'true']);
  });

  it('says that the present state comes anew when it was cut off', async () => {
    const reasons: string[] = [];
    const { clock, streams, seen, cursors } = watching({ initial: true, onReload: (why) => reasons.push(why) });
    await clock.advance(0);
    streams[0]!.send('initial', change(1));
    await clock.advance(0);
    streams[0]!.cut();
    await clock.advance(1_000);
    streams[1]!.send('initial', change(2));
    streams[1]!.send('bookmark', { revision: 2 }, 'c2');
    await clock.advance(0);
    streams[1]!.cut();
    await clock.advance(1_000);
    expect([seen, cursors(), reasons]).toEqual([['initial 1', 'initial 2'], [null, null, 'c2'], ['cut-off']]);
  });

  it.each([
    ['compacted', { reason: 'compacted' }],
    ['epoch-changed', { reason: 'epoch-changed' }],
    ['cursor-gone', {}],
    ['cursor-gone', { reason: 'forbidden' }],
  ])('ends with %s when the service has refused the cursor with %j', async (code, more) => {
    const { clock, end } = watching({ cursor: 'c0' }, { 0: problem(410, 'cursor-gone', more) });
    await clock.advance(0);
    expect(end()).toMatchObject({ code, status: 410, message: 'cursor-gone' });
  });

  it.each([
    [400, 'invalid-request'],
    [401, 'credentials-revoked'],
    [403, 'not-allowed'],
  ])('ends with the refusal %d', async (status, code) => {
    const { clock, fetch, end } = watching({}, { 0: problem(status, code) });
    await clock.advance(60_000);
    expect([end(), fetch.sent.length]).toEqual([expect.objectContaining({ status, code }), 1]);
  });

  it('goes on after an error of a node', async () => {
    const { clock, streams, end } = watching({}, { 0: problem(500, 'internal'), 1: problem(503, 'draining') });
    await clock.advance(3_000);
    expect([streams.length, end()]).toEqual([1, undefined]);
  });

  it('takes the end forbidden for a matter of its credential twice', async () => {
    const { clock, streams, end } = watching();
    for (let n = 0; n < 3; n++) {
      await clock.advance(1_000);
      streams[n]!.send('bookmark', { revision: 1 }, 'c1');
      streams[n]!.send('end', { reason: 'forbidden', message: 'no' });
      await clock.advance(0);
      expect(end()).toEqual(n < 2 ? undefined : expect.objectContaining({ code: 'forbidden' }));
    }
  });

  it('ends as unreachable after an outage that is too long, with pauses that double', async () => {
    const at: number[] = [];
    const failing = Object.fromEntries(
      Array.from({ length: 20 }, (_, index) => [index, () => (at.push(clock.monotonic()), problem(503, 'draining')())]),
    );
    const { clock, end } = watching({ outageMs: 100_000 }, failing);
    await clock.advance(200_000);
    expect(end()).toMatchObject({ code: 'unreachable', retryable: true, cause: { code: 'draining' } });
    expect(at).toEqual([0, 1_000, 3_000, 7_000, 15_000, 31_000, 61_000, 91_000]);
    expect(clock.timers).toBe(0);
  });

  it('ends when the body aborts its signal, also if more has come already', async () => {
    const control = new AbortController();
    const body = () => Promise.resolve(control.abort());
    const cursor = storeCursor(memoryStore(), 'c');
    const { clock, streams, seen, end } = watching({ signal: control.signal, cursor }, {}, body);
    await clock.advance(0);
    const text = [2, 3].map((n) => `event: change\nid: c${n}\ndata: ${JSON.stringify(change(n))}\n\n`).join('');
    streams[0]!.raw(text);
    await clock.advance(0);
    expect([seen, end(), await cursor.load()]).toEqual([[2], 'done', 'c2']);
  });

  it('ends without an error when its signal aborts, and with one when the client is closed', async () => {
    const control = new AbortController();
    const aborted = watching({ signal: control.signal });
    const closed = watching();
    for (const { clock } of [aborted, closed]) await clock.advance(0);
    control.abort();
    closed.umbra.close();
    for (const { clock } of [aborted, closed]) await clock.advance(0);
    expect([aborted.end(), closed.end()]).toEqual(['done', expect.objectContaining({ code: 'closed' })]);
    expect([aborted, closed].map(({ streams, clock }) => [streams[0]!.isLeft, clock.timers])).toEqual([
      [true, 0],
      [true, 0],
    ]);
  });

  it('says an event that is not JSON, and goes on behind the last good one', async () => {
    const { clock, streams, cursors, seen } = watching({ cursor: 'c0' });
    await clock.advance(0);
    streams[0]!.raw('event: news\ndata: {}\n\n');
    streams[0]!.raw('event: change\nid: c1\ndata: {"kind"\n\n');
    await clock.advance(1_000);
    streams[1]!.send('change', change(1), 'c1');
    await clock.advance(0);
    expect([cursors(), seen]).toEqual([['c0', 'c0'], [1]]);
  });
});

describe('a kept cursor', () => {
  it('is saved when the body has returned, and with bookmarks', async () => {
    const store = memoryStore();
    await store.set('k', 'c0');
    let done: (() => void) | undefined;
    const body = () => new Promise<void>((resolve) => (done = resolve));
    const { clock, streams, cursors } = watching({ cursor: storeCursor(store, 'k') }, {}, body);
    await clock.advance(0);
    streams[0]!.send('change', change(1), 'c1');
    streams[0]!.send('bookmark', { revision: 2 }, 'c2');
    await clock.advance(0);
    expect([cursors(), store.texts.get('k')]).toEqual([['c0'], 'c0']);
    done!();
    await clock.advance(0);
    expect(store.texts.get('k')).toBe('c2');
  });

  it('stays where it was when the body fails', async () => {
    const store = memoryStore();
    const body = () => Promise.reject(new Error('handler'));
    const { clock, streams, end } = watching({ cursor: storeCursor(store, 'k') }, {}, body);
    await clock.advance(0);
    streams[0]!.send('change', change(1), 'c1');
    await clock.advance(0);
    expect([end(), store.texts.size, streams[0]!.isLeft]).toEqual([new Error('handler'), 0, true]);
  });
});

it.each([
  [{}, '/v1/watch', {}],
  [{ things: 'lamp-*' }, '/v1/watch', { thing: ['lamp-*'] }],
  [{ things: ['a', 'b'], shadows: null }, '/v1/watch', { thing: ['a', 'b'], shadow: ['.classic'] }],
  [{ things: 'a:b', shadows: [null, 'n*'] }, '/v1/things/a%3Ab/watch', { shadow: ['.classic', 'n*'] }],
  [
    { kinds: 'deleted', paths: ['/desired'], delta: true, real: true },
    '/v1/watch',
    { kind: ['deleted'], path: ['/desired'], delta: true, real: true },
  ],
] as const)('the filter %j is %s', (filter, path, query) => {
  const source = sourceOf(filter);
  const given = Object.entries(source.query).filter(([, value]) => value !== undefined && String(value) !== '');
  expect([source.path, Object.fromEntries(given)]).toEqual([path, query]);
});
