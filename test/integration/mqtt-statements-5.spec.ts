import WebSocket from 'ws';
import type { Answer, ConnectOptions, RawMqttClient } from '../harness/raw-mqtt-client.js';
import { accepted, base, codeOf, connack, persistent, reported, StatementsNode } from '../harness/statements-node.js';
import { until } from '../harness/until.js';

/**
 * What the standard demands of wills, of MQTT 5 and of WebSockets, on a socket: docs/mqtt-conformance.md says which test
 * holds which statement.
 */

const NEVER = 0xffff_ffff;

let node: StatementsNode;
beforeAll(async () => {
  node = await StatementsNode.start();
});
afterAll(() => node.stop());

describe.each([4, 5] as const)('a will of MQTT version %i', (level) => {
  const will = (thing: string, more: object = {}): ConnectOptions => ({
    clientId: `will-${thing}`,
    will: {
      topic: `${base(thing)}/update`,
      payload: Buffer.from(JSON.stringify(reported(9))),
      qos: 1,
      retain: false,
      ...more,
    },
  });

  async function observer(thing: string): Promise<RawMqttClient> {
    const client = await node.open(4);
    await client.subscribe(`${base(thing)}/update/accepted`);
    return client;
  }

  it('is published once when its connection breaks', async () => {
    const thing = `broken-${level}`;
    const watcher = await observer(thing);
    await (await node.open(level, will(thing))).breakOff();
    await watcher.next('publish');
    expect(watcher.all('publish')[0]?.retain).toBe(false);
    // It is gone: the next connection has none.
    const next = await node.open(level, { clientId: `will-${thing}` });
    await next.breakOff();
    await node.update(thing, 10);
    await watcher.next('publish', 2);
    expect(accepted(watcher, thing)).toEqual([9, 10]);
  });

  it('is published when its connection ends for what it sent', async () => {
    const thing = `bad-${level}`;
    const watcher = await observer(thing);
    const client = await node.open(level, will(thing));
    client.send(Buffer.from([0, 0]));
    await watcher.next('publish');
  });

  it('is dropped by DISCONNECT', async () => {
    const thing = `normal-${level}`;
    const watcher = await observer(thing);
    const client = await node.open(level, will(thing));
    client.send({ cmd: 'disconnect' });
    await client.ended();
    await node.update(thing, 1);
    await watcher.next('publish');
    await watcher.settled();
    expect(accepted(watcher, thing)).toEqual([1]);
  });
});

describe('a will of MQTT 5', () => {
  const delayed = (thing: string, seconds: number, sessionExpiryInterval: number): ConnectOptions => ({
    clientId: `will-${thing}`,
    clean: false,
    properties: { sessionExpiryInterval },
    will: {
      topic: `${base(thing)}/update`,
      payload: Buffer.from(JSON.stringify(reported(9))),
      qos: 1,
      retain: false,
      properties: { willDelayInterval: seconds },
    },
  });

  async function observer(thing: string): Promise<RawMqttClient> {
    const client = await node.open(4);
    await client.subscribe(`${base(thing)}/update/accepted`);
    return client;
  }

  it('is published for a DISCONNECT that asks for it', async () => {
    const watcher = await observer('asked');
    const client = await node.open(5, delayed('asked', 0, 0));
    client.send({ cmd: 'disconnect', reasonCode: 4 });
    await watcher.next('publish');
  });

  it('waits for its delay, and is not sent to one who comes back before', async () => {
    const watcher = await observer('back');
    await (await node.open(5, delayed('back', 3600, NEVER))).breakOff();
    await until('the end', () => !node.isConnected('will-back'));
    const back = await node.open(5, { clientId: 'will-back', clean: false });
    await back.settled();
    await node.update('back', 1);
    await watcher.next('publish');
    expect(accepted(watcher, 'back')).toEqual([1]);
  });

  it('does not wait longer than its session', async () => {
    const watcher = await observer('short');
    await (await node.open(5, delayed('short', 3600, 0))).breakOff();
    await watcher.next('publish');
    expect(accepted(watcher, 'short')).toEqual([9]);
  });

  it.each([
    ['a QoS above the maximum', { qos: 2 as const }, 0x9b],
    ['Retain', { retain: true }, 0x9a],
  ])('is refused with its CONNECT for %s', async (_, more, reason) => {
    const client = node.client(5);
    const { will, ...rest } = delayed('refused', 0, 0);
    client.send(
      client.connectPacket({ ...rest, will: { ...(will as object), ...more } as ConnectOptions['will'] & object }),
    );
    await client.ended();
    expect(client.answers.map(codeOf)).toEqual([reason]);
  });
});

