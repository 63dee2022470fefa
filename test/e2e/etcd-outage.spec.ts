import { setTimeout as pause } from 'node:timers/promises';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Device, topic } from './steps/device.js';
import { Load } from './steps/load.js';
import { Rest } from './steps/rest.js';
import { until } from '../harness/until.js';

/** Milliseconds; UMBRA_E2E_LONG=1 is the acceptance run. */
const OUTAGE_MS = process.env['UMBRA_E2E_LONG'] === '1' ? 20_000 : 12_000;
const REQUEST_TIMEOUT_MS = 2_000;
/** An answer later than this is not "within its deadline", even on a busy machine. */
const LATE_MS = REQUEST_TIMEOUT_MS + 6_000;

const cleanup = cleanupAfterAll();
let etcd: EtcdServer;
let node: ReadyNode;
let rest: Rest;

beforeAll(async () => {
  etcd = await startEtcd();
  cleanup(() => etcd.stop());
  const env = { UMBRA_ETCD_ENDPOINTS: etcd.endpoint, UMBRA_REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS) };
  node = await startNode({ env });
  cleanup(() => node.stop());
  rest = new Rest(node.httpUrl);
});

const OUTAGES = [
  { how: 'stopped and started again', id: 'term', begin: () => etcd.shutdown(), end: () => etcd.restart() },
  { how: 'frozen and thawed', id: 'stop', begin: async () => etcd.pause(), end: async () => etcd.resume() },
];

describe.each(OUTAGES)(`etcd is $how for ${OUTAGE_MS / 1000} s under load`, ({ id, begin, end }) => {
  const load = new Load(`outage-${id}`);
  cleanup(() => load.stop());

  it('requests fail with a clear error within their deadline, and the node says why it is not ready', async () => {
    load.rest(node.httpUrl, 4);
    await load.mqtt(node.mqttUrl, 2);
    await until('the load flows', () => load.progress >= 200);
    await begin();
    try {
      const over = pause(OUTAGE_MS);
      const notReady = await until('not ready', async () => {
        const answer = await rest.ready();
        return answer.status === 503 && answer;
      });
      expect(notReady.text).toMatch(/etcd/i);
      const update = await rest.update(`outage-${id}-during`, { state: { reported: { a: 1 } } });
      expect(update).toMatchObject({ status: 503, json: { message: expect.stringMatching(/storage|outcome/i) } });
      expect(update.headers.get('x-amzn-errortype')).toMatch(/^ServiceUnavailableException/);
      expect(update.took).toBeLessThan(LATE_MS);
      const get = await rest.get(`outage-${id}-during`);
      expect(get).toMatchObject({ status: 503, json: { message: expect.stringMatching(/storage/i) } });
      expect(get.took).toBeLessThan(LATE_MS);
      expect((await rest.live()).status).toBe(200);
      await over;
      expect((await rest.ready()).status).toBe(503);
    } finally {
      await end();
    }
  });

  it('everything works again without a restart of the node', async () => {
    await until('ready', async () => (await rest.ready()).status === 200);
    const before = load.progress;
    await until('the load flows', () => load.progress >= before + 300);
    const device = await Device.connect(node.mqttUrl);
    cleanup(() => device.close());
    const thing = `outage-${id}-after`;
    await device.subscribe(topic(thing, 'update/#'));
    expect((await rest.update(thing, { state: { desired: { led: 'on' } } })).status).toBe(200);
    await device.next((message) => message.topic === topic(thing, 'update/accepted'));
    expect(device.messages.map((message) => message.topic.split('/').at(-1))).toEqual([
      'delta',
      'documents',
      'accepted',
    ]);
    expect(node.running).toBe(true);
  });

  it('no acknowledged update is missing', async () => {
    await load.stop();
    expect(load.acknowledged.length).toBeGreaterThan(500);
    expect(await load.missing(node.httpUrl)).toEqual([]);
    const refusals = load.refusals.map((answer) => answer?.status ?? 'connection broke');
    expect(new Set(refusals)).toEqual(new Set([503]));
    expect(new Set(load.rejections.filter((code) => code !== 503))).toEqual(new Set());
    expect(load.slowest).toBeLessThan(LATE_MS);
  });
});
