import { accepted, base, codeOf, connack, persistent, reported, StatementsNode } from '../harness/statements-node.js';
import { until } from '../harness/until.js';

/**
 * What the standard demands of connections, sessions and subscriptions, on a socket: docs/mqtt-conformance.md says which
 * test holds which statement.
 */

let node: StatementsNode;
beforeAll(async () => {
  node = await StatementsNode.start();
});
afterAll(() => node.stop());

describe.each([4, 5] as const)('a connection of MQTT version %i', (level) => {
  it('begins with one CONNACK, before everything else', async () => {
    const client = node.client(level);
    client.send(client.connectPacket(), { cmd: 'pingreq' });
    await client.next('pingresp');
    expect(client.answers.map(({ cmd }) => cmd)).toEqual(['connack', 'pingresp']);
    // The flags of CONNACK have no other bit than Session Present.
    expect(client.bytes[2]).toBe(0);
    expect(codeOf(connack(client))).toBe(0);
  });

  it('ends with a second CONNECT', async () => {
    const client = await node.open(level);
    client.send(client.connectPacket());
    await client.ended();
    expect(client.all('disconnect').map(codeOf)).toEqual(level === 5 ? [0x82] : []);
    expect(client.all('connack')).toHaveLength(1);
  });

  it.each([
    ['malformed', [0x36, 3, 0, 1, 0x74], 0x81],
    ['against the protocol', [0x90, 0], 0x82],
  ])('ends with a packet that is %s, and tells an MQTT 5 client why', async (_, bytes, reason) => {
    const client = await node.open(level);
    client.send(Buffer.from(bytes), { cmd: 'pingreq' });
    await client.ended();
    expect(client.all('disconnect').map(codeOf)).toEqual(level === 5 ? [reason] : []);
    // It is the last packet, and nothing behind the bad one was looked at.
    expect(client.answers.map(({ cmd }) => cmd)).toEqual(level === 5 ? ['connack', 'disconnect'] : ['connack']);
  });

  it('does not begin with a CONNECT that is malformed', async () => {
    const client = node.client(level);
    const bytes = client.connectPacket();
    bytes[9] = (bytes[9] as number) | 1;
    client.send(bytes, { cmd: 'pingreq' });
    await client.ended();
    // MQTT 3.1.1 has no words for it (MQTT-3.1.4-1), MQTT 5 has no DISCONNECT before a CONNACK (MQTT-3.14.0-1).
    expect(client.answers.map(({ cmd }) => cmd)).toEqual(level === 5 ? ['connack'] : []);
    expect(client.answers.map(codeOf)).toEqual(level === 5 ? [0x81] : []);
  });

  it('is refused with Session Present 0, and nothing behind the CONNECT is processed', async () => {
    const clientId = 'x'.repeat(129);
    const client = node.client(level);
    const subscriptions = [{ topic: '$aws/#', qos: 1 as const }];
    client.send(
      client.connectPacket({ clientId }),
      { cmd: 'subscribe', messageId: 1, subscriptions },
      { cmd: 'pingreq' },
    );
    await client.ended();
    expect(client.answers.map(({ cmd }) => cmd)).toEqual(['connack']);
    expect(client.bytes[2]).toBe(0);
    expect(codeOf(connack(client))).toBe(level === 5 ? 0x85 : 2);
  });

  it('of another protocol level is told that there is none', async () => {
    const client = node.client(4);
    const bytes = client.connectPacket();
    bytes[8] = 9;
    client.send(bytes);
    await client.ended();
    expect(client.bytes).toEqual(Buffer.from([0x20, 2, 0, 1]));
  });

  it('may have every client identifier that the standard names', async () => {
    const clientIds = ['0', 'zZ9', '0123456789abcdefghijklm', 'nopqrstuvwxyzABCDEFGHIJ', 'KLMNOPQRSTUVWXYZ'];
    for (const clientId of clientIds) {
      const client = await node.open(level, { clientId });
      expect(codeOf(connack(client))).toBe(0);
      await client.breakOff();
    }
  });

  it('gets a client identifier of its own for an empty one', async () => {
    const both = [await node.open(level, { clientId: '' }), await node.open(level, { clientId: '' })];
    await Promise.all(both.map((client) => client.settled()));
    const assigned = both.map((client) => connack(client).properties as Record<string, unknown> | undefined);
    const ids = assigned.map((properties) => properties?.assignedClientIdentifier);
    if (level === 5) expect(new Set(ids.filter((id) => typeof id === 'string' && id.length > 0)).size).toBe(2);
    else expect(ids).toEqual([undefined, undefined]);
  });

  it('takes the place of the one with its client identifier', async () => {
    const clientId = `taken-${level}`;
    const first = await node.open(level, { clientId });
    const second = await node.open(level, { clientId });
    await first.ended();
    expect(first.all('disconnect').map(codeOf)).toEqual(level === 5 ? [0x8e] : []);
    await second.settled();
  });

  it('ends when nothing comes for one and a half times its keep-alive', async () => {
    const client = await node.open(level, { keepalive: 1 });
    await client.ended();
    expect(client.all('disconnect').map(codeOf)).toEqual(level === 5 ? [0x8d] : []);
  });

  it('answers every PINGREQ', async () => {
    const client = await node.open(level);
    client.send({ cmd: 'pingreq' }, { cmd: 'pingreq' });
    await client.next('pingresp', 2);
  });

  it('ends with DISCONNECT, and nothing behind it is processed', async () => {
    const client = await node.open(level);
    client.send({ cmd: 'disconnect' }, { cmd: 'pingreq' });
    await client.ended();
    expect(client.answers.map(({ cmd }) => cmd)).toEqual(['connack']);
  });
});

