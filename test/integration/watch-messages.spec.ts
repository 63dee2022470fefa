import { once } from 'node:events';
import { connect } from 'node:net';
import { ServiceError } from '../../src/errors/service-error.js';
import { EventReader } from '../harness/event-reader.js';
import { startHttpNode, type HttpNode, type HttpNodeOptions } from '../harness/http-node.js';
import { MessageReader, type StreamMessage } from '../harness/message-reader.js';
import { startSecureNode, type SecureNode } from '../harness/secure-node.js';
import { until } from '../harness/until.js';

const changeOf = (n: number) => ({ state: { reported: { n } } });

async function update(node: HttpNode, thing: string, body: unknown): Promise<void> {
  const answer = await fetch(`${node.url}/things/${thing}/shadow`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
}

describe('the watch streams over WebSocket', () => {
  let shared: HttpNode;
  const nodes: HttpNode[] = [];
  const readers: { close(): void }[] = [];
  beforeAll(async () => (shared = await startHttpNode()));
  afterEach(async () => {
    for (const reader of readers.splice(0)) reader.close();
    for (const node of nodes.splice(0).reverse()) await node.stop();
  });
  afterAll(() => shared.stop());

  async function start(options: HttpNodeOptions): Promise<HttpNode> {
    const node = await startHttpNode(options);
    nodes.push(node);
    return node;
  }
  async function watch(path: string, node = shared, protocols: string[] = []): Promise<MessageReader> {
    const reader = await MessageReader.open(`${node.url}/v1${path}`, protocols);
    readers.push(reader);
    return reader;
  }
  async function listen(path: string, headers = {}): Promise<EventReader> {
    const reader = await EventReader.open(`${shared.url}/v1${path}`, headers);
    readers.push(reader);
    return reader;
  }
  const streams = (node: HttpNode) =>
    (node.hub as unknown as { counts: { subscriptions: number } }).counts.subscriptions;
  const versions = async (reader: MessageReader, count: number): Promise<unknown[]> => {
    const seen: unknown[] = [];
    while (seen.length < count) seen.push((await reader.nextOf('change')).data['version']);
    return seen;
  };

  it('bring the same events as server-sent events, and each resumes the other', async () => {
    await update(shared, 'both', changeOf(1));
    const query = '/things/both/watch?initial=true&path=/reported/n';
    const messages = await watch(query, shared, ['umbra.v1']);
    expect(messages.socket.protocol).toBe('umbra.v1');
    expect(messages.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    const events = await listen(query);
    const sent: unknown[] = [];
    const got: unknown[] = [];
    for (let n = 2; n <= 5; n++) await update(shared, 'both', changeOf(n));
    while (sent.length < 6) {
      const event = (await events.next())!;
      sent.push([event.event, event.id, event.data]);
      const { type, id, data } = (await messages.next())!;
      got.push([type, id, data]);
    }
    expect(got).toEqual(sent);
    expect(sent.map((each) => (each as unknown[])[0])).toEqual(['initial', 'bookmark', ...Array(4).fill('change')]);
    const [, id] = sent[3] as [string, string];
    expect(await versions(await watch(`/things/both/watch?cursor=${id}`), 2)).toEqual([4, 5]);
    const again = await listen('/things/both/watch', { 'last-event-id': (got[3] as [string, string])[1] });
    expect((await again.nextOf('change')).data['version']).toBe(4);
  });

  it('bring the document before, and only real changes, to who asks for it', async () => {
    const [events, messages] = [
      await listen('/things/p/watch?previous=true&real=true'),
      await watch('/things/p/watch?previous=true&real=true'),
    ];
    const plain = await watch('/things/p/watch');
    const bodies = [{ a: 1, b: 1 }, { a: 1 }, { b: null }, { none: null }];
    for (const reported of bodies) await update(shared, 'p', { state: { reported } });
    await fetch(`${shared.url}/things/p/shadow`, { method: 'DELETE' });
    await update(shared, 'p', { state: { desired: { c: 1 } } });
    const facts = ({ data }: { data: any }) => [data.version, data.removed, data.previous?.state ?? data.previous]; // eslint-disable-line
    const expected = [
      [1, [], null],
      [3, ['/reported/b'], { reported: { a: 1, b: 1 } }],
      [4, [''], { reported: { a: 1 } }],
      [6, [], null],
    ];
    const got: unknown[] = [];
    while (got.length < expected.length) {
      const event = await events.nextOf('change');
      got.push(facts(event));
      const { type, id, data } = await messages.nextOf('change');
      expect([type, id, data]).toEqual([event.event, event.id, event.data]);
    }
    expect(got).toEqual(expected);
    expect(await versions(plain, 6)).toEqual([1, 2, 3, 4, 4, 6]);
  });

  it('say that the document before is no longer there, and leave no change out for that', async () => {
    const node = await start({});
    node.store.getBefore = (_key, { revision }) =>
      Promise.reject(new ServiceError(revision % 2 === 0 ? 'cursorGone' : 'storageUnavailable'));
    const reader = await watch('/things/m/watch?previous=true&real=true', node);
    for (let i = 0; i < 3; i++) await update(node, 'm', changeOf(1));
    const missing: unknown[] = [];
    while (missing.length < 3) {
      const { data } = await reader.nextOf('change');
      missing.push([data['previous'], data['previousMissing']]);
    }
    expect(missing[0]).toEqual([null, undefined]);
    expect(missing.slice(1).sort()).toEqual([
      [undefined, 'compacted'],
      [undefined, 'unavailable'],
    ]);
  });

  it('send what was granted, then wait for more, and end a reader whose queue is full', async () => {
    const node = await start({ watch: { maxQueued: 10, bookmarkMs: 20 } });
    const reader = await watch('/things/c/watch?credit=2', node);
    for (let n = 1; n <= 5; n++) await update(node, 'c', changeOf(n));
    expect(await versions(reader, 2)).toEqual([1, 2]);
    // What comes next would come before the answer to a ping.
    reader.socket.ping();
    await once(reader.socket, 'pong');
    expect(reader.waiting).toBe(0);
    reader.grant(1);
    expect(await versions(reader, 1)).toEqual([3]);
    for (let n = 6; n <= 15; n++) await update(node, 'c', changeOf(n));
    const end = await reader.nextOf('end');
    expect(end.data).toEqual({
      reason: 'too-slow',
      message: expect.stringContaining('connect again'),
      reload: '/v1/things/c/watch?credit=2&initial=true',
    });
    expect(await reader.closed).toEqual({ code: 1013, reason: 'too-slow' });
    expect(streams(node)).toBe(0);
  });

  it('resume a reader that was too slow behind what it has seen', async () => {
    const reader = await watch('/things/r/watch?credit=1');
    for (let n = 1; n <= 3; n++) await update(shared, 'r', changeOf(n));
    const { id = '' } = await reader.nextOf('change');
    reader.close();
    expect(await versions(await watch(`/things/r/watch?credit=9&cursor=${id}`), 2)).toEqual([2, 3]);
  });

  it.each([
    ['no JSON', 'hello', /^a message was no JSON$/],
    ['of another type', '{"type":"subscribe"}', /^the only type/],
    ['with no number', '{"type":"credit","events":"9"}', /^events must be/],
    ['beyond what may be granted', '{"type":"credit","events":1000000}', /^at most 1000000 events/],
    ['of bytes', Buffer.from('{"type":"credit","events":1}'), /^messages must be text/],
  ])('end at a message %s', async (_what, text, said) => {
    const reader = await watch('/watch?credit=1');
    reader.socket.send(text);
    const end = await reader.nextOf('end');
    expect(end.data).toMatchObject({ reason: 'bad-message', message: expect.stringMatching(said) });
    expect(await reader.closed).toEqual({ code: 1008, reason: 'bad-message' });
  });

  it('end at credit that a stream without it is given, at a message too long, and at too many', async () => {
    const open = await watch('/watch');
    open.grant(1);
    expect((await open.nextOf('end')).data['message']).toMatch(/opened with \?credit=/);
    const long = await watch('/watch');
    long.socket.send(`{"type":"credit","events":1,"x":"${'x'.repeat(1024)}"}`);
    expect((await long.closed).code).toBe(1009);
    const often = await watch('/watch');
    for (let i = 0; i < 101; i++) often.socket.ping();
    expect((await often.nextOf('end')).data['message']).toMatch(/more than 100 messages and pings/);
    await until('the end of the streams', () => streams(shared) === 0);
  });

  it('keep nobody from their changes while one reader takes nothing', async () => {
    // Sockets take megabytes before the node feels it.
    const limits = { maxDocumentBytes: 1_000_000, maxRequestBytes: 1_000_000 };
    const node = await start({ watch: { maxQueued: 20 }, limits });
    const silent = await watch('/things/s/watch', node);
    silent.socket.pause();
    const seen: StreamMessage[] = [];
    const other = await watch('/things/s/watch', node);
    void (async () => {
      for (;;) seen.push(await other.nextOf('change'));
    })().catch(() => undefined);
    const blob = 'x'.repeat(100_000);
    let total = 0;
    while (streams(node) === 2) {
      if (++total > 500) throw new Error('it is never ended');
      await update(node, 's', { state: { reported: { blob, n: total } } });
    }
    await until('every change at the other reader', () => seen.length === total);
    silent.socket.resume();
    let last = 0;
    let message = await silent.nextOf('change', 'end');
    for (; message.type === 'change'; message = await silent.nextOf('change', 'end'))
      expect(message.data['version']).toBe(++last);
    expect(message.data['reason']).toBe('too-slow');
    expect(last).toBeLessThan(total);
  });

  it('tell a cursor that is gone, and a node that shuts down, as their end', async () => {
    const node = await start({});
    const foreign = Buffer.from('1.elsewhere.0.5.all').toString('base64url');
    const gone = await watch(`/watch?cursor=${foreign}&kind=deleted`, node);
    expect((await gone.next())?.data).toMatchObject({
      reason: 'epoch-changed',
      reload: '/v1/watch?kind=deleted&initial=true',
    });
    expect((await gone.closed).code).toBe(4410);
    const reader = await watch('/watch', node);
    const stuck = await watch('/watch?credit=0', node);
    await node.hub.close();
    for (const each of [reader, stuck]) {
      expect((await each.nextOf('end')).data['reason']).toBe('draining');
      expect(await each.closed).toEqual({ code: 1001, reason: 'draining' });
    }
    await expect(watch('/watch', node)).rejects.toThrow(/^status 503: .*draining/);
  });

  it.each([
    ['/watch?cursor=nonsense', {}, [], 400, /Invalid cursor/],
    ['/watch?credit=-1', {}, [], 400, /credit must be a whole number from 0 to 1000000/],
    ['/watch?credits=1', {}, [], 400, /There is no parameter credits here/],
    ['/things/a%20b/watch', {}, [], 400, /Invalid thing name/],
    ['/watch', { headers: { host: 'evil.example' } }, [], 400, /add the name to UMBRA_HTTP_NAMES/],
    ['/watch', { origin: 'http://evil.example' }, [], 403, /^status 403: /],
    ['/watch', { protocolVersion: 8 }, [], 400, /Sec-WebSocket-Version must be 13/],
    ['/watch', {}, ['umbra.bearer.a'], 400, /Offer umbra\.v1 beside umbra\.bearer/],
    ['/watch', {}, ['umbra.v1', 'umbra.bearer.a', 'umbra.bearer.b'], 400, /one umbra\.bearer/],
    ['/watch', { headers: { authorization: 'Bearer a' } }, ['umbra.v1', 'umbra.bearer.b'], 400, /not both/],
    ['/things/a/shadow', {}, [], 404, /^status 404: /],
    ['/things', {}, [], 404, /^status 404: /],
    ['/nothing', {}, [], 404, /^status 404: /],
  ])('refuse %s %j %j', async (path, options, protocols, status, said) => {
    const refused = MessageReader.open(`${shared.url}/v1${path}`, protocols, options);
    await expect(refused).rejects.toThrow(said);
    await expect(refused).rejects.toThrow(`status ${status}: `);
    expect(streams(shared)).toBe(0);
  });

  it('have a parameter that server-sent events refuse', async () => {
    const answer = await fetch(`${shared.url}/v1/watch?credit=1`);
    expect([answer.status, await answer.json()]).toEqual([
      400,
      expect.objectContaining({ detail: expect.stringContaining('credit is for streams over WebSocket') }),
    ]);
  });

  it('are opened by no request that another is not answered before, nor by one with a body', async () => {
    const ask = async (...requests: string[]): Promise<string> => {
      const socket = connect(shared.port, '127.0.0.1');
      let answers = '';
      socket.setEncoding('utf8').on('data', (chunk: string) => (answers += chunk));
      socket.write(requests.join(''));
      await once(socket, 'close');
      return answers;
    };
    const upgrade = (more = '') =>
      `GET /v1/watch HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${more}\r\n`;
    expect(await ask('GET /v1/watch HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', upgrade())).not.toContain(' 101 ');
    expect(await ask(upgrade('Content-Length: 5\r\n'), 'hello')).toMatch(/^HTTP\/1\.1 400 [^]*has no body$/);
    await until('the end of the streams', () => streams(shared) === 0);
  });
});

describe('the access to streams over WebSocket', () => {
  let node: SecureNode;
  beforeAll(async () => (node = await startSecureNode({ environment: { UMBRA_LIMIT_STREAMS: '2' } })));
  afterAll(() => node.stop());

  it('is asked for before they open, counted while they are open, and ends them in mid-stream', async () => {
    const key = await node.make('reader', { kind: 'service', roles: ['service'] });
    const device = await node.make('lamp', { thing: 'lamp', roles: ['device'] });
    const url = `${node.url}/v1/watch`;
    await expect(MessageReader.open(url)).rejects.toThrow(/^status 401: /);
    await expect(MessageReader.open(url, ['umbra.v1', 'umbra.bearer.wrong'])).rejects.toThrow(/^status 401: /);
    await expect(
      MessageReader.open(`${node.url}/v1/things/door/shadow/watch`, ['umbra.v1', `umbra.bearer.${device}`]),
    ).rejects.toThrow(/^status 403: /);
    const byProtocol = await MessageReader.open(url, ['umbra.v1', `umbra.bearer.${key}`]);
    expect(byProtocol.socket.protocol).toBe('umbra.v1');
    const byHeader = await MessageReader.open(url, [], { headers: { authorization: `Bearer ${key}` } });
    await expect(MessageReader.open(url, ['umbra.v1', `umbra.bearer.${key}`])).rejects.toThrow(/^status 429: /);
    byHeader.close();
    let third: MessageReader | null = null;
    await until('a place', async () => {
      third = await MessageReader.open(url, ['umbra.v1', `umbra.bearer.${key}`]).catch(() => null);
      return third !== null;
    });
    const other = await node.make('other', { kind: 'service', roles: ['service'] });
    const bystander = await MessageReader.open(`${node.url}/v1/watch`, ['umbra.v1', `umbra.bearer.${other}`]);
    await node.ask('DELETE', '/v1/principals/reader', node.admin);
    for (const each of [byProtocol, third!]) {
      expect((await (each as MessageReader).nextOf('end')).data['reason']).toBe('forbidden');
      expect(await (each as MessageReader).closed).toEqual({ code: 4403, reason: 'forbidden' });
    }
    await node.ask('POST', '/things/lamp/shadow', node.admin, changeOf(1));
    expect((await bystander.nextOf('change')).data).toMatchObject({ thing: 'lamp', version: 1 });
    bystander.close();
  });
});
