import { startNode, type ReadyNode } from '../harness/node-process.js';
import { BAD_BODIES } from './steps/bad-bodies.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Device, topic } from './steps/device.js';
import { packet, RawSocket } from './steps/raw-socket.js';
import { http, Rest } from './steps/rest.js';

/** Milliseconds; the node gives half-open connections 10 s. */
const CUT_OFF_MS = 25_000;
const GOOD = '{"state":{"desired":{"a":1}}}';

const cleanup = cleanupAfterAll();
let node: ReadyNode;
let rest: Rest;
let device: Device;
let cases = 0;
let thing = '';

beforeAll(async () => {
  node = await startNode();
  cleanup(() => node.stop());
  rest = new Rest(node.httpUrl);
  device = await Device.connect(node.mqttUrl);
  cleanup(() => device.close());
  await device.subscribe('$aws/things/+/shadow/+/rejected', '$aws/things/+/shadow/update/accepted');
});

beforeEach(() => {
  thing = `bad-${++cases}`;
});

/** After every case: nothing was stored, the node lives, and both doors work. */
afterEach(async () => {
  expect((await rest.get(thing)).status).toBe(404);
  expect((await rest.list(thing)).json.results).toEqual([]);
  expect((await rest.live()).status).toBe(200);
  expect((await rest.update(`${thing}-good`, GOOD)).json).toMatchObject({ version: 1 });
  const answer = await device.request(`${thing}-good`, 'update', { state: { desired: { b: 2 } } });
  expect(answer.json).toMatchObject({ version: 2 });
});

async function raw(url = node.httpUrl): Promise<RawSocket> {
  const socket = await RawSocket.open(url);
  cleanup(() => socket.destroy());
  return socket;
}

describe.each(BAD_BODIES)('an update with $what', ({ body, status, message }) => {
  it(`is refused with ${status} over REST`, async () => {
    const answer = await http(rest.url(thing), { method: 'POST', body });
    expect(answer).toMatchObject({ status, json: { message: expect.stringMatching(message) } });
    expect(answer.headers.get('x-amzn-errortype')).toMatch(/^[A-Za-z]+Exception:?$/);
  });

  it(`is refused with ${status} over MQTT`, async () => {
    await device.publish(topic(thing, 'update'), body);
    const { json } = await device.next((got) => got.topic === topic(thing, 'update/rejected'));
    expect(json).toMatchObject({ code: status, message: expect.stringMatching(message) });
  });
});

