import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { Redis } from 'ioredis';
import { consume, readCache, type ConsumeOptions, type ShadowEntry, type Trimmed } from '../../src/sdk/redis/index.js';
import type { UmbraError } from '../../src/sdk/umbra-error.js';
import { redisKind } from '../../src/sinks/redis-streams.sink.js';
import type { OpenSink } from '../../src/sinks/sink-kind.js';
import { startRedis, type RedisServer } from '../harness/redis.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';
import { changeOf, READING, sinkParts } from '../suites/sink.suite.js';

const GROUP = 'workers';
const IDLE_MS = 500;

let server: RedisServer;
let redis: Redis;
let folder: string;
const children = new Set<ChildProcess>();
const sinks: OpenSink[] = [];

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis({ host: '127.0.0.1', port: server.port });
  redis.on('error', () => undefined);
  folder = await mkdtemp(join(tmpdir(), 'umbra-consumers-'));
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(sinks.map((sink) => sink.close()));
  redis.disconnect();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});
afterEach(() => redis.flushall());

/** The real sink of a stream, so that consumers read what it writes. */
function sinkOf(stream: string, more: object = {}): OpenSink {
  const kind = redisKind(['127.0.0.1']);
  const settings = { server: `redis://127.0.0.1:${server.port}`, stream, ...more };
  const checked = kind.check(settings, { tenant: 'acme', sink: 'events', filter: {}, before: null, now: 0 });
  const sink = kind.open(checked, sinkParts());
  sinks.push(sink);
  return sink;
}

const write = (sink: OpenSink, thing: string, ...revisions: number[]): Promise<unknown> =>
  Promise.all(revisions.map((revision) => sink.deliver(changeOf(revision, thing), READING)));

const pending = async (stream: string): Promise<number> => Number((await redis.xpending(stream, GROUP))[0]);

/** Fields of the dead letters by the thing. */
async function deadLetters(stream: string): Promise<Record<string, Record<string, string>>> {
  const found = await redis.xrange(`${stream}:dead`, '-', '+');
  const letters = found.map(([, fields]) =>
    Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1]!]] : []))),
  );
  return Object.fromEntries(letters.map((letter) => [letter['thing'] ?? '', letter]));
}

/** A consumer of this process. What it has handled is in `seen`, and it ends with `end()`. */
function consuming(stream: string, more: Partial<ConsumeOptions> = {}) {
  const control = new AbortController();
  const seen: string[] = [];
  const done = consume({
    ...{ redis, stream, group: GROUP, consumer: 'one', claimIdleMs: IDLE_MS, retryMs: 5, signal: control.signal },
    handle: ({ thing, revision }, { isLate }) => seen.push(`${thing} ${revision}${isLate ? ' late' : ''}`),
    ...more,
  });
  done.catch(() => undefined);
  const end = (): typeof done => (control.abort(), done);
  return { seen, done, end };
}

