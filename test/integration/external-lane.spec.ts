import { readFileSync } from 'node:fs';
import { connectAsync, type MqttClient } from 'mqtt';
import type { BrokerConfig } from '../../src/config/config.js';
import { loadConfig } from '../../src/config/load-config.js';
import { Lane, type LaneRequest } from '../../src/mqtt/external/lane.js';
import type { Acknowledgement } from '../../src/mqtt/request-queue.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { startMosquitto, type MosquittoBroker } from '../harness/mosquitto.js';
import { until } from '../harness/until.js';

let broker: MosquittoBroker;
let device: MqttClient;
let lanes: Lane[] = [];
let clients = 0;

beforeEach(async () => {
  broker = await startMosquitto();
  device = await connectAsync(broker.url, { reconnectPeriod: 100 });
});

afterEach(async () => {
  for (const lane of lanes) lane.cut();
  lanes = [];
  device.end(true);
  await broker.stop();
});

/** A lane whose requests end when the test says so. */
class Worker {
  readonly taken: { request: LaneRequest; end: (how: Acknowledgement) => void }[] = [];
  readonly lane: Lane;
  /** Whether its lease lasts. */
  holds = true;

  constructor(clientId: string, over: Partial<BrokerConfig> = {}) {
    const base = loadConfig({ UMBRA_BROKER_URL: broker.url }).externalBroker as BrokerConfig;
    const handle = (request: LaneRequest): Promise<Acknowledgement> =>
      new Promise((end) => this.taken.push({ request, end }));
    const claim = { fence: { claim: 'claims/consume/0', revision: 1 }, holds: () => this.holds };
    this.lane = new Lane({ ...base, ...over }, clientId, claim, handle, SILENT_LOGGER);
    lanes.push(this.lane);
    this.lane.start();
  }

  static async start(clientId: string, over: Partial<BrokerConfig> = {}): Promise<Worker> {
    const worker = new Worker(clientId, over);
    await until('the lane consumes', () => worker.lane.health.ok);
    return worker;
  }

  get bodies(): string[] {
    return this.taken.map(({ request }) => request.payload.toString());
  }

  endAll(how: Acknowledgement = 'done'): void {
    for (const { end } of this.taken) end(how);
  }

  async gets(count: number): Promise<void> {
    await until(`${count} requests`, () => this.taken.length >= count);
  }
}

const update = (body: string) => device.publishAsync('$aws/things/t1/shadow/update', body, { qos: 1 });
const updates = async (from: number, to: number): Promise<void> => {
  for (let number = from; number < to; number++) await update(String(number));
};
const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, index) => String(from + index));
const id = (): string => `lane-${++clients}`;

it('mqtt.js is fixed to the version whose private PUBACK is used (ADR 0010)', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> };
  const { version } = JSON.parse(readFileSync('node_modules/mqtt/package.json', 'utf8')) as { version: string };
  expect(dependencies['mqtt']).toBe(version);
});

describe('the PUBACK of a request', () => {
  it('is withheld without holding up the connection, and sent when the request is dealt with', async () => {
    const clientId = id();
    const first = await Worker.start(clientId);
    await updates(0, 50);
    // All are worked on side by side although none is acknowledged.
    await first.gets(50);
    for (const { end } of first.taken.slice(0, 20)) end('done');
    await until('20 are settled', () => first.lane.inFlight === 30);
    // Nothing is left to wait for, so the drain gives a busy broker the time to read the 20 acknowledgements.
    first.endAll('unanswered');
    await first.lane.drain(20_000);

    const second = await Worker.start(clientId);
    await second.gets(30);
    await update('last');
    await second.gets(31);
    expect(second.bodies).toEqual([...numbers(20, 50), 'last']);
  });

  it('follows the order of arrival', async () => {
    const clientId = id();
    const first = await Worker.start(clientId);
    await updates(0, 3);
    await first.gets(3);
    first.taken[2]?.end('done');
    first.taken[1]?.end('done');
    await update('more');
    await first.gets(4);
    expect(first.lane.inFlight).toBe(4);
    await first.lane.drain(0);
    const second = await Worker.start(clientId);
    await second.gets(4);
    expect(second.bodies).toEqual(['0', '1', '2', 'more']);
  });

  it('does not come for what was left unanswered', async () => {
    const clientId = id();
    const first = await Worker.start(clientId);
    await update('a');
    await first.gets(1);
    first.endAll('unanswered');
    await first.lane.drain(1000);
    const second = await Worker.start(clientId);
    await second.gets(1);
    expect(second.bodies).toEqual(['a']);
  });
});

