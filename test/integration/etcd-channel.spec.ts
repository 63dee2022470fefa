import { constants } from 'node:http2';
import type { EtcdChannel } from '../../src/store/etcd/client/channel/etcd-channel.js';
import { frame, HEAD_BYTES } from '../../src/store/etcd/client/channel/grpc-message.js';
import { CONNECTION_LIMITS } from '../../src/store/etcd/client/channel/member-connection.js';
import { classify, isTokenRefused } from '../../src/store/etcd/client/etcd-error.js';
import { EtcdTokens } from '../../src/store/etcd/client/etcd-tokens.js';
import { answer, answerRaw, GrpcServer, refuse } from '../harness/grpc-server.js';
import { until } from '../harness/until.js';
import { AMPLE, closeChannels, failureOf, openChannel, PATH, QUESTION } from '../harness/etcd-channels.js';

afterEach(closeChannels);

describe('a channel to a server that answers as the test says', () => {
  let server: GrpcServer;
  beforeAll(async () => void (server = await GrpcServer.start()));
  afterAll(() => server.stop());

  it('asks with the headers of gRPC and hands out the message of the answer', async () => {
    let seen: Record<string, unknown> = {};
    server.handler = async (stream, headers, body) => {
      seen = { ...headers, body: String((await body).subarray(HEAD_BYTES)) };
      answer(stream, Buffer.from('answer'));
    };
    expect(String(await openChannel(server.endpoint).unary(PATH, QUESTION, 1_500))).toBe('answer');
    expect(seen).toMatchObject({ ':method': 'POST', ':path': PATH, hasleader: 'true', te: 'trailers' });
    expect(seen).toMatchObject({ 'content-type': 'application/grpc', body: 'question' });
    expect(seen['grpc-timeout']).toMatch(/^1?\d{3}m$/);
    expect(seen).not.toHaveProperty('token');
  });

  it('puts an answer together that comes in pieces, however large', async () => {
    const large = Buffer.alloc(20 * 1024 * 1024, 'x');
    server.handler = (stream) => {
      const whole = frame(large);
      answerRaw(stream, [whole.subarray(0, 3), whole.subarray(3, 7), whole.subarray(7)], { 'grpc-status': '0' });
    };
    expect((await openChannel(server.endpoint).unary(PATH, QUESTION, AMPLE)).equals(large)).toBe(true);
  });

  it.each([
    [14, 'etcdserver: no leader', 'not-applied'],
    [14, 'etcdserver: leader changed', 'in-doubt'],
    [14, 'etcdserver: request timed out', 'in-doubt'],
    [8, 'etcdserver: mvcc: database space exceeded', 'storage-full'],
    [8, 'grpc: received message larger than max (3 vs. 2)', 'too-large'],
    [3, 'etcdserver: too many operations in txn request', 'too-large'],
    [3, 'etcdserver: duplicate key given in txn request', 'refused'],
    [5, 'etcdserver: requested lease not found', 'lease-gone'],
    [7, 'etcdserver: permission denied', 'refused'],
    [11, 'etcdserver: mvcc: required revision has been compacted', 'refused'],
    [2, 'context deadline exceeded', 'in-doubt'],
    [16, 'etcdserver: invalid auth token', 'not-applied'],
    [99, 'a code of the future with 100 % ünusual text', 'in-doubt'],
  ])('sorts status %i, %s, as the library does: %s', async (code, details, fault) => {
    const channel = openChannel(server.endpoint);
    server.handler = (stream) => refuse(stream, code, details);
    const inHeaders = await failureOf(channel.unary(PATH, QUESTION, AMPLE));
    expect(inHeaders).toEqual({ fault, text: expect.stringContaining(details) });
    server.handler = (stream) => {
      answerRaw(stream, [], { 'grpc-status': String(code), 'grpc-message': encodeURIComponent(details) });
    };
    expect(await failureOf(channel.unary(PATH, QUESTION, AMPLE))).toEqual(inHeaders);
    expect(server.sessions.length).toBeGreaterThan(0);
  });

  const half = frame(Buffer.from('answer')).subarray(0, 8);
  const compressed = Buffer.concat([Buffer.from([1]), frame(Buffer.from('answer')).subarray(1)]);
  const ok = { 'grpc-status': '0' };
  it.each([
    ['has no message', [], ok],
    ['has half a message', [half], ok],
    ['has two messages', [frame(Buffer.from('a')), frame(Buffer.from('b'))], ok],
    ['is compressed', [compressed], ok],
    ['claims 4 GiB', [Buffer.from([0, 255, 255, 255, 255, 1])], ok],
    ['ends without a status', [frame(Buffer.from('answer'))], null],
    ['has a status that is no number', [frame(Buffer.from('answer'))], { 'grpc-status': 'fine' }],
  ])('is in doubt after an answer that %s', async (_, parts, trailers) => {
    server.handler = (stream) => answerRaw(stream, parts, trailers);
    expect((await failureOf(openChannel(server.endpoint).unary(PATH, QUESTION, AMPLE))).fault).toBe('in-doubt');
  });

  it.each([401, 403, 404, 429, 503])('is in doubt after HTTP status %i of something in between', async (status) => {
    server.handler = (stream) => {
      stream.respond({ ':status': status });
      stream.end('<html>');
    };
    const { fault, text } = await failureOf(openChannel(server.endpoint).unary(PATH, QUESTION, AMPLE));
    expect([fault, text]).toEqual(['in-doubt', expect.stringContaining(`HTTP status ${status}`)]);
  });

  it.each([
    ['a reset', constants.NGHTTP2_INTERNAL_ERROR],
    ['a refused stream', constants.NGHTTP2_REFUSED_STREAM],
    ['a cancel', constants.NGHTTP2_CANCEL],
  ])('is in doubt after %s', async (_, code) => {
    server.handler = (stream) => stream.close(code);
    expect((await failureOf(openChannel(server.endpoint).unary(PATH, QUESTION, AMPLE))).fault).toBe('in-doubt');
  });

  it.each([constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_ENHANCE_YOUR_CALM])(
    'opens another connection after a goodbye with code %i, and loses no answer that still comes',
    async (code) => {
      const channel = openChannel(server.endpoint);
      server.handler = async (stream, _, body) => {
        await body;
        stream.session?.goaway(code);
        setImmediate(() => answer(stream, Buffer.from('late')));
      };
      const before = server.sessions.length;
      const first = await channel.unary(PATH, QUESTION, AMPLE).then(String, classify);
      expect(first).toBe(code === constants.NGHTTP2_NO_ERROR ? 'late' : 'in-doubt');
      server.handler = (stream) => answer(stream, Buffer.from('again'));
      expect(String(await channel.unary(PATH, QUESTION, AMPLE))).toBe('again');
      expect(server.sessions.length).toBe(before + 2);
    },
  );

  it('is in doubt at its deadline, tells the server, and keeps the connection for others', async () => {
    const channel = openChannel(server.endpoint);
    const closed: number[] = [];
    server.handler = (stream) => stream.on('close', () => closed.push(stream.rstCode));
    const { fault, text } = await failureOf(channel.unary(PATH, QUESTION, 50));
    expect([fault, text]).toEqual(['in-doubt', expect.stringContaining('Deadline exceeded')]);
    await until('the server knows', () => closed.length > 0);
    expect(closed).toEqual([constants.NGHTTP2_CANCEL]);
    const before = server.sessions.length;
    server.handler = (stream) => answer(stream, Buffer.from('again'));
    expect(String(await channel.unary(PATH, QUESTION, AMPLE))).toBe('again');
    expect(server.sessions.length).toBe(before);
  });

  it('asks no sooner again whether the line lives, whoever asks: etcd ends a connection for that', async () => {
    const limits = { ...CONNECTION_LIMITS, keepAliveMs: 20, suspectMs: 60_000 };
    const channel = openChannel(server.endpoint, { limits });
    let pings = 0;
    server.handler = (stream) => {
      if (stream.session?.listenerCount('ping') === 0) stream.session.on('ping', () => pings++);
    };
    for (let i = 0; i < 5; i++) {
      expect((await failureOf(channel.unary(PATH, QUESTION, 50))).text).toContain('Deadline exceeded');
    }
    await until('it has asked', () => pings > 0);
    expect(pings).toBe(1);
  });

  it('does not end what it has not sent as in doubt when it is closed', async () => {
    const channel = openChannel(server.endpoint);
    server.handler = () => undefined;
    const waiting = failureOf(channel.unary(PATH, QUESTION, AMPLE));
    channel.close();
    expect((await waiting).fault).toBe('not-applied');
    expect((await failureOf(channel.unary(PATH, QUESTION, AMPLE))).fault).toBe('not-applied');
  });

  it('is in doubt about what it has sent when it is closed', async () => {
    const channel = openChannel(server.endpoint);
    let asked = false;
    server.handler = () => void (asked = true);
    const sent = failureOf(channel.unary(PATH, QUESTION, AMPLE));
    await until('it is sent', () => asked);
    channel.close();
    expect((await sent).fault).toBe('in-doubt');
  });

  it('ends what is under way when it is closed, also on a connection that takes no more calls', async () => {
    const channel = openChannel(server.endpoint);
    let asked = false;
    server.handler = () => void (asked = true);
    const sent = failureOf(channel.unary(PATH, QUESTION, AMPLE));
    await until('it is sent', () => asked);
    server.handler = (stream) => {
      stream.session?.goaway(constants.NGHTTP2_NO_ERROR);
      setImmediate(() => answer(stream, Buffer.from('goodbye')));
    };
    expect(String(await channel.unary(PATH, QUESTION, AMPLE))).toBe('goodbye');
    channel.close();
    expect(await sent).toEqual({ fault: 'in-doubt', text: expect.stringContaining('Connection dropped') });
  });

  it('opens another connection before the streams of one are used up, and breaks no call off', async () => {
    const channel = openChannel(server.endpoint, { limits: { ...CONNECTION_LIMITS, maxCalls: 3 } });
    server.handler = (stream) => setTimeout(() => answer(stream, Buffer.from('answer')), 20);
    const before = server.sessions.length;
    for (let i = 0; i < 4; i++) {
      // The first one connects; the others are begun while the connection is there.
      const first = await channel.unary(PATH, QUESTION, AMPLE);
      const more = await Promise.all([1, 2].map(() => channel.unary(PATH, QUESTION, AMPLE)));
      expect([first, ...more].map(String)).toEqual(['answer', 'answer', 'answer']);
    }
    expect(server.sessions.length).toBe(before + 4);
    await until('the old ones are closed', () => server.sessions.slice(before).every(({ destroyed }) => destroyed));
  });

  it('carries the token of the user, and gets a new one after a refusal', async () => {
    let asked = 0;
    const tokens = new EtcdTokens(async () => `token-${++asked}`, AMPLE);
    const channel = openChannel(server.endpoint, { tokens });
    server.handler = (stream, { token }) => {
      if (token === 'token-1') refuse(stream, 16, 'etcdserver: invalid auth token');
      else answer(stream, Buffer.from(String(token)));
    };
    const error: unknown = await channel.unary(PATH, QUESTION, AMPLE).catch((reason: unknown) => reason);
    expect(isTokenRefused(error)).toBe(true);
    expect(String(await channel.unary(PATH, QUESTION, AMPLE))).toBe('token-2');
    expect(String(await channel.unary(PATH, QUESTION, AMPLE))).toBe('token-2');
  });

  it('has not sent a call for which there is no token', async () => {
    const tokens = new EtcdTokens(() => Promise.reject(new Error('no leader')), AMPLE);
    const { fault, text } = await failureOf(openChannel(server.endpoint, { tokens }).unary(PATH, QUESTION, AMPLE));
    expect([fault, text]).toEqual(['not-applied', expect.stringContaining('no leader')]);
  });

  describe('with a stream', () => {
    const follow = (channel: EtcdChannel) => {
      const messages: string[] = [];
      const ends: Error[] = [];
      const stream = channel.stream('/etcdserverpb.Watch/Watch', {
        onMessage: (message) => void messages.push(String(message)),
        onEnd: (error) => void ends.push(error),
      });
      return { stream, messages, ends };
    };

    it('cuts messages out of whatever pieces they come in, and sends what waited for the connection', async () => {
      const texts = Array.from({ length: 50 }, (_, i) => `${i}-`.repeat(1 + (i % 7) * 3_000));
      server.handler = (stream) => {
        stream.respond({ ':status': 200 }, { waitForTrailers: true });
        stream.once('data', () => {
          const bytes = Buffer.concat(texts.map((text) => frame(Buffer.from(text))));
          for (let at = 0; at < bytes.length; at += 777) stream.write(bytes.subarray(at, at + 777));
        });
      };
      const { stream, messages, ends } = follow(openChannel(server.endpoint));
      stream.write(QUESTION);
      await until('all messages', () => messages.length === texts.length);
      expect(messages).toEqual(texts);
      stream.cancel();
      await new Promise((resolve) => setImmediate(resolve));
      expect(ends).toEqual([]);
    });

    it('leaves at the server what it does not take', async () => {
      let sent = 0;
      server.handler = (stream) => {
        stream.respond({ ':status': 200 });
        const chunk = frame(Buffer.alloc(256 * 1024));
        const more = (): void => {
          for (let takes = true; takes && !stream.destroyed && sent < 400; sent++) takes = stream.write(chunk);
        };
        stream.on('drain', more);
        more();
      };
      const { stream, messages } = follow(openChannel(server.endpoint));
      stream.pause();
      let last = -1;
      await until('the server stands still', async () => {
        const before = last;
        last = sent;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return sent > 0 && before === sent;
      });
      // Windows and buffers: far below the 100 MB that the server has.
      expect(sent).toBeLessThan(150);
      expect(messages.length).toBe(0);
      stream.resume();
      await until('all of it', () => messages.length >= 400);
      stream.cancel();
    });

    it.each([
      ['in order', 'the stream ended'],
      ['with a status', 'no leader'],
      ['with a reset', 'dropped'],
      ['with nonsense', 'compressed'],
    ])('ends once when the server ends it %s', async (how, text) => {
      server.handler = (stream) => {
        if (how === 'in order') answerRaw(stream, [], { 'grpc-status': '0' });
        else if (how === 'with a status') refuse(stream, 14, 'etcdserver: no leader');
        else if (how === 'with a reset') stream.close(constants.NGHTTP2_INTERNAL_ERROR);
        else answerRaw(stream, [Buffer.from([7, 0, 0, 0, 1, 1])], { 'grpc-status': '0' });
      };
      const { ends, stream } = follow(openChannel(server.endpoint));
      stream.write(QUESTION);
      await until('the end', () => ends.length > 0);
      expect(ends).toHaveLength(1);
      expect(String(ends[0])).toContain(text);
      stream.write(QUESTION);
      stream.cancel();
    });

    it('ends with what its reader throws', async () => {
      server.handler = (stream) => answer(stream, Buffer.from('x'));
      const ends: Error[] = [];
      openChannel(server.endpoint).stream('/x', {
        onMessage: () => {
          throw new Error('cannot read that');
        },
        onEnd: (error) => void ends.push(error),
      });
      await until('the end', () => ends.length > 0);
      expect(ends.map(String)).toEqual(['Error: cannot read that']);
    });

    it('ends when its channel is closed, also before it was opened', async () => {
      server.handler = () => undefined;
      const channel = openChannel(server.endpoint);
      const { ends } = follow(channel);
      channel.close();
      await until('the end', () => ends.length > 0);
      const late = follow(channel);
      expect(late.ends).toEqual([]);
      await until('the end', () => late.ends.length > 0);
    });
  });
});