describe.each([4, 5] as const)('a session of MQTT version %i', (level) => {
  it('is new for a clean start, resumed otherwise, and new where there is none', async () => {
    const clientId = `session-${level}`;
    const present: unknown[] = [];
    for (const clean of [true, false, false, true, false]) {
      const client = await node.open(level, { ...persistent(level, clientId), clean });
      present.push(connack(client).sessionPresent);
      await client.breakOff();
      await until('the end', () => !node.isConnected(clientId));
    }
    // In MQTT 3.1.1 a clean session ends with its connection; in MQTT 5 it lasts as long as its expiry says.
    expect(present).toEqual([false, level === 5, true, false, level === 5]);
  });

  it('that is not to be kept ends with its connection', async () => {
    const clientId = `transient-${level}`;
    const first = await node.open(level, { clientId, clean: level === 4 });
    await first.subscribe(`${base(clientId)}/update/accepted`);
    await first.breakOff();
    await until('the end', () => !node.isConnected(clientId));
    const second = await node.open(level, { clientId, clean: false });
    expect(connack(second).sessionPresent).toBe(false);
    await node.update(clientId, 1);
    await second.settled();
    expect(second.all('publish')).toEqual([]);
  });

  it('sends again what was not acknowledged: with DUP, its identifier, in its order, and only then', async () => {
    const clientId = `again-${level}`;
    const first = await node.open(level, persistent(level, clientId));
    await first.subscribe(`${base(clientId)}/update/accepted`);
    await node.update(clientId, 1, 2, 3);
    await first.next('publish', 3);
    const sent = first.all('publish');
    expect(new Set(sent.map(({ messageId }) => messageId)).size).toBe(3);
    expect(sent.map(({ messageId }) => messageId)).not.toContain(0);
    expect(sent.map(({ dup, qos, retain }) => [dup, qos, retain])).toEqual(Array(3).fill([false, 1, false]));
    first.send({ cmd: 'puback', messageId: sent[0]?.messageId as number });
    await first.settled();
    expect(first.all('publish')).toHaveLength(3);
    await first.breakOff();
    const second = await node.open(level, persistent(level, clientId));
    await second.next('publish', 2);
    await second.settled();
    const again = second.all('publish');
    expect(again.map(({ messageId }) => messageId)).toEqual(sent.slice(1).map(({ messageId }) => messageId));
    expect(again.map(({ dup }) => dup)).toEqual([true, true]);
    expect(accepted(second, clientId)).toEqual([2, 3]);
  });

  it('takes an identifier for a new message as soon as it was acknowledged, whatever DUP says', async () => {
    const thing = `reused-${level}`;
    const client = await node.open(level);
    await client.subscribe(`${base(thing)}/update/accepted`);
    for (const [i, dup] of [false, true, true].entries()) {
      client.publish(`${base(thing)}/update`, reported(i), { messageId: 77, dup });
      expect((await client.next('puback', i + 1)).messageId).toBe(77);
    }
    await client.next('publish', 3);
    expect(accepted(client, thing)).toEqual([0, 1, 2]);
  });

  it('gets what was published while nobody was connected', async () => {
    const clientId = `away-${level}`;
    const first = await node.open(level, persistent(level, clientId));
    await first.subscribe(`${base(clientId)}/update/accepted`);
    await first.breakOff();
    await until('the end', () => !node.isConnected(clientId));
    await node.update(clientId, 1, 2);
    const second = await node.open(level, persistent(level, clientId));
    await second.next('publish', 2);
    expect(accepted(second, clientId)).toEqual([1, 2]);
    expect(second.all('publish').map(({ dup }) => dup)).toEqual([false, false]);
  });
});