describe('MQTT 5', () => {
  it('announces what it does not offer', async () => {
    const client = await node.open(5, { properties: { requestResponseInformation: true } });
    const properties = connack(client).properties as Record<string, unknown>;
    expect(properties).toMatchObject({ maximumQoS: 1, retainAvailable: false, sharedSubscriptionAvailable: false });
    expect(properties).not.toHaveProperty('responseInformation');
    expect(properties).not.toHaveProperty('authenticationMethod');
    expect(properties.topicAliasMaximum ?? 0).toBe(0);
  });

  it('refuses shared subscriptions by name', async () => {
    const client = await node.open(5);
    expect((await client.subscribe(`$share/group/${base('T')}/#`)).granted).toEqual([0x9e]);
  });

  it('refuses authentication methods, and AUTH without one', async () => {
    const refused = node.client(5);
    refused.send(refused.connectPacket({ properties: { authenticationMethod: 'SCRAM-SHA-1' } }));
    await refused.ended();
    expect(refused.answers.map(codeOf)).toEqual([0x8c]);
    const client = await node.open(5);
    client.send({ cmd: 'auth', reasonCode: 0x18, properties: { authenticationMethod: 'm' } });
    await client.ended();
    expect(client.all('disconnect').map(codeOf)).toEqual([0x82]);
  });

  it('refuses topic aliases, of which it has offered none', async () => {
    const client = await node.open(5);
    client.publish(`${base('T')}/get`, '', { properties: { topicAlias: 1 } });
    await client.ended();
    expect(client.all('disconnect').map(codeOf)).toEqual([0x94]);
  });

  it('sends no packet above the Maximum Packet Size of the client, as if it had sent it', async () => {
    const client = await node.open(5, { properties: { maximumPacketSize: 300, receiveMaximum: 1 } });
    await client.subscribe(`${base('small')}/update/accepted`);
    const writer = await node.open(4);
    for (const [i, note] of ['short', 'x'.repeat(600), 'short again'].entries()) {
      writer.publish(`${base('small')}/update`, { state: { reported: { note } } });
      await writer.next('puback', i + 1);
      await client.settled();
      const last = client.all('publish').at(-1);
      if (last) client.send({ cmd: 'puback', messageId: last.messageId as number });
    }
    await client.next('publish', 2);
    const notes = client.all('publish').map(({ payload }) => JSON.parse(String(payload)).state.reported.note as string);
    expect(notes).toEqual(['short', 'short again']);
  });

  it('sends no more than Receive Maximum without an acknowledgement, and goes on with everything else', async () => {
    const client = await node.open(5, { properties: { receiveMaximum: 2 } });
    await client.subscribe(`${base('quota')}/update/accepted`);
    await node.update('quota', 1, 2, 3, 4);
    await client.next('publish', 2);
    await client.settled();
    expect((await client.subscribe(`${base('quota')}/get/+`, { messageId: 2 })).granted).toEqual([1]);
    expect(accepted(client, 'quota')).toEqual([1, 2]);
    client.send({ cmd: 'puback', messageId: client.all('publish')[0]?.messageId as number });
    await client.next('publish', 3);
    await client.settled();
    expect(accepted(client, 'quota')).toEqual([1, 2, 3]);
    // A refusal counts as an acknowledgement, and is never answered with a second try.
    const [, second, third] = client.all('publish').map(({ messageId }) => messageId as number);
    client.send(
      { cmd: 'puback', messageId: second as number, reasonCode: 0x80 },
      { cmd: 'puback', messageId: third as number },
    );
    await client.next('publish', 4);
    expect(accepted(client, 'quota')).toEqual([1, 2, 3, 4]);
  });

  it('keeps what a client refused out of its session', async () => {
    const options = persistent(5, 'refuser');
    const first = await node.open(5, options);
    await first.subscribe(`${base('refuser')}/update/accepted`);
    await node.update('refuser', 1);
    first.send({ cmd: 'puback', messageId: (await first.next('publish')).messageId as number, reasonCode: 0x83 });
    await first.settled();
    await first.breakOff();
    const second = await node.open(5, options);
    await second.settled();
    expect(connack(second).sessionPresent).toBe(true);
    expect(second.all('publish')).toEqual([]);
  });

  it('sends the subscription identifiers of all that match, in one copy', async () => {
    const client = await node.open(5);
    const properties = (subscriptionIdentifier: number) => ({ properties: { subscriptionIdentifier } });
    await client.subscribe(`${base('identified')}/update/+`, properties(7));
    await client.subscribe(`${base('identified')}/update/accepted`, properties(268_435_455));
    await client.subscribe(`${base('identified')}/#`);
    await node.update('identified', 1);
    await client.next('publish');
    await client.settled();
    const copies = client.all('publish').filter(({ topic }) => String(topic).endsWith('/accepted'));
    const [first] = copies.map((copy) => (copy.properties as Record<string, number[]>).subscriptionIdentifier);
    expect(copies).toHaveLength(1);
    expect([...(first ?? [])].sort((a, b) => a - b)).toEqual([7, 268_435_455]);
  });

  it('sends nothing back to a publisher that wants nothing of its own', async () => {
    const filter = `${base('local')}/update`;
    const [deaf, hearing] = [await node.open(5), await node.open(5)];
    await deaf.subscribe(filter, { nl: true });
    await hearing.subscribe(filter, { nl: false });
    deaf.publish(filter, reported(1));
    hearing.publish(filter, reported(2));
    await Promise.all([deaf.next('puback'), hearing.next('publish', 2)]);
    await deaf.next('publish');
    await deaf.settled();
    expect(deaf.all('publish').map(({ payload }) => String(payload))).toEqual([JSON.stringify(reported(2))]);
  });

  it('keeps a session for as long as DISCONNECT says, if its CONNECT asked for one', async () => {
    const options = { clientId: 'longer', clean: false };
    const none = await node.open(5, options);
    none.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 60 } });
    await none.ended();
    expect(none.all('disconnect').map(codeOf)).toEqual([0x82]);
    const kept = await node.open(5, { ...options, properties: { sessionExpiryInterval: 60 } });
    kept.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } });
    await kept.ended();
    expect(kept.all('disconnect')).toEqual([]);
    await until('the end', () => !node.isConnected('longer'));
    expect(connack(await node.open(5, options)).sessionPresent).toBe(false);
  });

  it('sends no reason string and no user property on acknowledgements', async () => {
    const client = await node.open(5, { properties: { requestProblemInformation: false } });
    await client.subscribe('other/topic');
    client.send({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['other/topic'] });
    client.publish('other/topic', 'x', { messageId: 3 });
    const answers = [await client.next('suback'), await client.next('unsuback'), await client.next('puback')];
    for (const { properties } of answers) expect(Object.keys((properties ?? {}) as object)).toEqual([]);
    expect(codeOf(answers[2] as Answer)).toBe(0x87);
  });
});

