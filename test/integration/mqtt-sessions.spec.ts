import { pino } from 'pino';
import type { Socket } from 'node:net';
import type { IClientOptions } from 'mqtt';
import { ServiceError } from '../../src/errors/service-error.js';
import { OtherReply } from '../../src/mqtt/built-in/connections/reply.js';
import type { Connection } from '../../src/mqtt/built-in/connections/connection.js';
import { startMqttNode, type MqttNode, type TestClient } from '../harness/mqtt-node.js';
import { until } from '../harness/until.js';

const base = (thing: string, name?: string): string =>
  `$aws/things/${thing}/shadow${name === undefined ? '' : `/name/${name}`}`;
const versions = (client: TestClient, topic: string): number[] =>
  client.received.filter((message) => message.topic === topic).map(({ json }) => json.version as number);
const desire = (n: number) => ({ state: { desired: { n } } });

const persistent = (protocolVersion: 4 | 5, clientId: string): IClientOptions => ({
  protocolVersion,
  clientId,
  clean: false,
  ...(protocolVersion === 5 && { properties: { sessionExpiryInterval: 600 } }),
});

async function leave(node: MqttNode, client: TestClient): Promise<void> {
  client.mqtt.end(true);
  await until(
    'the end of the connection',
    () => !node.broker.clients().some(({ clientId }) => clientId === client.mqtt.options.clientId),
  );
}

/** A `get` that was answered: everything sent to the client before it is there. */
async function settle(client: TestClient, thing: string): Promise<void> {
  const topic = `${base(thing)}/get`;
  await client.subscribe(`${topic}/+`);
  const before = client.topics().filter((one) => one.startsWith(`${topic}/`)).length;
  await client.publish(topic);
  await until('an answer', () => client.topics().filter((one) => one.startsWith(`${topic}/`)).length > before);
}

describe.each([4, 5] as const)('sessions as plain MQTT has them, version %i', (protocolVersion) => {
  let node: MqttNode;
  beforeAll(async () => {
    node = await startMqttNode({ mqtt: { deltaOnSubscribe: false, maxSessionMessages: 50 } });
  });
  afterAll(() => node.stop());

  it('keeps QoS 1 messages, deltas included, in their order, and goes on live behind them', async () => {
    const options = persistent(protocolVersion, `order-${protocolVersion}`);
    const topic = base(`order-${protocolVersion}`);
    const first = await node.connect(options);
    await first.subscribe(`${topic}/update/+`);
    await leave(node, first);
    const writer = await node.connect();
    await writer.publish(`${topic}/update`, desire(1));
    await writer.publish(`${topic}/update`, desire(2));
    const again = await node.connect(options);
    await writer.publish(`${topic}/update`, desire(3));
    await again.next(`${topic}/update/accepted`, 3);
    expect(versions(again, `${topic}/update/accepted`)).toEqual([1, 2, 3]);
    expect(versions(again, `${topic}/update/delta`)).toEqual([1, 2, 3]);
    // Everything was acknowledged: the next connection gets nothing again.
    await until('the acknowledgements', () => node.broker.sessions.session(again.mqtt.options.clientId!)?.kept === 0);
    await leave(node, again);
    const third = await node.connect(options);
    await settle(third, 'nothing-there');
    expect(versions(third, `${topic}/update/accepted`)).toEqual([]);
  });

  it('sends again what was not acknowledged', async () => {
    const options = persistent(protocolVersion, `unacked-${protocolVersion}`);
    const topic = base(`unacked-${protocolVersion}`);
    const first = await node.connect(options);
    await first.subscribe(`${topic}/update/accepted`);
    // mqtt.js acknowledges when this calls back.
    first.mqtt.handleMessage = () => {};
    const writer = await node.connect();
    await writer.publish(`${topic}/update`, desire(1));
    await writer.publish(`${topic}/update`, desire(2));
    await until('both in the session', () => node.broker.sessions.session(options.clientId!)?.kept === 2);
    await first.next(`${topic}/update/accepted`);
    await leave(node, first);
    const again = await node.connect(options);
    await again.next(`${topic}/update/accepted`, 2);
    expect(again.received.map(({ json, dup }) => [json.version, dup])).toEqual([
      [1, true],
      [2, true],
    ]);
  });

  it('keeps no more than it may: the oldest go', async () => {
    const options = persistent(protocolVersion, `full-${protocolVersion}`);
    const topic = base(`full-${protocolVersion}`);
    const first = await node.connect(options);
    await first.subscribe(`${topic}/update/accepted`);
    await leave(node, first);
    const writer = await node.connect();
    for (let n = 1; n <= 60; n++) await writer.publish(`${topic}/update`, desire(n));
    const again = await node.connect(options);
    await again.next(`${topic}/update/accepted`, 50);
    await settle(again, 'nothing-there');
    expect(versions(again, `${topic}/update/accepted`)).toEqual(Array.from({ length: 50 }, (_, i) => i + 11));
  });

  it('forgets the session when the client asks for a clean one', async () => {
    const options = persistent(protocolVersion, `clean-${protocolVersion}`);
    const topic = base(`clean-${protocolVersion}`);
    const first = await node.connect(options);
    await first.subscribe(`${topic}/update/accepted`);
    await leave(node, first);
    const writer = await node.connect();
    await writer.publish(`${topic}/update`, desire(1));
    await leave(node, await node.connect({ ...options, clean: true }));
    // MQTT 5 begins a new session, whose expiry the client has named.
    const session = node.broker.sessions.session(options.clientId!);
    expect(session === undefined).toBe(protocolVersion === 4);
    expect([session?.granted.length ?? 0, session?.kept ?? 0]).toEqual([0, 0]);
  });
});

