import { connectAsync } from 'mqtt';
import type { BrokerConfig } from '../../src/config/config.js';
import { loadConfig } from '../../src/config/load-config.js';
import { ExternalPublisher } from '../../src/mqtt/external/publisher.js';
import { SILENT_LOGGER } from '../../src/telemetry/logger.js';
import { startMosquitto, type MosquittoBroker } from '../harness/mosquitto.js';
import { until } from '../harness/until.js';

let broker: MosquittoBroker;
let publisher: ExternalPublisher;

async function setup(acl?: readonly string[]): Promise<void> {
  broker = await startMosquitto(acl ? { acl } : {});
  const config = loadConfig({ UMBRA_BROKER_URL: broker.url }).externalBroker as BrokerConfig;
  publisher = new ExternalPublisher(config, 'out', SILENT_LOGGER, () => undefined);
  publisher.start();
  await until('connected', () => publisher.isConnected);
}

afterEach(async () => {
  broker.resume();
  await publisher.stop(100);
  await broker.stop();
});

it('ends in the time it is given although the broker says nothing about what is in flight', async () => {
  await setup();
  broker.pause();
  void publisher.publish('a', '1');
  const start = performance.now();
  await publisher.stop(300);
  expect(performance.now() - start).toBeLessThan(20_000);
});

it('ends in the time it is given although the broker is gone', async () => {
  await setup();
  broker.pause();
  void publisher.publish('a', '1');
  await broker.kill9();
  await until('it notices', () => !publisher.isConnected);
  const start = performance.now();
  await publisher.stop(300);
  expect(performance.now() - start).toBeLessThan(20_000);
});

it('says as user properties from which trace a message comes, and nothing of those without one', async () => {
  await setup();
  const heard: unknown[] = [];
  const reader = await connectAsync(broker.url, { clientId: 'reader', protocolVersion: 5 });
  reader.on('message', (_topic, _payload, { properties }) => heard.push({ ...properties?.userProperties }));
  await reader.subscribeAsync('a', { qos: 1 });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await publisher.publish('a', '1', undefined, { traceparent, tracestate: '' });
  await publisher.publish('a', '2', undefined, { traceparent, tracestate: 'a=1' });
  await publisher.publish('a', '3');
  await until('all three', () => heard.length === 3);
  expect(heard).toEqual([{ traceparent }, { traceparent, tracestate: 'a=1' }, {}]);
  reader.end(true);
});

it('leaves out a message that is over before the broker is there, and sends the others', async () => {
  await setup();
  await publisher.stop(100);
  const config = loadConfig({ UMBRA_BROKER_URL: broker.url }).externalBroker as BrokerConfig;
  publisher = new ExternalPublisher(config, 'out', SILENT_LOGGER, () => undefined);
  const heard: string[] = [];
  const reader = await connectAsync(broker.url, { clientId: 'reader' });
  reader.on('message', (_topic, payload) => heard.push(payload.toString()));
  await reader.subscribeAsync('a', { qos: 1 });
  const lane = new AbortController();
  const sent = [publisher.publish('a', 'answer', lane.signal), publisher.publish('a', 'change')];
  lane.abort();
  publisher.start();
  await Promise.all(sent);
  await until('the change is heard', () => heard.includes('change'));
  expect(heard).toEqual(['change']);
  reader.end(true);
});

it('is not well as long as one topic is refused, whatever else goes through', async () => {
  await setup(['topic write allowed/#', 'topic read allowed/#']);
  void publisher.publish('forbidden', '1');
  await until('it says so', () => !publisher.health.ok);
  for (let count = 0; count < 20; count++) {
    await publisher.publish('allowed/1', String(count));
    expect(publisher.health).toMatchObject({ ok: false, reason: expect.stringContaining('forbidden') });
  }
});

it('sends again, in order, what the broker did not acknowledge before its restart', async () => {
  await setup();
  const reader = await connectAsync(broker.url, {
    clientId: 'reader',
    protocolVersion: 5,
    clean: false,
    properties: { sessionExpiryInterval: 600 },
    reconnectPeriod: 50,
  });
  const heard = new Set<number>();
  const firsts: number[] = [];
  reader.on('message', (_topic, payload) => {
    const number = Number(payload.toString());
    if (!heard.has(number)) firsts.push(number);
    heard.add(number);
  });
  await reader.subscribeAsync('a', { qos: 1 });
  broker.pause();
  const sent = Array.from({ length: 300 }, (_, number) => publisher.publish('a', String(number)));
  await broker.restart();
  await Promise.all(sent);
  await until('all are heard', () => heard.size === 300);
  expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
  reader.end(true);
});
