import { connect, type Socket } from 'node:net';
import mqttPacket from 'mqtt-packet';
import { pino } from 'pino';
import { MAX_IN_FLIGHT } from '../../src/mqtt/request-queue.js';
import type { ShadowStore } from '../../src/store/shadow-store.js';
import { startMqttNode, type MqttNode } from '../harness/mqtt-node.js';
import { until } from '../harness/until.js';

const TOPIC = '$aws/things/T/shadow';
const KIB = 1024;

/** A client that is only a socket: it reads when the test says so. */
async function rawClient(node: MqttNode, clientId: string, protocolVersion: 4 | 5 = 4): Promise<Socket> {
  const socket = connect(node.port, '127.0.0.1');
  socket.on('error', () => {});
  const protocol = { protocolId: 'MQTT' as const, protocolVersion };
  socket.write(mqttPacket.generate({ cmd: 'connect', clientId, clean: true, keepalive: 0, ...protocol }));
  await new Promise((resolve) => socket.once('data', resolve));
  return socket;
}

describe('a subscriber that takes nothing', () => {
  const lines: { msg: string; clientId?: string; reason?: string }[] = [];
  const logger = pino({ level: 'warn' }, { write: (line: string) => void lines.push(JSON.parse(line) as never) });
  let node: MqttNode;
  beforeAll(async () => {
    node = await startMqttNode({ logger, mqtt: { maxBacklogBytes: 256 * KIB, drainTimeoutMs: 60_000 } });
  });
  afterAll(() => node.stop());

  it.each([4, 5] as const)('is cut off at its limit while others go on (version %i)', async (version) => {
    const frozen = await rawClient(node, `frozen-${version}`, version);
    const subscriptions = [{ topic: `${TOPIC}/#`, qos: 1 as const }];
    frozen.write(mqttPacket.generate({ cmd: 'subscribe', messageId: 1, subscriptions }, { protocolVersion: version }));
    await new Promise((resolve) => frozen.once('data', resolve));
    frozen.pause();
    let closed = false;
    frozen.once('close', () => (closed = true));
    const healthy = await node.connect();
    await healthy.subscribe(`${TOPIC}/update/accepted`);
    const isConnected = (): boolean => node.broker.clients().some(({ clientId }) => clientId === `frozen-${version}`);
    let most = 0;
    let updates = 0;
    while (isConnected()) {
      if (++updates > 5000) throw new Error('it is never cut off');
      await healthy.publish(`${TOPIC}/update`, { state: { desired: { a: 'x'.repeat(7000) } } });
      await healthy.next(`${TOPIC}/update/accepted`, updates);
      const connection = node.broker.clients().find(({ clientId }) => clientId === `frozen-${version}`);
      most = Math.max(most, connection?.outbox.waitingBytes ?? 0);
    }
    // One turn of the loop may hand over one update's messages beyond the limit.
    expect(most).toBeLessThan(256 * KIB + 64 * KIB);
    expect(lines).toContainEqual(expect.objectContaining({ clientId: `frozen-${version}`, reason: 'too-slow' }));
    await healthy.publish(`${TOPIC}/update`, { state: { reported: { a: 1 } } });
    await healthy.next(`${TOPIC}/update/accepted`, updates + 1);
    frozen.resume();
    await until('the end of its connection', () => closed);
  });

  it('is cut off after drainTimeoutMs although little waits for it', async () => {
    const patient = await startMqttNode({ mqtt: { maxBacklogBytes: 64 * 1024 * KIB, drainTimeoutMs: 200 } });
    try {
      const frozen = await rawClient(patient, 'frozen');
      frozen.write(
        mqttPacket.generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: `${TOPIC}/#`, qos: 1 }] }),
      );
      await new Promise((resolve) => frozen.once('data', resolve));
      frozen.pause();
      const writer = await patient.connect();
      const body = { state: { desired: { a: 'x'.repeat(7000) } } };
      const isConnected = (): boolean => patient.broker.clients().some(({ clientId }) => clientId === 'frozen');
      while (isConnected() && !patient.broker.clients().some(({ outbox }) => outbox.isBlocked)) {
        await writer.publish(`${TOPIC}/update`, body);
      }
      await until('its end', () => !isConnected());
      frozen.destroy();
    } finally {
      await patient.stop();
    }
  });
});

describe('a client that floods', () => {
  /** Counts the updates that were handed to the store and are not answered; they end when the test opens the gate. */
  class Gate {
    inside = 0;
    most = 0;
    #waiting: (() => void)[] = [];
    open = false;

    readonly wrap = (store: ShadowStore): ShadowStore =>
      new Proxy(store, {
        get: (target, member) => {
          const value = Reflect.get(target, member) as unknown;
          if (member !== 'update') return typeof value === 'function' ? value.bind(target) : value;
          return async (...args: Parameters<ShadowStore['update']>) => {
            this.most = Math.max(this.most, ++this.inside);
            if (!this.open) await new Promise<void>((resolve) => this.#waiting.push(resolve));
            try {
              return await target.update(...args);
            } finally {
              this.inside--;
            }
          };
        },
      });

    release(): void {
      this.open = true;
      for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }

  it('waits in its own socket: few of its updates are in the node, and others are served', async () => {
    const gate = new Gate();
    const node = await startMqttNode({ wrap: gate.wrap, config: { maxQueuedPerShadow: 200 } });
    try {
      const flood = await rawClient(node, 'flood');
      const count = 5_000;
      const body = JSON.stringify({ state: { reported: { x: 'y'.repeat(1_900) } } });
      let acknowledged = 0;
      const parser = mqttPacket.parser();
      parser.on('packet', ({ cmd }) => {
        if (cmd === 'puback') acknowledged++;
      });
      flood.on('data', (chunk) => void parser.parse(chunk as Buffer));
      for (let i = 0; i < count; i++) {
        const publish = {
          cmd: 'publish',
          topic: `${TOPIC}/update`,
          payload: body,
          qos: 1,
          dup: false,
          retain: false,
        } as const;
        flood.write(mqttPacket.generate({ ...publish, messageId: (i % 65_535) + 1 }));
      }
      await until('a full connection', () => gate.inside === MAX_IN_FLIGHT);
      const other = await node.connect();
      await other.subscribe(`${TOPIC}/+/+`);
      for (let i = 1; i <= 20; i++) {
        await other.publish(`${TOPIC}/get`);
        await other.next(`${TOPIC}/get/rejected`, i);
      }
      // The rest was not even read: it waits in the sender and in the kernel.
      expect(flood.writableLength).toBeGreaterThan(1024 * KIB);
      expect(gate.most).toBe(MAX_IN_FLIGHT);
      gate.release();
      for (let i = 1; i <= 20; i++) {
        await other.publish(`${TOPIC}/get`);
        await until('an answer', () => other.topics().filter((topic) => topic.includes('/get/')).length >= 20 + i);
      }
      await until('every acknowledgement', () => acknowledged === count, 80_000);
      expect(gate.most).toBe(MAX_IN_FLIGHT);
      expect(node.store.records[0]?.state.version).toBe(count);
      expect(other.topics()).not.toContain(`${TOPIC}/update/rejected`);
      flood.destroy();
    } finally {
      gate.release();
      await node.stop();
    }
    // Thousands of commits of one shadow, one after the other: on a busy machine that takes its time.
  });
});
