import { constants } from 'node:http2';
import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { EtcdChannel } from '../../src/store/etcd/client/channel/etcd-channel.js';
import { frame, HEAD_BYTES } from '../../src/store/etcd/client/channel/grpc-message.js';
import { CONNECTION_LIMITS } from '../../src/store/etcd/client/channel/member-connection.js';
import { classify, isTokenRefused } from '../../src/store/etcd/client/etcd-error.js';
import { EtcdTokens } from '../../src/store/etcd/client/etcd-tokens.js';
import { createAuthority, type Authority } from '../harness/certificates.js';
import { decodeMessage, encodeMessage } from '../harness/etcd-messages.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { answer, answerRaw, GrpcServer, refuse } from '../harness/grpc-server.js';
import { freePort } from '../harness/ports.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';

const PATH = '/etcdserverpb.KV/Range';
const QUESTION = frame(Buffer.from('question'));
/** Milliseconds that no call of these tests takes. */
const AMPLE = 30_000;

const channels: EtcdChannel[] = [];
function open(host: string, options: Partial<ConstructorParameters<typeof EtcdChannel>[0]> = {}): EtcdChannel {
  const channel = new EtcdChannel({ host, credentials: {}, tokens: null, ...options });
  channels.push(channel);
  return channel;
}
afterEach(() => channels.splice(0).forEach((channel) => channel.close()));

/** The error of a call that must fail, with what `classify` makes of it. */
async function failure(call: Promise<unknown>): Promise<{ fault: string; text: string }> {
  const error: unknown = await call.then(
    () => new Error('it was answered'),
    (reason: unknown) => reason,
  );
  return { fault: classify(error), text: String(error) };
}

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
    expect(String(await open(server.endpoint).unary(PATH, QUESTION, 1_500))).toBe('answer');
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
    expect((await open(server.endpoint).unary(PATH, QUESTION, AMPLE)).equals(large)).toBe(true);
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
    const channel = open(server.endpoint);
    server.handler = (stream) => refuse(stream, code, details);
    const inHeaders = await failure(channel.unary(PATH, QUESTION, AMPLE));
    expect(inHeaders).toEqual({ fault, text: expect.stringContaining(details) });
    server.handler = (stream) => {
      answerRaw(stream, [], { 'grpc-status': String(code), 'grpc-message': encodeURIComponent(details) });
    };
    expect(await failure(channel.unary(PATH, QUESTION, AMPLE))).toEqual(inHeaders);
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
    expect((await failure(open(server.endpoint).unary(PATH, QUESTION, AMPLE))).fault).toBe('in-doubt');
  });

  it.each([401, 403, 404, 429, 503])('is in doubt after HTTP status %i of something in between', async (status) => {
    server.handler = (stream) => {
      stream.respond({ ':status': status });
      stream.end('<html>');
    };
    const { fault, text } = await failure(open(server.endpoint).unary(PATH, QUESTION, AMPLE));
    expect([fault, text]).toEqual(['in-doubt', expect.stringContaining(`HTTP status ${status}`)]);
  });

  it.each([
    ['a reset', constants.NGHTTP2_INTERNAL_ERROR],
    ['a refused stream', constants.NGHTTP2_REFUSED_STREAM],
    ['a cancel', constants.NGHTTP2_CANCEL],
  ])('is in doubt after %s', async (_, code) => {
    server.handler = (stream) => stream.close(code);
    expect((await failure(open(server.endpoint).unary(PATH, QUESTION, AMPLE))).fault).toBe('in-doubt');
  });

  it.each([constants.NGHTTP2_NO_ERROR, constants.NGHTTP2_ENHANCE_YOUR_CALM])(
    'opens another connection after a goodbye with code %i, and loses no answer that still comes',
    async (code) => {
      const channel = open(server.endpoint);
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
    const channel = open(server.endpoint);
    const closed: number[] = [];
    server.handler = (stream) => stream.on('close', () => closed.push(stream.rstCode));
    const { fault, text } = await failure(channel.unary(PATH, QUESTION, 50));
    expect([fault, text]).toEqual(['in-doubt', expect.stringContaining('Deadline exceeded')]);
    await until('the server knows', () => closed.length > 0);
    expect(closed).toEqual([constants.NGHTTP2_CANCEL]);
    const before = server.sessions.length;
    server.handler = (stream) => answer(stream, Buffer.from('again'));
    expect(String(await channel.unary(PATH, QUESTION, AMPLE))).toBe('again');
    expect(server.sessions.length).toBe(before);
  });

  it('does not end what it has not sent as in doubt when it is closed', async () => {
    const channel = open(server.endpoint);
    server.handler = () => undefined;
    const waiting = failure(channel.unary(PATH, QUESTION, AMPLE));
    channel.close();
    expect((await waiting).fault).toBe('not-applied');
    expect((await failure(channel.unary(PATH, QUESTION, AMPLE))).fault).toBe('not-applied');
  });

  it('is in doubt about what it has sent when it is closed', async () => {
    const channel = open(server.endpoint);
    let asked = false;
    server.handler = () => void (asked = true);
    const sent = failure(channel.unary(PATH, QUESTION, AMPLE));
    await until('it is sent', () => asked);
    channel.close();
    expect((await sent).fault).toBe('in-doubt');
  });

  it('opens another connection before the streams of one are used up, and breaks no call off', async () => {
    const channel = open(server.endpoint, { limits: { ...CONNECTION_LIMITS, maxCalls: 3 } });
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
    const channel = open(server.endpoint, { tokens });
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
    const { fault, text } = await failure(open(server.endpoint, { tokens }).unary(PATH, QUESTION, AMPLE));
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
      const { stream, messages, ends } = follow(open(server.endpoint));
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
      const { stream, messages } = follow(open(server.endpoint));
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
      const { ends, stream } = follow(open(server.endpoint));
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
      open(server.endpoint).stream('/x', {
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
      const channel = open(server.endpoint);
      const { ends } = follow(channel);
      channel.close();
      await until('the end', () => ends.length > 0);
      const late = follow(channel);
      expect(late.ends).toEqual([]);
      await until('the end', () => late.ends.length > 0);
    });
  });
});