it('is sent after a hole in the feed to sessions that were away then, although they keep deltas', async () => {
  const node = await startMqttNode({ mqtt: { deltaOnSubscribe: false } });
  try {
    const topic = `${base('hole')}/update/delta`;
    const first = await node.connect(persistent(4, 'hole'));
    await first.subscribe(topic);
    await leave(node, first);
    // A change that the feed did not tell, and what the publisher does then.
    const key = { tenant: 'default', thing: 'hole', name: null };
    const state = { version: 7, desired: { n: 7 }, metadata: { desired: { n: { timestamp: 1 } } } };
    const change = { kind: 'update' as const, patch: null, principal: 'anonymous', at: node.clock.now() };
    const { broker } = node;
    const wants = broker.wants.bind(broker);
    broker.wants = () => false;
    const passed = new Promise<void>((resolve) => node.hub.follow({ batch: () => resolve(), gap: () => {} }));
    await node.store.update(key, () => ({ state, change }), { deadline: node.clock.monotonic() + 1000 });
    await passed;
    broker.wants = wants;
    node.currentDeltas.sendToAll();
    const again = await node.connect(persistent(4, 'hole'));
    expect((await again.next(topic)).json).toMatchObject({ version: 7, state: { n: 7 } });
    // Only once: the next time nothing was missed.
    await leave(node, again);
    const third = await node.connect(persistent(4, 'hole'));
    await settle(third, 'elsewhere');
    expect(versions(third, topic).filter((version) => version === 7)).toEqual([]);
  } finally {
    await node.stop();
  }
});

it('a connection that is taken over behind a full socket ends at once', async () => {
  const node = await startMqttNode({ mqtt: { drainTimeoutMs: 60_000, maxBacklogBytes: 64 * 1024 * 1024 } });
  try {
    const stuck = await node.connect({ clientId: 'flapping', protocolVersion: 5 });
    const topic = base('flapping');
    await stuck.subscribe(`${topic}/#`);
    (stuck.mqtt.stream as Socket).pause();
    const old = node.broker.clients().find(({ clientId }) => clientId === 'flapping') as Connection;
    const writer = await node.connect();
    while (!old.outbox.isBlocked) {
      await writer.publish(`${topic}/update`, { state: { desired: { a: 'x'.repeat(7000) } } });
    }
    const second = await node.connect({ clientId: 'flapping', protocolVersion: 5 });
    expect([old.isOpen, old.stream.destroyed]).toEqual([false, true]);
    second.mqtt.end(true);
    await until('its end', () => !node.broker.clients().some(({ clientId }) => clientId === 'flapping'));
    await node.connect({ clientId: 'flapping', protocolVersion: 5 });
    await until('its place', () => node.broker.clients().some(({ clientId }) => clientId === 'flapping'));
  } finally {
    await node.stop();
  }
});