describe('REST', () => {
  const bad = (what: string, path: string, status: number, init: RequestInit = {}) => ({ what, path, status, init });
  const post = { method: 'POST', body: GOOD };
  it.each([
    bad('a thing name with a space', '/things/a%20b/shadow', 400, post),
    bad('a thing name of 129 characters', `/things/${'t'.repeat(129)}/shadow`, 400, post),
    bad('a thing name of 5,000 characters', `/things/${'t'.repeat(5000)}/shadow`, 400, post),
    bad('a thing name with NUL', '/things/a%00b/shadow', 400, post),
    bad('a thing name with slashes', '/things/..%2f..%2fetc/shadow', 400, post),
    bad('a thing name that is no UTF-8', '/things/%ff%fe/shadow', 400, post),
    bad('percent signs that encode nothing', '/things/%zz/shadow', 400, post),
    bad('an empty shadow name', '/things/THING/shadow?name=', 400, post),
    bad('a shadow name of 65 characters', `/things/THING/shadow?name=${'s'.repeat(65)}`, 400, post),
    bad('a shadow name with a slash', '/things/THING/shadow?name=a%2Fb', 400, post),
    bad('two shadow names', '/things/THING/shadow?name=a&name=b', 400, post),
    bad('an unknown path', '/nope', 404),
    bad('a path too long', '/things/THING/shadow/extra', 404, post),
    bad('PUT', '/things/THING/shadow', 405, { method: 'PUT', body: GOOD }),
    bad('PATCH on the AWS path', '/things/THING/shadow', 405, { method: 'PATCH', body: GOOD }),
    bad('POST on the list', '/api/things/shadow/ListNamedShadowsForThing/THING', 405, post),
    bad('a page size of 0', '/api/things/shadow/ListNamedShadowsForThing/THING?pageSize=0', 400),
    bad('a page size of 1e9', '/api/things/shadow/ListNamedShadowsForThing/THING?pageSize=1000000000', 400),
    bad('a page size in words', '/api/things/shadow/ListNamedShadowsForThing/THING?pageSize=ten', 400),
    bad('two page sizes', '/api/things/shadow/ListNamedShadowsForThing/THING?pageSize=1&pageSize=2', 400),
    bad('a made-up paging token', '/api/things/shadow/ListNamedShadowsForThing/THING?nextToken=%00%01', 400),
    bad('a paging token of another list', '/v1/things?after=bm9wZQ', 400),
    bad('a limit of 101', '/v1/things?limit=101', 400),
    bad('a made-up cursor', '/v1/watch?cursor=junk', 400),
    bad('a cursor in the header', '/v1/watch', 400, { headers: { 'last-event-id': '{"revision":-1}' } }),
    bad('merging a text', '/v1/things/THING/shadow/desired', 400, { method: 'PATCH', body: '"on"' }),
    bad('a condition that is none', '/v1/things/THING/shadow', 400, {
      method: 'PATCH',
      body: GOOD,
      headers: { 'if-match': 'version one' },
    }),
    bad('2 MB', '/things/THING/shadow', 413, { method: 'POST', body: 'x'.repeat(2 * 1024 * 1024) }),
  ])('$what is answered with $status and a reason', async ({ path, status, init }) => {
    const answer = await http(node.httpUrl + path.replace('THING', thing), init);
    expect(answer.status).toBe(status);
    const { message, detail } = answer.json ?? {};
    expect(message ?? detail).toEqual(expect.stringMatching(/\w{3,}/));
  });

  const request = (more: string): string => `POST /things/THING/shadow HTTP/1.1\r\nHost: 127.0.0.1\r\n${more}`;
  it.each<[string, () => string | Buffer, RegExp]>([
    ['garbage', () => Buffer.from('\x16\x03\x01\x02\x00\x01\x00garbage\r\n\r\n', 'latin1'), /^HTTP\/1\.1 400 /],
    ['a header of 64 KB', () => request(`X-Big: ${'x'.repeat(65_536)}\r\n\r\n`), /^HTTP\/1\.1 431 /],
    ['10,000 headers', () => request(`${'A: b\r\n'.repeat(10_000)}\r\n`), /^HTTP\/1\.1 431 /],
    ['NUL in a header', () => request('X-A: a\0b\r\n\r\n'), /^HTTP\/1\.1 400 /],
    ['two lengths', () => request(`Content-Length: 5\r\nContent-Length: 6\r\n\r\n${GOOD}`), /^HTTP\/1\.1 400 /],
    ['a negative length', () => request(`Content-Length: -1\r\n\r\n${GOOD}`), /^HTTP\/1\.1 400 /],
    [
      'a length and chunks',
      () => request(`Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${GOOD}`),
      /^HTTP\/1\.1 400 /,
    ],
    [
      'chunks that are none',
      () => request('Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n'),
      /HTTP\/1\.1 400 /,
    ],
    [
      'a request and junk in one packet',
      () => `GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n\0\0\0junk${'\xff'.repeat(100)}\r\n\r\n`,
      /HTTP\/1\.1 400 /,
    ],
  ])('on the socket: %s', async (_what, bytes, pattern) => {
    const data = bytes();
    const socket = await raw();
    socket.send(typeof data === 'string' ? data.replace('THING', thing) : data);
    await socket.answer(pattern);
    await socket.end();
  });

  it('half a body, and then nothing', async () => {
    const socket = await raw();
    socket.send(
      `POST /things/${thing}/shadow HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${GOOD.length}\r\n\r\n${GOOD.slice(0, 20)}`,
    );
    await rest.live();
    socket.destroy();
  });
});