describe('a channel over a bad line', () => {
  let server: EtcdServer;
  let proxy: TcpProxy;
  const limits = { ...CONNECTION_LIMITS, connectMs: 300, keepAliveMs: 100, suspectMs: 50, pongMs: 200 };
  const question = frame(encodeMessage('RangeRequest', { key: Buffer.from('key') }));
  // The times of these tests are far below what etcd allows otherwise.
  beforeAll(async () => void (server = await startEtcd({ args: ['--grpc-keepalive-min-time', '10ms'] })));
  afterAll(() => server.stop());
  beforeEach(async () => void (proxy = await TcpProxy.start(server.port)));
  afterEach(() => proxy.stop());

  const ask = async (channel: EtcdChannel, timeoutMs = AMPLE): Promise<string> => {
    const answered = decodeMessage('RangeResponse', await channel.unary(PATH, question, timeoutMs));
    return String((answered.header as { revision?: string }).revision);
  };

  it('asks etcd over one connection', async () => {
    const channel = open(proxy.endpoint);
    const { header } = await server.client.kv.range({ key: Buffer.from('key') });
    expect(await Promise.all(Array.from({ length: 20 }, () => ask(channel)))).toEqual(
      Array.from({ length: 20 }, () => header.revision),
    );
    expect(proxy.connections).toBe(1);
  });

  it('has sent nothing while nobody listens, and connects as soon as somebody does', async () => {
    const port = await freePort();
    const channel = open(`http://127.0.0.1:${port}`);
    const { fault, text } = await failure(ask(channel));
    expect([fault, text]).toEqual(['not-applied', expect.stringContaining('ECONNREFUSED')]);
    const late = await TcpProxy.start(server.port);
    const other = open(late.endpoint);
    late.set('refuse');
    expect((await failure(ask(other))).fault).toBe('not-applied');
    late.set('pass');
    expect(await ask(other)).toMatch(/^\d+$/);
    await late.stop();
  });

  it('has sent nothing to a host that accepts and says nothing', async () => {
    const mute: Server = createServer((socket) => socket.on('error', () => undefined));
    const port = await freePort();
    mute.listen(port, '127.0.0.1');
    await once(mute, 'listening');
    const channel = open(`http://127.0.0.1:${port}`, { limits });
    const [late, waiting] = [failure(ask(channel, 50)), failure(ask(channel))];
    expect(await late).toEqual({ fault: 'not-applied', text: expect.stringContaining('Deadline exceeded') });
    expect(await waiting).toEqual({ fault: 'not-applied', text: expect.stringContaining('not connected within') });
    channel.close();
    mute.close();
  });

  it('has sent nothing to a server that speaks another protocol', async () => {
    const web: Server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    const port = await freePort();
    web.listen(port, '127.0.0.1');
    await once(web, 'listening');
    expect((await failure(ask(open(`http://127.0.0.1:${port}`)))).fault).toBe('not-applied');
    web.close();
  });

  it('is in doubt when the connection goes, and opens another', async () => {
    const channel = open(proxy.endpoint);
    await ask(channel);
    for (let i = 0; i < 10; i++) {
      proxy.set('cut-on-response');
      expect((await failure(ask(channel))).fault).toBe('in-doubt');
      expect(await ask(channel)).toMatch(/^\d+$/);
    }
    expect(proxy.connections).toBe(11);
  });

  it('leaves a connection that has gone dead, without a call that waits for ever', async () => {
    const channel = open(proxy.endpoint, { limits });
    await ask(channel);
    proxy.set('blackhole');
    const waiting = failure(ask(channel));
    expect((await failure(ask(channel, 100))).fault).toBe('in-doubt');
    expect(await waiting).toEqual({ fault: 'in-doubt', text: expect.stringContaining('no sign of life') });
    proxy.set('pass');
    expect(await ask(channel)).toMatch(/^\d+$/);
    expect(proxy.connections).toBe(2);
  });

  it('keeps a quiet stream alive by pings, and ends it when the line is dead', async () => {
    const channel = open(proxy.endpoint, { limits });
    const create = { key: Buffer.from('k'), range_end: Buffer.from('l'), progress_notify: true };
    const seen: Record<string, unknown>[] = [];
    const ends: Error[] = [];
    const stream = channel.stream('/etcdserverpb.Watch/Watch', {
      onMessage: (message) => void seen.push(decodeMessage('WatchResponse', message)),
      onEnd: (error) => void ends.push(error),
    });
    stream.write(frame(encodeMessage('WatchRequest', { create_request: create })));
    await until('it is created', () => seen.length === 1);
    await server.client.kv.put({ key: Buffer.from('key'), value: Buffer.from('value') });
    await until('the event', () => seen.length === 2);
    expect(seen).toMatchObject([{ created: true }, { events: [{ kv: { value: Buffer.from('value') } }] }]);
    expect(ends).toEqual([]);
    proxy.set('blackhole');
    await until('the end', () => ends.length > 0);
    expect(String(ends[0])).toContain('no sign of life');
  });

  it('survives the server being killed and started again', async () => {
    const own = await startEtcd();
    const channel = open(own.endpoint);
    await ask(channel);
    await own.kill9();
    expect(['in-doubt', 'not-applied']).toContain((await failure(ask(channel))).fault);
    expect((await failure(ask(channel))).fault).toBe('not-applied');
    await own.restart();
    expect(await ask(channel)).toMatch(/^\d+$/);
    await own.stop();
  });
});

