import { ServiceError } from '../../src/errors/service-error.js';
import type { ShadowStore } from '../../src/store/shadow-store.js';
import { startMqttNode, type MqttNode } from '../harness/mqtt-node.js';
import { until } from '../harness/until.js';

/** A memory store whose updates wait, or end otherwise, as a test says. */
class Interposed {
  gate: Promise<void> = Promise.resolve();
  failures: Error[] = [];
  waiting = 0;

  readonly wrap = (store: ShadowStore): ShadowStore =>
    new Proxy(store, {
      get: (target, member) => {
        if (member === 'update') return (...args: Parameters<ShadowStore['update']>) => this.#update(target, args);
        const value = Reflect.get(target, member) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });

  async #update(store: ShadowStore, args: Parameters<ShadowStore['update']>) {
    this.waiting++;
    await this.gate;
    this.waiting--;
    const failure = this.failures.shift();
    if (failure instanceof ServiceError && failure.code === 'outcomeUnknown') await store.update(...args);
    if (failure) throw failure;
    return store.update(...args);
  }
}

const TOPIC = '$aws/things/T/shadow';
const UPDATE = { state: { reported: { a: 1 } }, clientToken: 't' };

describe.each([4, 5] as const)('PUBACK, MQTT version %i', (protocolVersion) => {
  const store = new Interposed();
  let node: MqttNode;

  beforeEach(async () => {
    node = await startMqttNode({ wrap: store.wrap });
  });
  afterEach(() => node.stop());

  it('comes after the commit, and other clients do not wait', async () => {
    let open = (): void => {};
    store.gate = new Promise((resolve) => (open = resolve));
    const client = await node.connect({ protocolVersion });
    let acknowledged = false;
    const update = client.publish(`${TOPIC}/update`, UPDATE).then(() => (acknowledged = true));
    await until('the update in the store', () => store.waiting === 1);
    const other = await node.connect();
    await other.subscribe(`${TOPIC}/get/+`);
    await other.publish(`${TOPIC}/get`);
    expect((await other.next(`${TOPIC}/get/rejected`)).json.code).toBe(404);
    expect(acknowledged).toBe(false);
    open();
    await update;
    expect(node.store.records).toHaveLength(1);
  });

  it('comes for what was rejected, with the reason on the topic', async () => {
    store.failures = [new ServiceError('storageUnavailable'), new ServiceError('storageFull')];
    const client = await node.connect({ protocolVersion });
    await client.subscribe(`${TOPIC}/update/+`);
    await client.publish(`${TOPIC}/update`, UPDATE);
    await client.publish(`${TOPIC}/update`, UPDATE);
    const codes = [await client.next(`${TOPIC}/update/rejected`), await client.next(`${TOPIC}/update/rejected`, 2)];
    expect(codes.map(({ json }) => [json.code, json.clientToken])).toEqual([
      [503, 't'],
      [503, 't'],
    ]);
  });

  it.each([
    ['an unknown outcome', new ServiceError('outcomeUnknown')],
    ['an unforeseen error', new Error('surprise')],
  ])(
    'does not come for %s: the connection ends, nobody reads "rejected", and the device sends again',
    async (_, error) => {
      store.failures = [error];
      const watcher = await node.connect();
      await watcher.subscribe(`${TOPIC}/update/+`);
      const device = await node.connect({ protocolVersion, reconnectPeriod: 50, clientId: 'device' });
      await device.publish(`${TOPIC}/update`, UPDATE);
      expect(device.closed).toBe(true);
      const times = error instanceof ServiceError ? 2 : 1;
      await watcher.next(`${TOPIC}/update/accepted`, times);
      expect(watcher.topics()).not.toContain(`${TOPIC}/update/rejected`);
    },
  );

  it('comes in the order of the requests', async () => {
    let open = (): void => {};
    store.gate = new Promise((resolve) => (open = resolve));
    const client = await node.connect({ protocolVersion });
    const order: string[] = [];
    const slow = client.publish(`${TOPIC}/update`, UPDATE).then(() => order.push('update'));
    const fast = client.publish(`${TOPIC}/get`).then(() => order.push('get'));
    await until('the update in the store', () => store.waiting === 1);
    open();
    await Promise.all([slow, fast]);
    expect(order).toEqual(['update', 'get']);
  });

  it('is awaited by a shutdown, which then tells subscribers what was committed', async () => {
    let open = (): void => {};
    store.gate = new Promise((resolve) => (open = resolve));
    const client = await node.connect({ protocolVersion });
    await client.subscribe(`${TOPIC}/update/accepted`);
    let reason: number | undefined;
    client.mqtt.on('disconnect', (packet) => (reason = packet.reasonCode));
    const update = client.publish(`${TOPIC}/update`, UPDATE);
    await until('the update in the store', () => store.waiting === 1);
    const drained = node.transport.drain();
    await expect(node.connect()).rejects.toThrow();
    expect(node.transport.health).toMatchObject({ ok: false, reason: 'draining', connections: 1 });
    open();
    await Promise.all([update, drained]);
    await until('the end of the connection', () => client.closed);
    expect(client.topics()).toEqual([`${TOPIC}/update/accepted`]);
    expect(reason).toBe(protocolVersion === 5 ? 0x8b : undefined);
    expect(node.broker.connections).toBe(0);
  });
});

