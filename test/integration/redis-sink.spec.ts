import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { redisKind } from '../../src/sinks/redis-streams.sink.js';
import type { CheckedSettings } from '../../src/sinks/sink-kind.js';
import { startRedis } from '../harness/redis.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';
import { changeOf, READING, sinkParts, sinkSuite, type Taken } from '../suites/sink.suite.js';

const kind = redisKind(['127.0.0.1']);
const checked = (given: Record<string, unknown>, filter = {}): CheckedSettings =>
  kind.check(given, { tenant: 'acme', sink: 'events', filter, before: null, now: 0 });

async function asked<T>(port: number, ask: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ port, host: '127.0.0.1' });
  try {
    return await ask(redis);
  } finally {
    redis.disconnect();
  }
}

/** The fields of everything that a stream has. */
const entries = (port: number, stream: string): Promise<Record<string, string>[]> =>
  asked(port, async (redis) => {
    const found = await redis.xrange(stream, '-', '+');
    return found.map(([, fields]) =>
      Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1] ?? '']] : []))),
    );
  });

sinkSuite('redis', async () => {
  const server = await startRedis();
  const settings = { server: `redis://127.0.0.1:${server.port}`, stream: 'events', cachePrefix: 'doc:' };
  return {
    ...server,
    open: (parts) => kind.open(checked(settings), parts),
    taken: async () =>
      (await entries(server.port, 'events')).map(({ event = '', id = '' }) => ({
        ...(JSON.parse(event) as Omit<Taken, 'id'>),
        id,
      })),
  };
});