it('waits for a busy broker to read the last acknowledgements: what is dealt with is not sent again', async () => {
  const clientId = id();
  const first = await Worker.start(clientId, { maxInFlight: 20 });
  // For each acknowledgement it sends a message that waits; to who has gone, and then it reads no more of them.
  await updates(0, 60);
  await first.gets(20);
  broker.pause();
  const drained = first.lane.drain(20_000);
  first.endAll();
  // Longer than a lane that is lost waits.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  broker.resume();
  await drained;
  const second = await Worker.start(clientId);
  await second.gets(40);
  expect(second.bodies).toEqual(numbers(20, 60));
});

it('takes nothing once its lease has ended, though it has not been told: the next owner is sent everything', async () => {
  const clientId = id();
  const first = await Worker.start(clientId);
  await update('before');
  await first.gets(1);
  first.endAll();
  await until('it is settled', () => first.lane.inFlight === 0);
  first.holds = false;
  await updates(0, 20);
  first.lane.cut();
  const second = await Worker.start(clientId);
  await second.gets(20);
  expect(first.bodies).toEqual(['before']);
  expect(second.bodies).toEqual(numbers(0, 20));
});

it('requests published while nobody consumes wait for the next owner', async () => {
  const clientId = id();
  await (await Worker.start(clientId)).lane.drain(1000);
  await updates(0, 200);
  const next = await Worker.start(clientId);
  await next.gets(200);
  expect(next.bodies).toEqual(numbers(0, 200));
});

it('acknowledges what the broker sends right behind its CONNACK', async () => {
  const clientId = id();
  await (await Worker.start(clientId)).lane.drain(1000);
  await updates(0, 200);
  const busy = await Worker.start(clientId);
  await busy.gets(200);
  busy.endAll();
  await until('all are settled', () => busy.lane.inFlight === 0);
  await busy.lane.drain(1000);
  const next = await Worker.start(clientId);
  await update('new');
  await next.gets(1);
  expect(next.bodies).toEqual(['new']);
});

it('goes on after a reconnection during which it had no room', async () => {
  const worker = await Worker.start(id(), { maxInFlight: 10 });
  await updates(0, 30);
  await worker.gets(10);
  await broker.restart();
  // Nothing is read before there is room, not even the SUBACK.
  for (let done = 0; done < 30; done++) {
    await worker.gets(done + 1);
    worker.taken[done]?.end('done');
  }
  await until('all are settled', () => worker.lane.inFlight === 0);
  expect(worker.bodies).toEqual(numbers(0, 30));
});

it('takes no more than its window: the rest waits at the broker, and nothing is lost', async () => {
  const worker = await Worker.start(id(), { maxInFlight: 10 });
  const published = updates(0, 500);
  await worker.gets(10);
  await published;
  // A message of another connection shows that the broker had the time to send more.
  expect(worker.taken.length).toBe(10);
  expect(worker.lane.inFlight).toBe(10);
  for (let done = 0; done < 500; done++) {
    await worker.gets(done + 1);
    expect(worker.taken.length - done).toBeLessThanOrEqual(10);
    worker.taken[done]?.end('done');
  }
  await until('all are settled', () => worker.lane.inFlight === 0);
  expect(worker.bodies).toEqual(numbers(0, 500));
});

it('after a lost connection what it still works on is not carried out again, but acknowledged', async () => {
  const clientId = id();
  const worker = await Worker.start(clientId);
  await updates(0, 20);
  await worker.gets(20);
  // In order: the broker keeps its sessions.
  await broker.restart();
  await until('it consumes again', () => worker.lane.health.ok);
  await until('all came again', () => worker.lane.inFlight === 40);
  expect(worker.taken).toHaveLength(20);
  worker.endAll();
  await until('all are settled', () => worker.lane.inFlight === 0);
  await worker.lane.drain(1000);
  const next = await Worker.start(clientId);
  await until('the device is back', () => device.connected);
  await update('new');
  await next.gets(1);
  expect(next.bodies).toEqual(['new']);
});

it('says so when another client uses its client id', async () => {
  const clientId = id();
  const rivals = [await Worker.start(clientId), new Worker(clientId)];
  const notices = ({ lane }: Worker): boolean => lane.health.reason.includes('does another client use the client id');
  await until('one of them notices', () => rivals.some(notices));
});

it('takes what a request says of its trace from its user properties', async () => {
  const worker = await Worker.start(id());
  const modern = await connectAsync(broker.url, { protocolVersion: 5 });
  const publish = (userProperties: Record<string, string | string[]>) =>
    modern.publishAsync('$aws/things/t1/shadow/update', '{}', { qos: 1, properties: { userProperties } });
  await publish({ traceparent: 'p', tracestate: ['a=1', 'b=2'] });
  await publish({ traceparent: ['p', 'p'] });
  await publish({ other: 'x' });
  await worker.gets(3);
  expect(worker.taken.map(({ request }) => request.traceHeaders)).toEqual([
    { traceparent: 'p', tracestate: 'a=1,b=2' },
    null,
    null,
  ]);
  worker.endAll();
  modern.end(true);
});