describe('consumers of a Redis stream', () => {
  it('lose nothing when they are killed, and put aside what kills them and what never succeeds', async () => {
    const program = join(folder, 'consumer.mjs');
    await build({
      ...{ entryPoints: ['test/harness/redis-consumer.ts'], outfile: program, bundle: true, platform: 'node' },
      ...{ format: 'esm', logLevel: 'error' },
      banner: { js: `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);` },
    });
    let names = 0;
    let isOver = false;
    const start = (): void => {
      const args = [program, String(server.port), 'events', `consumer-${(names += 1)}`, String(IDLE_MS)];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      children.add(child);
      child.once('exit', () => {
        children.delete(child);
        if (!isOver) start();
      });
    };
    const sink = sinkOf('events');
    const things = Array.from({ length: 8 }, (_, i) => `lamp-${i}`);
    for (let i = 0; i < 3; i++) start();
    const wanted: string[] = [];
    for (let step = 0; step < 60; step++) {
      await Promise.all(things.map((thing, i) => write(sink, thing, step * 10 + i + 1)));
      wanted.push(...things.map((thing, i) => `${thing} ${step * 10 + i + 1}`));
      if (step === 10) await Promise.all([write(sink, 'poison', 1_001), write(sink, 'bad', 1_002)]);
      if (step % 15 !== 14) continue;
      const before = await redis.llen('handled');
      await until('the work goes on', async () => (await redis.llen('handled')) > before);
      [...children][step % 3]?.kill('SIGKILL');
    }
    type Handled = { consumer: string; thing: string; revision: number; isLate: boolean };
    const handled = async (): Promise<Handled[]> =>
      (await redis.lrange('handled', 0, -1)).map((text) => JSON.parse(text) as Handled);
    await until('all is handled', async () => new Set((await handled()).map(nameOf)).size >= wanted.length);
    await until('both are put aside', async () => Object.keys(await deadLetters('events')).length === 2);
    await until('nothing is pending', async () => (await pending('events')) === 0);
    const all = await handled();
    expect(new Set(all.map(nameOf))).toEqual(new Set(wanted));
    // At most what was at work in one of the killed, 5 shadows each, was handled twice.
    expect(all.length - wanted.length).toBeLessThanOrEqual(5 * (names - 3));
    expect(await deadLetters('events')).toEqual({
      poison: expect.objectContaining({ deadTries: '3', deadReason: 'its consumers ended during the work' }),
      bad: expect.objectContaining({ deadTries: '3', deadReason: 'never, not even at try 3', deadGroup: GROUP }),
    });
    isOver = true;
    const [child] = children;
    const left = once(child!, 'exit');
    child!.kill('SIGTERM');
    expect(await left).toEqual([0, null]);
    for (const other of children) other.kill('SIGKILL');
  });

  it('take what a dead consumer left when it has been idle for so long, and acknowledge repetitions without work', async () => {
    const sink = sinkOf('s');
    await write(sink, 'lamp', 1, 2);
    await redis.xgroup('CREATE', 's', GROUP, '0');
    await redis.xreadgroup('GROUP', GROUP, 'dead', 'COUNT', 1, 'STREAMS', 's', '>');
    const { seen, end } = consuming('s');
    await until('the rest is handled', () => seen.length === 1);
    expect([seen, await pending('s')]).toEqual([['lamp 2'], 1]);
    await until('it is claimed', async () => (await pending('s')) === 0);
    // A consumer group promises no order between its consumers, so the first is told to be late.
    expect(seen).toEqual(['lamp 2', 'lamp 1 late']);
    await write(sink, 'lamp', 1, 2, 3, 2);
    await until('the new one is handled', async () => seen.length === 3 && (await pending('s')) === 0);
    expect(seen.at(-1)).toBe('lamp 3');
    expect(await end()).toEqual({ handled: 3, repeated: 3, dead: 0, left: 0 });
    // The marks hold over consumers.
    const other = consuming('s', { consumer: 'two' });
    await write(sink, 'lamp', 3, 4);
    await until('it is handled', () => other.seen.length === 1);
    expect([other.seen, (await other.end()).repeated]).toEqual([['lamp 4'], 1]);
    const [consumers] = [await redis.call('XINFO', 'CONSUMERS', 's', GROUP)];
    expect((consumers as string[][]).map(([, name]) => name)).toEqual(['dead']);
  });

  it('tell what was trimmed before the group has read it, or after a consumer got it, and go on', async () => {
    const sink = sinkOf('s');
    await write(sink, 'lamp', 1, 2, 3, 4, 5);
    const first = consuming('s');
    await until('all is handled', () => first.seen.length === 5);
    await first.end();
    await write(sink, 'lamp', 6, 7, 8, 9);
    await redis.xreadgroup('GROUP', GROUP, 'dead', 'COUNT', 1, 'STREAMS', 's', '>');
    const silent = consuming('s', { claimIdleMs: 60_000 });
    await until('they are handled', () => silent.seen.length === 3);
    await silent.end();
    await write(sink, 'lamp', 10, 11, 12, 13);
    await redis.xtrim('s', 'MAXLEN', 1);
    // Nobody listens: it ends, whenever it is started again.
    for (const consumer of ['one', 'two'])
      await expect(consuming('s', { consumer, claimIdleMs: 60_000 }).done).rejects.toMatchObject({
        code: 'trimmed',
        message: expect.stringContaining('3 changes were lost'),
      });
    const told: Trimmed[] = [];
    const { seen, end } = consuming('s', { on: { trimmed: (lost) => void told.push(lost) } });
    await until('both are told', () => told.length === 2);
    expect(told).toEqual([
      { entries: 3, where: 'unread' },
      { entries: 1, where: 'pending' },
    ]);
    await write(sink, 'lamp', 14);
    await until('it goes on', () => seen.length === 2);
    await redis.del('s');
    await until('that is told', () => told.length === 3);
    await write(sink, 'lamp', 15);
    await until('it goes on', () => seen.length === 3);
    expect([told[2], seen]).toEqual([{ entries: null, where: 'group' }, ['lamp 13', 'lamp 14', 'lamp 15']]);
    expect(await pending('s')).toBe(0);
    await end();
    expect(told.length).toBe(3);
  });

  it('keep the order of a shadow, put aside what is no change, and count no failure of another system', async () => {
    const sink = sinkOf('s');
    await redis.xadd('s', '*', 'a', 'b');
    await write(sink, 'lamp', 1, 2, 3);
    const seen: string[] = [];
    let refused = 0;
    const { end } = consuming('s', {
      maxTries: 2,
      handle: ({ thing, revision }, { tries }) => {
        // More often than it may fail by itself.
        if (revision === 2 && (refused += 1) < 5) throw Object.assign(new Error('away'), { retryable: true });
        seen.push(`${thing} ${revision} ${tries}`);
      },
    });
    await until('all is handled', () => seen.length === 3);
    expect(seen).toEqual(['lamp 1 1', 'lamp 2 1', 'lamp 3 1']);
    expect(await end()).toMatchObject({ handled: 3, dead: 1 });
    // Dead letters are read as the stream is.
    const letters = await deadLetters('s');
    expect(letters['']).toMatchObject({ a: 'b', deadReason: 'it is not a change that a sink has written' });
  });

  it('finish what they have begun when they end, and leave the rest to others at once', async () => {
    const sink = sinkOf('s');
    await write(sink, 'lamp', 1, 2, 3);
    let go = (): void => undefined;
    const begun = new Promise<void>((resolve) => (go = resolve));
    let finish = (): void => undefined;
    const first = consuming('s', {
      handle: async () => {
        go();
        await new Promise<void>((resolve) => (finish = resolve));
      },
    });
    await begun;
    const report = first.end();
    finish();
    expect(await report).toEqual({ handled: 1, repeated: 0, dead: 0, left: 2 });
    // It is back with its name, and need not wait until they are idle.
    const again = consuming('s', { claimIdleMs: 60_000 });
    await until('the rest is handled', () => again.seen.length === 2);
    expect([again.seen, (await again.end()).handled]).toEqual([['lamp 2', 'lamp 3'], 2]);
    // A handler that does not heed its signal delays the end no longer than it may.
    await write(sink, 'lamp', 4);
    let isBegun = false;
    let why: unknown;
    const stuck = consuming('s', {
      drainMs: 50,
      handle: (_, { signal }) => {
        isBegun = true;
        signal.addEventListener('abort', () => (why = signal.reason));
        return new Promise(() => undefined);
      },
    });
    await until('it is at work', () => isBegun);
    expect([(await stuck.end()).left, (why as UmbraError).message]).toEqual([
      1,
      expect.stringContaining('the time to finish is over'),
    ]);
  });

  it('outlive a Redis that is away, cut off or silent, and end with a name when that takes too long', async () => {
    const sink = sinkOf('s');
    const proxy = await TcpProxy.start(server.port);
    const through = new Redis({ host: '127.0.0.1', port: proxy.port });
    through.on('error', () => undefined);
    const troubles: (string | undefined)[] = [];
    const trouble = (error: UmbraError | null): void => void troubles.push(error?.code);
    const { seen, end } = consuming('s', { ...{ redis: through, answerMs: 300, claimIdleMs: 500 }, on: { trouble } });
    try {
      await write(sink, 'lamp', 1);
      await until('the change 1 is handled', () => seen.length === 1);
      proxy.hold();
      await write(sink, 'lamp', 2);
      // It may have recovered by the next look.
      await until('it was troubled', () => troubles.some((code) => code !== undefined));
      proxy.release();
      await until('the change 2 is handled', () => seen.length === 2);
      await server.kill9();
      await server.start();
      await write(sink, 'lamp', 3);
      await until('the change 3 is handled', () => seen.length === 3);
      expect(await end()).toMatchObject({ handled: 3, left: 0 });
      proxy.set('blackhole');
      const lost = consuming('s', { redis: through, answerMs: 100, outageMs: 600 });
      await expect(lost.done).rejects.toMatchObject({ code: 'unreachable', retryable: true });
    } finally {
      through.disconnect();
      await proxy.stop();
    }
  });

  it('read documents near them, and from the service when Redis has none or is behind', async () => {
    const sink = sinkOf('s', { cachePrefix: 'doc:' });
    await write(sink, 'lamp', 5);
    const asked: [reason: string, thing: string][] = [];
    const cache = readCache({
      ...{ redis, prefix: 'doc:', tenant: 'acme' },
      fallback: () => Promise.resolve(null),
      onFallback: (reason, thing) => void asked.push([reason, thing]),
    });
    expect(await cache.get('lamp', null, { minRevision: 5 })).toMatchObject({
      ...{ thing: 'lamp', shadow: null, reported: { n: 5 }, delta: null, version: 5, revision: 5 },
    });
    await cache.get('lamp', null, { minRevision: 6 });
    await cache.get('lamp', 'settings');
    await sink.deliver(changeOf(6, 'lamp', null, true), READING);
    expect(await cache.get('lamp')).toBeNull();
    expect(asked).toEqual([
      ['older', 'lamp'],
      ['absent', 'lamp'],
    ]);
  });
});

const nameOf = ({ thing, revision }: Pick<ShadowEntry, 'thing' | 'revision'>): string => `${thing} ${revision}`;