describe('MQTT topics', () => {
  it.each([
    'update/accepted',
    'update/rejected',
    'update/delta',
    'update/documents',
    'GET',
    'update/',
    'name/n',
    'name/update',
    '',
  ])('publishing to …/shadow/%s is refused with 135 to MQTT 5, and reaches nobody', async (tail) => {
    const publisher = await Device.connect(node.mqttUrl);
    cleanup(() => publisher.close());
    const listener = await Device.connect(node.mqttUrl);
    cleanup(() => listener.close());
    await listener.subscribe(topic(thing, '#'));
    await expect(publisher.publish(topic(thing, tail), GOOD)).rejects.toMatchObject({ code: 135 });
    expect((await rest.get(thing)).status).toBe(404);
    // The connection goes on, and what it sends now is the first that arrives.
    await publisher.publish(topic(thing, 'get'), '');
    await listener.next((message) => message.topic === topic(thing, 'get/rejected'));
    expect(listener.messages.filter((message) => !message.topic.includes('/shadow/get'))).toEqual([]);
  });

  it.each(['some/topic', '$SYS/broker/uptime', '$aws/rules/x', '$aws/things/THING/jobs/get'])(
    'publishing to %s is refused with 135 to MQTT 5',
    async (name) => {
      const publisher = await Device.connect(node.mqttUrl);
      cleanup(() => publisher.close());
      await expect(publisher.publish(name.replace('THING', thing), GOOD)).rejects.toMatchObject({ code: 135 });
    },
  );

  it('publishing elsewhere ends an MQTT 3.1.1 connection', async () => {
    const socket = await raw(node.mqttUrl);
    socket.send(packet.connect(thing, 4)).send(packet.publish('some/topic', GOOD, 0x02, 4));
    expect((await socket.end()).subarray(0, 4)).toEqual(Buffer.from([0x20, 2, 0, 0]));
  });

  it.each<[string, () => string]>([
    ['a thing name with a space', () => `$aws/things/${thing} x/shadow/update`],
    ['a thing name of 129 characters', () => `$aws/things/${'t'.repeat(129)}/shadow/update`],
    ['a shadow name of 65 characters', () => `$aws/things/${thing}/shadow/name/${'s'.repeat(65)}/update`],
  ])('%s is rejected with 400', async (_what, name) => {
    const asker = await Device.connect(node.mqttUrl);
    cleanup(() => asker.close());
    await asker.subscribe(`${name()}/rejected`);
    await asker.publish(name(), GOOD);
    const { json } = await asker.next(() => true);
    expect(json).toMatchObject({ code: 400, message: expect.stringMatching(/name/) });
  });

  it.each(['#', '+/things', '$SYS/#', 'some/topic', '$aws/things/THING/jobs/#', '$share/g/$aws/things/THING/shadow/#'])(
    'subscribing to %s fails in the SUBACK, and the filter beside it is granted',
    async (filter) => {
      const socket = await raw(node.mqttUrl);
      socket
        .send(packet.connect(thing))
        .send(packet.subscribe(filter.replace('THING', thing), topic(thing, 'get/accepted')));
      // SUBACK: identifier 2, no properties, one reason code for each filter. 135 not authorized, 158 no shared ones.
      const answer = await socket.answer(/\x90\x05\x00\x02\x00[^]{2}/);
      const codes = Buffer.from(answer, 'latin1').subarray(-2);
      expect([0x80, 0x87, 0x9e]).toContain(codes[0]);
      expect(codes[1]).toBe(1);
    },
  );

  it('a retained update changes the shadow, and nothing is retained', async () => {
    const good = `${thing}-retained`;
    await device.client.publishAsync(topic(good, 'update'), GOOD, { qos: 1, retain: true });
    expect((await rest.get(good)).json).toMatchObject({ version: 1 });
    const late = await Device.connect(node.mqttUrl);
    cleanup(() => late.close());
    await late.subscribe(topic(good, '#'));
    expect((await late.request(good, 'get')).json).toMatchObject({ version: 1 });
    // Its own current delta aside, which is sent to whoever subscribes.
    const past = late.messages.filter(({ topic: name }) => /update(\/accepted|\/documents)?$/.test(name));
    expect([...past, ...late.messages.filter(({ retain }) => retain)]).toEqual([]);
  });

  it('a will on a response topic reaches nobody', async () => {
    const listener = await Device.connect(node.mqttUrl);
    cleanup(() => listener.close());
    await listener.subscribe(topic(thing, '#'));
    const socket = await raw(node.mqttUrl);
    const will = { topic: topic(thing, 'update/delta'), payload: '{"state":{"evil":1}}' };
    socket.send(packet.connect(thing, 5, will));
    await socket.answer(/^\x20/);
    socket.destroy();
    await listener.request(thing, 'get');
    expect(listener.messages.filter((message) => message.topic.includes('delta'))).toEqual([]);
  });
});

