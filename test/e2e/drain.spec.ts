import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEtcd } from '../harness/etcd.js';
import { startNode } from '../harness/node-process.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Device, topic } from './steps/device.js';
import { CurlReader } from './steps/event-stream.js';
import { Load } from './steps/load.js';
import { commandLine, processesWith } from './steps/processes.js';
import { http, Rest } from './steps/rest.js';
import { until } from '../harness/until.js';

const cleanup = cleanupAfterAll();
/** MQTT 5: Server shutting down. */
const SERVER_SHUTTING_DOWN = 0x8b;

describe('SIGTERM', () => {
  it('under load: clients are told, the streams end with a reason, exit 0, and nothing acknowledged is lost', async () => {
    const etcd = await startEtcd();
    cleanup(() => etcd.stop());
    const env = { UMBRA_ETCD_ENDPOINTS: etcd.endpoint };
    const node = await startNode({ env });
    cleanup(() => node.stop());
    const device = await Device.connect(node.mqttUrl);
    cleanup(() => device.close());
    const stream = new CurlReader();
    cleanup(() => stream.kill());
    await stream.start(`${node.httpUrl}/v1/watch`);
    const load = new Load('drain');
    cleanup(() => load.stop());
    load.rest(node.httpUrl, 4);
    await load.mqtt(node.mqttUrl, 2);
    await until('the load flows', () => load.progress >= 200);

    expect(await node.stop()).toEqual({ code: 0, signal: null });
    await until('the device is told', () => device.disconnects.length > 0);
    expect(device.disconnects).toEqual([SERVER_SHUTTING_DOWN]);
    await until('the end of the stream', () => stream.events.at(-1)?.event === 'end');
    expect(stream.events.at(-1)).toMatchObject({ event: 'end', data: expect.stringContaining('draining') });
    await load.stop();

    const successor = await startNode({ env });
    cleanup(() => successor.stop());
    expect(load.acknowledged.length).toBeGreaterThanOrEqual(150);
    expect(await load.missing(successor.httpUrl)).toEqual([]);
  });

  it('ready is false first, and what is in flight is answered', async () => {
    const etcd = await startEtcd();
    cleanup(() => etcd.stop());
    const node = await startNode({ env: { UMBRA_ETCD_ENDPOINTS: etcd.endpoint } });
    cleanup(() => node.stop());
    const rest = new Rest(node.httpUrl);
    const device = await Device.connect(node.mqttUrl);
    cleanup(() => device.close());
    await rest.update('in-flight', { state: { reported: { a: 1 } } });
    await device.subscribe(topic('refused', 'update/rejected'));

    etcd.pause();
    cleanup(() => etcd.resume());
    const inFlight = rest.update('in-flight', { state: { reported: { b: 2 } } });
    const published = device.publish(topic('in-flight-mqtt', 'update'), { state: { reported: { c: 3 } } });
    published.catch(() => undefined);
    // What is refused without etcd is answered at once: the update before it on this connection is in flight by then.
    void device.publish(topic('refused', 'update'), 'no JSON').catch(() => undefined);
    await device.next((message) => message.topic === topic('refused', 'update/rejected'));
    for (let round = 0; round < 3; round++) await rest.live();
    node.signal('SIGTERM');
    // A health check hears of the drain, or finds the door closed: either way it sends nobody here.
    const ready = await until('no longer ready', async () => {
      const answer = await http(`${node.httpUrl}/health/ready`).catch(() => 'closed' as const);
      return (answer === 'closed' || answer.json?.parts?.draining.ok !== true) && answer;
    });
    expect(ready === 'closed' ? 503 : ready.status).toBe(503);
    expect(node.running).toBe(true);
    etcd.resume();

    expect(await inFlight).toMatchObject({ status: 200, json: { version: 2 } });
    await published;
    expect(await node.exited).toEqual({ code: 0, signal: null });
  });

  it('ends within its bound when etcd never answers', async () => {
    const etcd = await startEtcd();
    cleanup(() => etcd.stop());
    const env = {
      UMBRA_ETCD_ENDPOINTS: etcd.endpoint,
      UMBRA_DRAIN_TIMEOUT_MS: '2000',
      UMBRA_REQUEST_TIMEOUT_MS: '60000',
    };
    const node = await startNode({ env });
    cleanup(() => node.stop());
    etcd.pause();
    cleanup(() => etcd.resume());
    const rest = new Rest(node.httpUrl);
    const stuck = rest.update('stuck', { state: {} }).catch(() => null);
    for (let round = 0; round < 5; round++) await rest.live();
    const start = Date.now();
    const { code } = await node.stop();
    expect(code).toBe(0);
    // The bound, and room for a busy machine; the request alone could take 60 s.
    expect(Date.now() - start).toBeLessThan(40_000);
    await stuck;
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('%s of a node with its own etcd leaves no process behind', async (signal) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'umbra-drain-'));
    cleanup(() => rm(dataDir, { recursive: true, force: true }));
    const node = await startNode({ dataDir });
    cleanup(() => node.stop());
    expect(processesWith(dataDir).some((pid) => /^(\S*\/)?etcd /.test(commandLine(pid)))).toBe(true);
    node.signal(signal);
    expect(await node.exited).toEqual({ code: 0, signal: null });
    expect(processesWith(dataDir).map(commandLine)).toEqual([]);
  });
});

it('kill -9 of a node with its own etcd: the next start on the same folder works and has the data', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'umbra-kill-'));
  cleanup(() => rm(dataDir, { recursive: true, force: true }));
  for (let life = 1; life <= 3; life++) {
    const node = await startNode({ dataDir });
    cleanup(() => node.stop());
    const rest = new Rest(node.httpUrl);
    if (life > 1) expect((await rest.get('survivor')).json).toMatchObject({ version: life - 1 });
    expect((await rest.update('survivor', { state: { reported: { [`life${life}`]: true } } })).json).toMatchObject({
      version: life,
    });
    await node.kill9();
  }
  const last = await startNode({ dataDir });
  cleanup(() => last.stop());
  const state = { reported: { life1: true, life2: true, life3: true } };
  expect((await new Rest(last.httpUrl).get('survivor')).json).toMatchObject({ version: 3, state });
  await last.stop();
  expect(processesWith(dataDir).map(commandLine)).toEqual([]);
});