describe.each([4, 5] as const)('subscriptions of MQTT version %i', (level) => {
  const NOT_GRANTED = level === 5 ? 0x87 : 0x80;

  it('are answered with the identifier of the SUBSCRIBE and a code for each filter, in their order', async () => {
    const client = await node.open(level);
    const filters = ['other/topic', `${base('order')}/update/+`, '#', `${base('order')}/get/+`];
    const answer = await client.subscribe(filters, { messageId: 0x1234 });
    expect(answer.messageId).toBe(0x1234);
    expect(answer.granted).toEqual([NOT_GRANTED, 1, NOT_GRANTED, 1]);
  });

  it('are granted at most QoS 1, and messages have the lower QoS of the two', async () => {
    const client = await node.open(level);
    const subscriptions = [
      { topic: `${base(`low-${level}`)}/update/accepted`, qos: 0 },
      { topic: `${base(`high-${level}`)}/update/accepted`, qos: 2 },
    ];
    client.send({ cmd: 'subscribe', messageId: 5, subscriptions });
    expect((await client.next('suback')).granted).toEqual([0, 1]);
    await node.update(`low-${level}`, 1);
    await node.update(`high-${level}`, 1);
    await client.next('publish', 2);
    expect(client.all('publish').map(({ qos }) => qos)).toEqual([0, 1]);
  });

  it('are replaced by those with the same filter', async () => {
    const thing = `replaced-${level}`;
    const client = await node.open(level);
    await client.subscribe(`${base(thing)}/update/accepted`, { qos: 1 });
    await client.subscribe(`${base(thing)}/update/accepted`, { qos: 0 });
    await node.update(thing, 1);
    await client.next('publish');
    await client.settled();
    expect(client.all('publish').map(({ qos }) => qos)).toEqual([0]);
  });

  it('that overlap bring one copy, with the highest QoS of them', async () => {
    const thing = `overlap-${level}`;
    const client = await node.open(level);
    await client.subscribe(`${base(thing)}/update/+`, { qos: 0 });
    await client.subscribe(`${base(thing)}/update/accepted`, { qos: 1 });
    await client.subscribe(`${base(thing)}/#`, { qos: 0 });
    await node.update(thing, 1);
    await client.next('publish');
    await client.settled();
    const copies = client.all('publish').filter(({ topic }) => topic === `${base(thing)}/update/accepted`);
    expect(copies.map(({ qos }) => qos)).toEqual([1]);
  });

  it('end with UNSUBSCRIBE, which is answered whether there were any or not', async () => {
    const thing = `ended-${level}`;
    const topic = `${base(thing)}/update/accepted`;
    const client = await node.open(level);
    await client.subscribe([topic, `${base(thing)}/get/+`]);
    // The filter is compared character by character: a wildcard does not stand for another filter.
    client.send({ cmd: 'unsubscribe', messageId: 21, unsubscriptions: [`${base(thing)}/#`, `${base(thing)}/get/+`] });
    const first = await client.next('unsuback');
    expect(first.messageId).toBe(21);
    if (level === 5) expect(first.granted).toEqual([0x11, 0]);
    await node.update(thing, 1);
    await client.next('publish');
    client.send({ cmd: 'unsubscribe', messageId: 22, unsubscriptions: [topic] });
    expect((await client.next('unsuback', 2)).messageId).toBe(22);
    await node.update(thing, 2);
    await client.settled();
    expect(accepted(client, thing)).toEqual([1]);
    // What was begun is completed.
    client.send({ cmd: 'puback', messageId: client.all('publish')[0]?.messageId as number });
    await client.settled();
  });
});