describe('MQTT packets', () => {
  const update = (): string => topic(thing, 'update');
  it.each<[string, () => Buffer[]]>([
    ['garbage', () => [Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
    ['zeros', () => [Buffer.alloc(1000)]],
    ['PUBLISH before CONNECT', () => [packet.publish(update(), GOOD)]],
    ['another protocol', () => [packet.raw(0x10, Buffer.from('\x00\x04QTTM\x04\x02\x00\x3c\x00\x01a', 'latin1'))]],
    ['protocol version 9', () => [packet.raw(0x10, Buffer.from('\x00\x04MQTT\x09\x02\x00\x3c\x00\x01a', 'latin1'))]],
    ['a length of five bytes', () => [packet.connect(thing), Buffer.from([0x32, 0xff, 0xff, 0xff, 0xff, 0x7f])]],
    ['a packet larger than allowed', () => [packet.connect(thing), packet.publish(update(), 'x'.repeat(300_000))]],
    ['a topic with +', () => [packet.connect(thing), packet.publish('$aws/things/+/shadow/update', GOOD)]],
    ['a topic with #', () => [packet.connect(thing), packet.publish(topic(thing, '#'), GOOD)]],
    ['no topic', () => [packet.connect(thing), packet.publish('', GOOD)]],
    ['QoS 2', () => [packet.connect(thing), packet.publish(update(), GOOD, 0x04)]],
    ['QoS 3', () => [packet.connect(thing), packet.publish(update(), GOOD, 0x06)]],
    ['SUBSCRIBE without filters', () => [packet.connect(thing), packet.subscribe()]],
    ['reserved packet type 0', () => [packet.connect(thing), packet.raw(0x00, Buffer.from('abc'))]],
    ['a second CONNECT', () => [packet.connect(thing), packet.connect(thing), packet.publish(update(), GOOD)]],
  ])('%s: the node ends the connection', async (_what, packets) => {
    const socket = await raw(node.mqttUrl);
    for (const bytes of packets()) socket.send(bytes);
    await socket.end(CUT_OFF_MS);
  });

  // MQTT-1.5.4-1 and MQTT-1.5.4-2: such a packet is malformed.
  it.each<[string, () => Buffer]>([
    ['NUL', () => Buffer.from(`$aws/things/${thing}\0/shadow/update`)],
    [
      'bytes that are no UTF-8',
      () =>
        Buffer.concat([Buffer.from(`$aws/things/${thing}`), Buffer.from([0xff, 0xfe]), Buffer.from('/shadow/update')]),
    ],
  ])('a topic with %s ends the connection, and MQTT 5 clients are told why', async (_what, name) => {
    const socket = await raw(node.mqttUrl);
    socket.send(packet.connect(thing)).send(packet.publish(name(), GOOD));
    await socket.answer(/\xe0[^]\x81/);
    await socket.end();
  });

  it('a PUBLISH that never ends, and then nothing', async () => {
    const socket = await raw(node.mqttUrl);
    const whole = packet.publish(update(), GOOD);
    socket.send(packet.connect(thing)).send(whole.subarray(0, whole.length - 3));
    await socket.answer(/^\x20/);
    socket.destroy();
  });

  it('a client id of 65,535 characters is served or refused by name', async () => {
    const socket = await raw(node.mqttUrl);
    socket.send(packet.connect('c'.repeat(65_535)));
    // CONNACK: session present 0, then 0 or 0x85 (client identifier not valid).
    await socket.answer(/^\x20[^]\x00[\x00\x85]/);
  });
});

it('half-open and slow sockets on both doors are cut off, and meanwhile nobody else waits', async () => {
  const silent = await Promise.all(Array.from({ length: 20 }, () => raw(node.mqttUrl)));
  const slow = await Promise.all(Array.from({ length: 20 }, () => raw()));
  const partial = await Promise.all(Array.from({ length: 10 }, () => raw(node.mqttUrl)));
  for (const socket of partial) socket.send(packet.connect('half').subarray(0, 7));
  for (const socket of slow) socket.send(`POST /things/${thing}/shadow HTTP/1.1\r\nHost: 127.0.0.1\r\n`);
  const trickle = setInterval(() => slow.forEach((socket) => socket.closed || socket.send('X-A: b\r\n')), 500);
  cleanup(() => clearInterval(trickle));
  const good = `${thing}-beside`;
  await device.subscribe(topic(good, 'update/accepted'));
  for (let version = 1; version <= 20; version++) {
    expect((await device.request(good, 'update', { state: { reported: { version } } })).json).toMatchObject({
      version,
    });
    expect((await rest.get(good)).json).toMatchObject({ version });
  }
  await Promise.all([...silent, ...slow, ...partial].map((socket) => socket.end(CUT_OFF_MS)));
  clearInterval(trickle);
  expect(slow[0]?.received.toString()).toMatch(/^HTTP\/1\.1 408 /);
});

it('hostile member names are plain data, and come back as they were sent', async () => {
  const good = `${thing}-names`;
  const desired =
    '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"a.b":1,"$set":2,"toString":3,"":4,"\\u0000":5}';
  expect((await rest.update(good, `{"state":{"desired":${desired}}}`)).json).toMatchObject({ version: 1 });
  const { text } = await rest.get(good);
  expect(text).toContain(`"desired":${desired}`);
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  expect((await rest.get(`${good}-other`)).status).toBe(404);
});