describe('a Redis sink', () => {
  it('leaves a server that takes connections and says nothing', async () => {
    const taken: Socket[] = [];
    const silent = createServer((socket) => taken.push(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const server = `redis://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const sink = redisKind(['127.0.0.1'], 200).open(checked({ server }), sinkParts());
    await until('it tries again', () => taken.length > 1);
    expect(sink.health.ok).toBe(false);
    await sink.close();
    for (const socket of taken) socket.destroy();
    silent.close();
  });

  it('writes the cache only forward, whoever comes late, and keeps a deleted shadow known for its time', async () => {
    const server = await startRedis();
    const settings = checked({ server: `redis://127.0.0.1:${server.port}`, stream: 's', cachePrefix: 'doc:' });
    const [early, late] = [kind.open(settings, sinkParts()), kind.open(settings, sinkParts())];
    const cached = (): Promise<Record<string, string>> =>
      asked(server.port, (redis) => redis.hgetall('doc:acme/lamp/'));
    try {
      await early.deliver(changeOf(10, 'lamp'), READING);
      await late.deliver(changeOf(9, 'lamp'), READING);
      const { document = '', ...rest } = await cached();
      expect(rest).toEqual({ epoch: '0', revision: '10', version: '10' });
      expect(JSON.parse(document)).toMatchObject({ state: { reported: { n: 10 } }, version: 10 });
      await early.deliver(changeOf(12, 'lamp', null, true), READING);
      await late.deliver(changeOf(11, 'lamp'), READING);
      expect(await cached()).toEqual({ epoch: '0', revision: '12', version: '12' });
      expect(await asked(server.port, (redis) => redis.ttl('doc:acme/lamp/'))).toBeGreaterThan(86_000);
      await early.deliver(changeOf(13, 'lamp'), READING);
      expect(await cached()).toMatchObject({ revision: '13', document: expect.any(String) });
      expect(await asked(server.port, (redis) => redis.ttl('doc:acme/lamp/'))).toBe(-1);
      // A restored backup: its revisions begin again, and count all the same.
      const restored = { ...changeOf(5, 'lamp'), position: { cluster: 'c', epoch: 1, revision: 5 } };
      await late.deliver(restored, READING);
      await early.deliver(changeOf(14, 'lamp'), READING);
      expect(await cached()).toMatchObject({ epoch: '1', revision: '5' });
      // The stream has all of them, late ones too: its readers look at the revision.
      const revisions = (await entries(server.port, 's')).map(({ revision }) => revision);
      expect(revisions).toEqual(['10', '9', '12', '11', '13', '5', '14']);
    } finally {
      await Promise.all([early.close(), late.close()]);
      await server.stop();
    }
  });

  it('writes again only the document that Redis refuses, says which, and goes on with others', async () => {
    const server = await startRedis();
    const stored = checked({
      server: `redis://127.0.0.1:${server.port}`,
      database: 3,
      stream: 's',
      cachePrefix: 'doc:',
    });
    const sink = kind.open(stored, sinkParts());
    const other = kind.open({ ...stored, settings: { ...stored.settings, database: 99 } }, sinkParts());
    const ids = (database: number): Promise<string[]> =>
      asked(server.port, async (redis) => {
        await redis.select(database);
        return (await redis.xrange('s', '-', '+')).map(([, fields]) => fields[1] ?? '');
      });
    const atThree = <T>(ask: (redis: Redis) => Promise<T>): Promise<T> =>
      asked(server.port, async (redis) => {
        await redis.select(3);
        return ask(redis);
      });
    try {
      await atThree((redis) => redis.set('doc:acme/bad/', 'a text'));
      let isSafe = false;
      const bad = sink.deliver(changeOf(1, 'bad'), READING).then(() => (isSafe = true));
      await sink.deliver(changeOf(2, 'good'), READING);
      await until('it says which', () => sink.health.reason.includes('the document doc:acme/bad/: '));
      await sink.deliver(changeOf(3, 'good'), READING);
      expect([isSafe, sink.health.ok]).toEqual([false, false]);
      await atThree((redis) => redis.del('doc:acme/bad/'));
      await bad;
      await until('it is well', () => sink.health.ok);
      expect(await atThree((redis) => redis.hget('doc:acme/bad/', 'revision'))).toBe('1');
      expect(await ids(3)).toEqual(['acme/bad//1', 'acme/good//2', 'acme/good//3']);
      // A database that there is not: nothing is written into another one.
      void other.deliver(changeOf(4, 'lost'), READING);
      await until('it says so', () => other.health.reason.includes('database 99 cannot be selected'));
      expect(await ids(0)).toEqual([]);
    } finally {
      await Promise.all([sink.close(), other.close()]);
      await server.stop();
    }
  });

  it('leaves a connection on which nobody answers, and what comes late on it changes no document', async () => {
    const server = await startRedis();
    const proxy = await TcpProxy.start(server.port);
    const settings = { server: `redis://127.0.0.1:${proxy.port}`, stream: 's', cachePrefix: 'doc:' };
    const sink = redisKind(['127.0.0.1'], 300).open(checked(settings), sinkParts());
    try {
      await sink.deliver(changeOf(1, 'lamp'), READING);
      proxy.hold();
      await sink.deliver(changeOf(2, 'lamp'), READING);
      await sink.deliver(changeOf(3, 'lamp'), READING);
      proxy.release();
      const revisions = async (): Promise<string[]> =>
        (await entries(server.port, 's')).map(({ revision = '' }) => revision);
      await until('it comes late', async () => (await revisions()).at(-1) === '2');
      expect(new Set(await revisions())).toEqual(new Set(['1', '2', '3']));
      expect(await asked(server.port, (redis) => redis.hget('doc:acme/lamp/', 'revision'))).toBe('3');
    } finally {
      await sink.close();
      await proxy.stop();
      await server.stop();
    }
  });

  it('opens no server that this node does not allow', () => {
    const stored = checked({ server: 'redis://127.0.0.1:6379' });
    expect(() => redisKind(['10.0.0.1']).open(stored, sinkParts())).toThrow('127.0.0.1 is not among the servers');
  });

  it('has no cache that would miss changes', () => {
    const settings = { server: 'redis://127.0.0.1:6379', cachePrefix: 'doc:' };
    for (const filter of [{ kinds: ['updated'] }, { paths: ['/desired'] }, { delta: true }])
      expect(() => checked(settings, filter)).toThrow('needs every change of a shadow');
    expect(() => checked({ server: 'redis://10.0.0.1:6379' })).toThrow('10.0.0.1 is not among the servers');
  });
});