describe('a channel with TLS', () => {
  let authority: Authority;
  let server: EtcdServer;
  let proxy: TcpProxy;
  const question = frame(encodeMessage('RangeRequest', { key: Buffer.from('key') }));
  beforeAll(async () => {
    authority = await createAuthority();
    const url = `https://127.0.0.1:${await freePort()}`;
    const { cert, key } = authority.server;
    const plain = await freePort();
    const urls = `http://127.0.0.1:${plain},${url}`;
    const flags = ['--cert-file', cert, '--key-file', key, '--client-cert-auth', '--trusted-ca-file', authority.ca];
    const args = [...flags, '--listen-client-urls', urls, '--advertise-client-urls', urls];
    server = await startEtcd({ port: plain, args });
    proxy = await TcpProxy.start(Number(new URL(url).port));
  });
  afterAll(async () => {
    await proxy.stop();
    await server.stop();
    await authority.remove();
  });

  const credentials = async () => {
    const { cert, key } = await authority.client('umbra');
    return {
      rootCertificate: readFileSync(authority.ca),
      certChain: readFileSync(cert),
      privateKey: readFileSync(key),
    };
  };
  const ask = async (channel: EtcdChannel): Promise<unknown> =>
    decodeMessage('RangeResponse', await channel.unary(PATH, question, AMPLE)).header;

  it('shows its certificate, by address and by name, and comes back after the line was cut', async () => {
    const own = await credentials();
    for (const host of ['127.0.0.1', 'localhost']) {
      const channel = open(`https://${host}:${proxy.port}`, { credentials: own });
      expect(await ask(channel)).toMatchObject({ cluster_id: expect.stringMatching(/^\d+$/) });
      proxy.cutAll();
      const second = await failure(ask(channel));
      expect(['Error: it was answered', expect.stringContaining('dropped')]).toContainEqual(second.text);
      expect(await ask(channel)).toMatchObject({ revision: expect.any(String) });
    }
  });

  it('is secure whatever the endpoint says, once an authority is given', async () => {
    const channel = open(`http://127.0.0.1:${proxy.port}`, { credentials: await credentials() });
    expect(await ask(channel)).toMatchObject({ revision: expect.any(String) });
  });

  it.each([
    ['a server that it cannot trust', async () => ({}), /certificate/],
    [
      'a server that wants a certificate',
      async () => ({ rootCertificate: readFileSync(authority.ca) }),
      /bad certificate|certificate required/,
    ],
    ['files that are no certificates', async () => ({ rootCertificate: Buffer.from('not PEM') }), /No connection/],
  ])('has sent nothing to %s', async (_, own, text) => {
    const { fault, text: seen } = await failure(
      ask(open(`https://127.0.0.1:${proxy.port}`, { credentials: await own() })),
    );
    expect([fault, seen]).toEqual(['not-applied', expect.stringMatching(text)]);
  });
});
