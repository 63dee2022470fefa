import { createServer, type Server } from 'node:net';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import type { EtcdChannel } from '../../src/store/etcd/client/channel/etcd-channel.js';
import { frame } from '../../src/store/etcd/client/channel/grpc-message.js';
import { CONNECTION_LIMITS } from '../../src/store/etcd/client/channel/member-connection.js';
import { createAuthority, type Authority } from '../harness/certificates.js';
import { decodeMessage, encodeMessage } from '../harness/etcd-messages.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { freePort } from '../harness/ports.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { until } from '../harness/until.js';
import { AMPLE, closeChannels, failureOf, openChannel, PATH } from '../harness/etcd-channels.js';

afterEach(closeChannels);

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
    const channel = openChannel(proxy.endpoint);
    const { header } = await server.client.kv.range({ key: Buffer.from('key') });
    expect(await Promise.all(Array.from({ length: 20 }, () => ask(channel)))).toEqual(
      Array.from({ length: 20 }, () => header.revision),
    );
    expect(proxy.connections).toBe(1);
  });

  it('has sent nothing while nobody listens, and connects as soon as somebody does', async () => {
    const port = await freePort();
    const channel = openChannel(`http://127.0.0.1:${port}`);
    const { fault, text } = await failureOf(ask(channel));
    expect([fault, text]).toEqual(['not-applied', expect.stringContaining('ECONNREFUSED')]);
    const late = await TcpProxy.start(server.port);
    const other = openChannel(late.endpoint);
    late.set('refuse');
    expect((await failureOf(ask(other))).fault).toBe('not-applied');
    late.set('pass');
    expect(await ask(other)).toMatch(/^\d+$/);
    await late.stop();
  });

  it('has sent nothing to a host that accepts and says nothing', async () => {
    const mute: Server = createServer((socket) => socket.on('error', () => undefined));
    const port = await freePort();
    mute.listen(port, '127.0.0.1');
    await once(mute, 'listening');
    const channel = openChannel(`http://127.0.0.1:${port}`, { limits });
    const [late, waiting] = [failureOf(ask(channel, 50)), failureOf(ask(channel))];
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
    expect((await failureOf(ask(openChannel(`http://127.0.0.1:${port}`)))).fault).toBe('not-applied');
    web.close();
  });

  it('is in doubt when the connection goes, and opens another', async () => {
    const channel = openChannel(proxy.endpoint);
    await ask(channel);
    for (let i = 0; i < 10; i++) {
      proxy.set('cut-on-response');
      expect((await failureOf(ask(channel))).fault).toBe('in-doubt');
      expect(await ask(channel)).toMatch(/^\d+$/);
    }
    expect(proxy.connections).toBe(11);
  });

  it('leaves a connection that has gone dead, without a call that waits for ever', async () => {
    const channel = openChannel(proxy.endpoint, { limits });
    await ask(channel);
    proxy.set('blackhole');
    const waiting = failureOf(ask(channel));
    expect((await failureOf(ask(channel, 100))).fault).toBe('in-doubt');
    expect(await waiting).toEqual({ fault: 'in-doubt', text: expect.stringContaining('no sign of life') });
    proxy.set('pass');
    expect(await ask(channel)).toMatch(/^\d+$/);
    expect(proxy.connections).toBe(2);
  });

  it('keeps a quiet stream alive by pings, and ends it when the line is dead', async () => {
    const channel = openChannel(proxy.endpoint, { limits });
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
    const channel = openChannel(own.endpoint);
    await ask(channel);
    await own.kill9();
    expect(['in-doubt', 'not-applied']).toContain((await failureOf(ask(channel))).fault);
    expect((await failureOf(ask(channel))).fault).toBe('not-applied');
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
      const channel = openChannel(`https://${host}:${proxy.port}`, { credentials: own });
      expect(await ask(channel)).toMatchObject({ cluster_id: expect.stringMatching(/^\d+$/) });
      proxy.cutAll();
      const second = await failureOf(ask(channel));
      expect(['Error: it was answered', expect.stringContaining('dropped')]).toContainEqual(second.text);
      expect(await ask(channel)).toMatchObject({ revision: expect.any(String) });
    }
  });

  it('tells the name that it asks for, by which something in between may choose, and no address', async () => {
    const { cert, key } = authority.server;
    const names: (string | false)[] = [];
    const front = createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, (socket) => {
      names.push((socket as TLSSocket & { servername: string | false }).servername);
      socket.destroy();
    });
    const port = await freePort();
    front.listen(port);
    await once(front, 'listening');
    const own = await credentials();
    for (const host of ['localhost', '127.0.0.1']) {
      await failureOf(ask(openChannel(`https://${host}:${port}`, { credentials: own })));
    }
    expect(names).toEqual(['localhost', false]);
    front.close();
  });

  it('is secure whatever the endpoint says, once an authority is given', async () => {
    const channel = openChannel(`http://127.0.0.1:${proxy.port}`, { credentials: await credentials() });
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
    const { fault, text: seen } = await failureOf(
      ask(openChannel(`https://127.0.0.1:${proxy.port}`, { credentials: await own() })),
    );
    expect([fault, seen]).toEqual(['not-applied', expect.stringMatching(text)]);
  });
});