it('a connection that is taken over in the middle of its messages is told so', async () => {
  const node = await startMqttNode();
  try {
    const first = await node.connect({ clientId: 'busy', protocolVersion: 5, reconnectPeriod: 0 });
    const topic = base('busy');
    await first.subscribe(`${topic}/#`);
    const reason = new Promise((resolve) => first.mqtt.once('disconnect', ({ reasonCode }) => resolve(reasonCode)));
    const old = node.broker.clients().find(({ clientId }) => clientId === 'busy') as Connection;
    const { sessions } = node.broker;
    const open = sessions.open.bind(sessions);
    // Whatever the moment: something that has not left yet is there.
    sessions.open = (...args) => {
      old.reply(new OtherReply((writer) => writer.pingresp()));
      old.stream.cork();
      return open(...args);
    };
    await node.connect({ clientId: 'busy', protocolVersion: 5 });
    expect(await reason).toBe(0x8e);
  } finally {
    await node.stop();
  }
});

describe.each([4, 5] as const)('the current delta, version %i', (protocolVersion) => {
  let node: MqttNode;
  let writer: TestClient;
  beforeAll(async () => {
    node = await startMqttNode({ mqtt: { deltaOnSubscribe: true } });
    writer = await node.connect();
  });
  afterAll(() => node.stop());

  it('is sent once on resuming, instead of the deltas that were missed', async () => {
    const thing = `resume-${protocolVersion}`;
    const topic = base(thing);
    const options = persistent(protocolVersion, thing);
    const first = await node.connect(options);
    await first.subscribe(`${topic}/update/+`);
    await leave(node, first);
    for (let n = 1; n <= 5; n++) await writer.publish(`${topic}/update`, desire(n));
    const again = await node.connect(options);
    await again.next(`${topic}/update/delta`);
    await again.next(`${topic}/update/accepted`, 5);
    await settle(again, thing);
    expect(versions(again, `${topic}/update/delta`)).toEqual([5]);
    expect(versions(again, `${topic}/update/accepted`)).toEqual([1, 2, 3, 4, 5]);
    await writer.publish(`${topic}/update`, desire(6));
    await again.next(`${topic}/update/delta`, 2);
    expect(versions(again, `${topic}/update/delta`)).toEqual([5, 6]);
  });

  it('is sent to a new subscriber alone, only if there is one', async () => {
    const thing = `fresh-${protocolVersion}`;
    const topic = base(thing);
    const other = await node.connect({ protocolVersion });
    await other.subscribe(`${topic}/update/delta`);
    await writer.publish(`${topic}/update`, desire(1));
    await other.next(`${topic}/update/delta`);
    const client = await node.connect({ protocolVersion });
    await client.subscribe([`${topic}/update/delta`], 0);
    expect(await client.next(`${topic}/update/delta`)).toMatchObject({ qos: 0, json: { version: 1, state: { n: 1 } } });
    await writer.publish(`${topic}/update`, { state: { reported: { n: 1 } } });
    const late = await node.connect({ protocolVersion });
    await late.subscribe(`${topic}/update/delta`);
    await settle(late, thing);
    expect(versions(late, `${topic}/update/delta`)).toEqual([]);
    expect(versions(other, `${topic}/update/delta`)).toEqual([1]);
  });

  it('covers the shadows of a wildcard below a thing, and none of a wildcard across things', async () => {
    const thing = `wild-${protocolVersion}`;
    for (const name of [undefined, 'a', 'b', 'same']) await writer.publish(`${base(thing, name)}/update`, desire(1));
    await writer.publish(`${base(thing, 'same')}/update`, { state: { reported: { n: 1 } } });
    const all = await node.connect({ protocolVersion });
    await all.subscribe(`${base(thing)}/#`);
    for (const name of [undefined, 'a', 'b']) await all.next(`${base(thing, name)}/update/delta`);
    const named = await node.connect({ protocolVersion });
    await named.subscribe(`${base(thing)}/name/+/update/delta`);
    for (const name of ['a', 'b']) await named.next(`${base(thing, name)}/update/delta`);
    const everywhere = await node.connect({ protocolVersion });
    await everywhere.subscribe('$aws/things/+/shadow/update/delta');
    for (const client of [all, named, everywhere]) await settle(client, thing);
    const deltas = (client: TestClient) => client.topics().filter((topic) => topic.endsWith('delta')).length;
    expect([all, named, everywhere].map(deltas)).toEqual([3, 2, 0]);
  });

  it('is sent again to whoever subscribes again, and nothing is noted of what nobody is subscribed to', async () => {
    const thing = `again-${protocolVersion}`;
    const topic = base(thing);
    await writer.publish(`${topic}/update`, desire(1));
    const client = await node.connect({ protocolVersion, clientId: thing });
    for (let n = 1; n <= 3; n++) {
      await client.subscribe(`${topic}/update/delta`);
      await client.next(`${topic}/update/delta`, n);
      await client.mqtt.unsubscribeAsync(`${topic}/update/delta`);
    }
    for (let n = 0; n < 20; n++) {
      await client.subscribe([`${base(`${thing}-${n}`)}/#`, `${base(`${thing}-${n}`, 'a')}/update/delta`]);
      await client.mqtt.unsubscribeAsync([`${base(`${thing}-${n}`)}/#`, `${base(`${thing}-${n}`, 'a')}/update/delta`]);
    }
    await settle(client, thing);
    const connected = node.broker.clients().find(({ clientId }) => clientId === thing);
    expect(connected?.deltaRevisions?.size).toBe(0);
  });

  it('never follows a newer one, and comes to every subscriber again after a gap', async () => {
    const thing = `race-${protocolVersion}`;
    const topic = base(thing);
    await writer.publish(`${topic}/update`, desire(1));
    const clients: TestClient[] = [];
    const writes = (async () => {
      for (let n = 2; n <= 40; n++) await writer.publish(`${topic}/update`, desire(n));
    })();
    for (let i = 0; i < 10; i++) {
      const client = await node.connect({ protocolVersion });
      clients.push(client);
      await client.subscribe(`${topic}/update/delta`);
    }
    await writes;
    for (const client of clients) {
      await until('the last delta', () => versions(client, `${topic}/update/delta`).at(-1) === 40);
      const seen = versions(client, `${topic}/update/delta`);
      expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
      expect(seen).toEqual(Array.from({ length: seen.length }, (_, i) => 41 - seen.length + i));
      client.received.length = 0;
    }
    // What the publisher does on a gap of the hub.
    node.currentDeltas.sendToAll();
    for (const client of clients) expect((await client.next(`${topic}/update/delta`)).json.version).toBe(40);
  });
});