describe('MQTT 3.1.1', () => {
  it('refuses an empty client identifier without a clean session, with its code', async () => {
    const client = node.client(4);
    const bytes = client.connectPacket({ clientId: '' });
    bytes[9] = 0;
    client.send(bytes);
    await client.ended();
    expect(client.bytes).toEqual(Buffer.from([0x20, 2, 0, 2]));
  });

  it('ends a connection that publishes where it may not, since it has no words for it', async () => {
    const client = await node.open(4);
    client.publish('other/topic', 'x');
    await client.ended();
    expect(client.all('puback')).toEqual([]);
  });
});

describe('WebSockets', () => {
  async function socket(): Promise<WebSocket> {
    const ws = new WebSocket(`ws://127.0.0.1:${await node.attachHttp()}/mqtt`, ['mqtt']);
    await new Promise((resolve, reject) => {
      ws.once('open', resolve);
      ws.once('error', reject);
    });
    return ws;
  }

  const bytes = (): Buffer => node.client(4).connectPacket({ clientId: 'ws' });

  it('end with a frame of text', async () => {
    const ws = await socket();
    const closed = new Promise((resolve) => ws.once('close', resolve));
    ws.send('text');
    await closed;
  });

  it('may cut packets anywhere into frames', async () => {
    const ws = await socket();
    const answers: Buffer[] = [];
    ws.on('message', (data: Buffer, isBinary) => {
      expect(isBinary).toBe(true);
      answers.push(data);
    });
    const all = Buffer.concat([bytes(), Buffer.from([0xc0, 0, 0xc0, 0])]);
    for (let at = 0; at < all.length - 3; at++) ws.send(all.subarray(at, at + 1));
    ws.send(all.subarray(-3));
    await until('the answers', () => Buffer.concat(answers).length >= 8);
    expect(Buffer.concat(answers).toString('hex')).toBe('20020000' + 'd000' + 'd000');
    ws.terminate();
  });
});