describe('a drain that spreads', () => {
  const SERVERS = 'a.example.com:8883 b.example.com';
  const CLIENTS = 30;

  /** Connects clients of both versions, and notes when each is told to go, and what it is told. */
  async function clientsOf(node: MqttNode) {
    const gone: number[] = [];
    const told: unknown[] = [];
    const clients = [];
    for (let i = 0; i < CLIENTS; i++) {
      const payload = Buffer.from('{"state":{"reported":{"connected":false}}}');
      const will = { topic: `$aws/things/drained-${i}/shadow/update`, payload, qos: 1 as const, retain: false };
      const client = await node.connect({ protocolVersion: i % 2 === 0 ? 5 : 4, will });
      client.mqtt.on('disconnect', ({ reasonCode, properties }) =>
        told.push([reasonCode, properties?.serverReference]),
      );
      client.mqtt.on('close', () => gone.push(performance.now()));
      clients.push(client);
    }
    return { clients, gone, told };
  }

  it('closes connections one after the other, names another server, and serves those that wait for their turn', async () => {
    const mqtt = { serverReference: SERVERS };
    const node = await startMqttNode({ config: { drainSpreadMs: 5_000, drainGraceMs: 100 }, mqtt });
    const { clients, gone, told } = await clientsOf(node);
    const start = performance.now();
    const drained = node.transport.drain();
    await until('the first end', () => gone.length > 0);
    expect(node.transport.health.reason).toBe('draining');
    // Its turn is the last.
    await clients.at(-1)!.publish(`${TOPIC}/update`, UPDATE);
    // This one has gone by itself.
    clients.at(-2)!.mqtt.stream.destroy();
    await drained;
    await until('the end of all', () => gone.length === CLIENTS);
    expect(told).toEqual(Array.from({ length: CLIENTS / 2 - 1 }, () => [0x9c, SERVERS]));
    expect(gone[0]! - start).toBeGreaterThanOrEqual(100);
    // 20 ms for each of them, although the spread is longer.
    expect(gone.at(-1)! - gone[0]!).toBeGreaterThan(400);
    expect(performance.now() - start).toBeLessThan(5_000);
    // The others go on elsewhere: their wills are not carried out.
    expect(node.store.records.map(({ key }) => key.thing)).toEqual(['T', `drained-${CLIENTS - 2}`]);
    await node.stop();
  });

  it('some are asked to use another node, and the others stay', async () => {
    const node = await startMqttNode();
    const { clients, gone, told } = await clientsOf(node);
    const shedding = node.transport.shed(20, 300);
    expect(shedding.connections).toBe(20);
    await shedding.done;
    await until('the end of some', () => gone.length === 20);
    expect([shedding.closed, shedding.isDone, node.broker.connections]).toEqual([20, true, 10]);
    expect(new Set(told.map(String))).toEqual(new Set([String([0x9c, undefined])]));
    expect(gone.at(-1)! - gone[0]!).toBeGreaterThan(150);
    const staying = clients.filter((each) => !each.closed);
    await Promise.all(staying.map((each) => each.publish(`${TOPIC}/get`)));
    expect(node.store.records).toEqual([]);
    await node.stop();
    expect(node.transport.shed(5, 0).connections).toBe(0);
  });

  it('ends within its bound although a request is never answered', async () => {
    const store = new Interposed();
    let open = (): void => {};
    store.gate = new Promise((resolve) => (open = resolve));
    const config = { drainSpreadMs: 5_000, drainTimeoutMs: 1_500 };
    const node = await startMqttNode({ wrap: store.wrap, config });
    const { clients, gone } = await clientsOf(node);
    clients[0]!.publish(`${TOPIC}/update`, UPDATE).catch(() => undefined);
    await until('the update in the store', () => store.waiting === 1);
    const start = performance.now();
    await node.transport.drain();
    expect(performance.now() - start).toBeLessThan(4_000);
    await until('the end of all', () => gone.length === CLIENTS);
    open();
    await node.stop();
  });
});