it('is read again when the storage did not answer, with one line for the outage and one for its end', async () => {
  let failures = 12;
  const lines: string[] = [];
  const logger = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
  const node = await startMqttNode({
    logger,
    mqtt: { deltaOnSubscribe: true },
    wrap: (store) =>
      new Proxy(store, {
        get: (target, member) => {
          const value = Reflect.get(target, member) as unknown;
          if (member === 'get' && failures > 0) {
            return () => {
              failures--;
              return Promise.reject(new ServiceError('storageUnavailable'));
            };
          }
          return typeof value === 'function' ? value.bind(target) : value;
        },
      }),
  });
  try {
    const client = await node.connect();
    await client.publish(`${base('T')}/update`, desire(1));
    const unbudgeted = node.broker.budget.used;
    const readers = await Promise.all(Array.from({ length: 4 }, () => node.connect()));
    for (const reader of readers) await reader.subscribe(`${base('T')}/update/delta`);
    for (const reader of readers) await reader.next(`${base('T')}/update/delta`);
    expect(failures).toBe(0);
    const about = (text: string): string[] => lines.filter((line) => line.includes(text));
    expect(about('current deltas could not be read; trying again')).toHaveLength(1);
    expect(about('current deltas can be read again')).toHaveLength(1);
    // What is noted of each client counts, and is given back.
    expect(node.broker.budget.used).toBeGreaterThan(unbudgeted + 4 * 100);
    for (const { mqtt } of readers) mqtt.end(true);
    await until('the room is back', () => node.broker.budget.used === unbudgeted);
  } finally {
    await node.stop();
  }
});

it('ends sessions that are away too long', async () => {
  const node = await startMqttNode({ mqtt: { sessionSeconds: 60 } });
  try {
    const client = await node.connect(persistent(4, 'away'));
    await client.subscribe(`${base('away')}/update/accepted`);
    await leave(node, client);
    expect(node.broker.sessions.size).toBe(1);
    node.clock.advance(60_000);
    node.broker.sessions.expire();
    expect(node.broker.sessions.size).toBe(0);
  } finally {
    await node.stop();
  }
});
