import { connect } from '../../src/sdk/device/index.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startMosquitto, type MosquittoBroker } from '../harness/mosquitto.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { until } from '../harness/until.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Device, topic } from './steps/device.js';
import { Rest } from './steps/rest.js';

const cleanup = cleanupAfterAll();
let etcd: EtcdServer;
let broker: MosquittoBroker;
let node: ReadyNode;
let device: Device;

beforeAll(async () => {
  [etcd, broker] = await Promise.all([startEtcd(), startMosquitto()]);
  cleanup(() => etcd.stop());
  cleanup(() => broker.stop());
  node = await startNode({ env: { UMBRA_ETCD_ENDPOINTS: etcd.endpoint, UMBRA_BROKER_URL: broker.url } });
  cleanup(() => node.stop());
  device = await Device.connect(broker.url);
  cleanup(() => device.close());
});

describe('devices at an external mosquitto', () => {
  it('update, get and delete are answered as by the built-in broker', async () => {
    await device.subscribe(topic('t1', '#'));
    const updated = await device.request('t1', 'update', {
      state: { desired: { led: 'on' }, reported: { led: 'off' } },
    });
    expect(updated).toMatchObject({ topic: topic('t1', 'update/accepted'), qos: 1, retain: false });
    expect(updated.json).toMatchObject({ version: 1, state: { desired: { led: 'on' } } });
    const tails = device.messages.map(({ topic: name }) => name.slice(topic('t1', '').length));
    expect(tails.filter((tail) => tail !== 'update')).toEqual(['update/delta', 'update/documents', 'update/accepted']);

    const got = await device.request('t1', 'get');
    expect(got.json).toMatchObject({ version: 1, state: { delta: { led: 'on' } } });
    const deleted = await device.request('t1', 'delete');
    expect(deleted).toMatchObject({ topic: topic('t1', 'delete/accepted'), json: { version: 1 } });
    const missing = await device.request('t1', 'get');
    expect(missing).toMatchObject({ topic: topic('t1', 'get/rejected'), json: { code: 404 } });
  });

  it('may be of the client library', async () => {
    const lamp = await connect({ url: broker.url, thing: 't5' });
    const driven = new Promise((resolve) => {
      lamp.shadow.onDelta((delta) => {
        resolve(delta);
        return delta;
      });
    });
    expect(await lamp.shadow.report({ led: 'off' })).toEqual({ version: 1 });
    await new Rest(node.httpUrl).update('t5', { state: { desired: { led: 'on' } } });
    expect(await driven).toEqual({ led: 'on' });
    await until('the report', async () => (await lamp.shadow.get())?.reported['led'] === 'on');
    expect([await lamp.shadow.delete(), await lamp.shadow.get()]).toEqual([true, null]);
    await lamp.close();
  });

  it('named shadows, and refusals', async () => {
    await device.subscribe(topic('t2', '#', 'door'));
    expect((await device.request('t2', 'update', { state: { reported: { a: 1 } } }, 'door')).json.version).toBe(1);
    const conflict = await device.request('t2', 'update', { state: { reported: { a: 2 } }, version: 7 }, 'door');
    expect(conflict).toMatchObject({ topic: topic('t2', 'update/rejected', 'door'), json: { code: 409 } });
    await device.publish(topic('t2', 'update', 'door'), '{nothing');
    const refused = await device.next(({ json, topic: name }) => name.endsWith('/rejected') && json.code === 400);
    expect(refused.topic).toBe(topic('t2', 'update/rejected', 'door'));
  });

  it('a change through REST reaches the device', async () => {
    await device.subscribe(topic('t3', 'update/+'));
    await new Rest(node.httpUrl).update('t3', { state: { desired: { led: 'blue' } } });
    const delta = await device.next(({ topic: name }) => name === topic('t3', 'update/delta'));
    expect(delta).toMatchObject({ qos: 1, json: { version: 1, state: { led: 'blue' } } });
    const documents = await device.next(({ topic: name }) => name === topic('t3', 'update/documents'));
    expect(documents.json).toMatchObject({ previous: null, current: { version: 1 } });
    await new Rest(node.httpUrl).update('t3', { state: { desired: { led: 'red' } } });
    const second = await device.next(({ json }) => json?.current?.version === 2);
    expect(second.json.previous.state.desired).toEqual({ led: 'blue' });
  });

  it('readiness has the broker', async () => {
    const ready = await fetch(`${node.httpUrl}/health/ready`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toMatchObject({
      parts: { broker: { ok: true, reason: 'consumes 1 lanes, publishes 16 of 16 shards' } },
    });
  });
});
