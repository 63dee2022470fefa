import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startMosquitto, type MosquittoBroker, type MosquittoSettings } from '../harness/mosquitto.js';
import { startNode, type NodeOptions, type ReadyNode } from '../harness/node-process.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Device, topic } from './steps/device.js';
import { Rest } from './steps/rest.js';
import { ShadowTraffic } from './steps/shadow-traffic.js';
import { until } from '../harness/until.js';

const cleanup = cleanupAfterAll();
const LONG = process.env['UMBRA_E2E_LONG'] === '1';
const PER_SECOND = LONG ? 1_000 : 300;
const LOAD_MS = LONG ? 15_000 : 4_000;
const WAIT_MS = 60_000;

interface Site {
  readonly etcd: EtcdServer;
  readonly broker: MosquittoBroker;
  readonly env: Readonly<Record<string, string>>;
  readonly node: (options?: NodeOptions) => Promise<ReadyNode>;
}

/** An etcd, a mosquitto, and nodes behind it. */
async function site(settings: MosquittoSettings = {}): Promise<Site> {
  const [etcd, broker] = await Promise.all([startEtcd(), startMosquitto(settings)]);
  cleanup(() => etcd.stop());
  cleanup(() => broker.stop());
  const env = { UMBRA_ETCD_ENDPOINTS: etcd.endpoint, UMBRA_BROKER_URL: broker.url };
  const node = async (options: NodeOptions = {}): Promise<ReadyNode> => {
    const started = await startNode({ ...options, env: { ...env, ...options.env } });
    cleanup(() => started.stop());
    return started;
  };
  return { etcd, broker, env, node };
}

async function load(url: string, name: string, lasting = false): Promise<ShadowTraffic> {
  const traffic = await ShadowTraffic.start(url, name, lasting);
  cleanup(() => traffic.close());
  return traffic;
}

const brokerPart = async ({ httpUrl }: ReadyNode): Promise<{ ok: boolean; reason: string }> =>
  (await new Rest(httpUrl).ready()).json.parts.broker as { ok: boolean; reason: string };

const tell = (what: string, figures: object): void =>
  void process.stdout.write(`${what}: ${JSON.stringify(figures)}\n`);

const allAccepted = (traffic: ShadowTraffic, rest: Rest): Promise<unknown> =>
  until('everything accepted', () => traffic.unanswered.length === 0, WAIT_MS).catch(async () => {
    throw new Error(await traffic.explainUnanswered(rest));
  });

async function nothingMissing(traffic: ShadowTraffic, rest: Rest): Promise<void> {
  await until('the last delta', async () => (await traffic.missing(rest)).length === 0).catch(() => undefined);
  expect(await traffic.missing(rest)).toEqual([]);
}

/** Of the long form alone: the fault lab and the tests of a crash and of a broker that dies go the same ways. */
const inLong = LONG ? it : (): void => undefined;

inLong(
  'SIGTERM of the only node under load: what it committed it has told; the next one does the rest, and repeats nothing',
  async () => {
    const { broker, env, node } = await site();
    const leaving = await node();
    const traffic = await load(broker.url, 'drain');
    const flowing = traffic.run(PER_SECOND, LOAD_MS);
    await until('the load flows', () => traffic.accepted >= PER_SECOND);
    const start = performance.now();
    expect(await leaving.stop()).toEqual({ code: 0, signal: null });
    const took = Math.round(performance.now() - start);
    await flowing;
    const unanswered = traffic.unanswered.length;

    const reader = await node({ env: { UMBRA_BROKER_URL: undefined } });
    await nothingMissing(traffic, new Rest(reader.httpUrl));
    const next = await node({ env });
    await allAccepted(traffic, new Rest(next.httpUrl));
    await nothingMissing(traffic, new Rest(next.httpUrl));
    tell('SIGTERM under load', { sent: traffic.sent, leftToTheNext: unanswered, repeated: traffic.repeated, took });
    expect(traffic.rejected).toEqual([]);
    expect(traffic.repeated).toBe(0);
  },
);

it('SIGTERM while the broker says nothing: exit 0 within the bound of the drain, and nothing is lost', async () => {
  const { broker, node } = await site();
  const leaving = await node({ env: { UMBRA_DRAIN_TIMEOUT_MS: '3000' } });
  const traffic = await load(broker.url, 'silent', true);
  const flowing = traffic.run(PER_SECOND, 2_000);
  await until('the load flows', () => traffic.accepted >= PER_SECOND / 2);
  broker.pause();
  const start = performance.now();
  expect(await leaving.stop()).toEqual({ code: 0, signal: null });
  const took = Math.round(performance.now() - start);
  broker.resume();
  const next = await node();
  await flowing;
  await allAccepted(traffic, new Rest(next.httpUrl));
  await nothingMissing(traffic, new Rest(next.httpUrl));
  tell('SIGTERM, broker silent', { sent: traffic.sent, repeated: traffic.repeated, took });
});

it('etcd says nothing for longer than a request may take: requests wait, and none is refused', async () => {
  const { etcd, broker, node } = await site();
  const only = await node({
    env: {
      UMBRA_REQUEST_TIMEOUT_MS: '1000',
      UMBRA_ETCD_CALL_TIMEOUT_MS: '300',
      // It keeps its lane: what is tested is not the takeover.
      UMBRA_BROKER_TAKEOVER_SECONDS: '30',
    },
  });
  const traffic = await load(broker.url, 'waiting', true);
  const flowing = traffic.run(PER_SECOND, LOAD_MS);
  await until('the load flows', () => traffic.accepted >= PER_SECOND);
  const before = traffic.accepted;
  etcd.pause();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  etcd.resume();
  await flowing;
  await allAccepted(traffic, new Rest(only.httpUrl));
  await nothingMissing(traffic, new Rest(only.httpUrl));
  tell('etcd silent for 3 s', { sent: traffic.sent, before, repeated: traffic.repeated });
  expect(traffic.rejected).toEqual([]);
});

inLong('the broker restarts in order under load: nothing is lost', async () => {
  const { broker, node } = await site();
  const only = await node();
  const traffic = await load(broker.url, 'restart', true);
  const flowing = traffic.run(PER_SECOND, LOAD_MS);
  await until('the load flows', () => traffic.accepted >= PER_SECOND);
  await broker.restart();
  await flowing;
  await allAccepted(traffic, new Rest(only.httpUrl));
  await nothingMissing(traffic, new Rest(only.httpUrl));
  tell('mosquitto restarted', { sent: traffic.sent, repeated: traffic.repeated });
  expect(traffic.rejected).toEqual([]);
});

it('the broker dies under load: nothing accepted is lost, and everything after its return is accepted and told', async () => {
  const { broker, node } = await site();
  const only = await node();
  const rest = new Rest(only.httpUrl);
  const traffic = await load(broker.url, 'died', true);
  const flowing = traffic.run(PER_SECOND, LOAD_MS);
  await until('the load flows', () => traffic.accepted >= PER_SECOND);
  // mosquitto writes its sessions down; what comes later it forgets.
  process.kill(broker.pid, 'SIGUSR1');
  await until('some more', () => traffic.accepted >= PER_SECOND * 1.5);
  await broker.kill9();
  const acknowledged = traffic.sent;
  // What was under way is committed soon; the broker can acknowledge nothing of it any more.
  const before = await traffic.versions(rest);
  await broker.restart();
  await flowing;
  const early = new Set(traffic.tokens.slice(0, acknowledged));
  await until('the rest is accepted', () => traffic.unanswered.every((token) => early.has(token)), WAIT_MS);
  const isLate = (problem: string): boolean => {
    const [thing, version] = /^(\S+): .*?(\d+)/.exec(problem)?.slice(1) ?? [];
    return thing === undefined || Number(version) > (before.get(thing) ?? 0);
  };
  const late = async (): Promise<string[]> => (await traffic.missing(rest)).filter(isLate);
  await until('the last delta', async () => (await late()).length === 0).catch(() => undefined);
  expect(await late()).toEqual([]);
  expect(traffic.rejected).toEqual([]);
  const untold = (await traffic.missing(rest)).length;
  tell('mosquitto killed', {
    sent: traffic.sent,
    forgottenByTheBroker: { requests: traffic.unanswered.length, messages: untold },
    repeated: traffic.repeated,
  });
});

inLong('four lanes, two nodes, kill -9 of one of them under load: nothing is lost', async () => {
  const { broker, node } = await site();
  const env = { UMBRA_BROKER_LANES: '4', UMBRA_BROKER_TAKEOVER_SECONDS: '3' };
  const nodes = [await node({ env }), await node({ env })] as const;
  const consuming = async (): Promise<number[]> =>
    Promise.all(nodes.map(async (one) => Number(/consumes (\d) /.exec((await brokerPart(one)).reason)?.[1] ?? 0)));
  await until('the lanes are divided', async () => {
    const lanes = await consuming();
    return (lanes[0] ?? 0) + (lanes[1] ?? 0) === 4;
  });
  const lanes = await consuming();
  const victim = (lanes[0] ?? 0) >= (lanes[1] ?? 0) ? nodes[0] : nodes[1];
  const survivor = victim === nodes[0] ? nodes[1] : nodes[0];
  const traffic = await load(broker.url, 'lanes');
  const flowing = traffic.run(PER_SECOND, LOAD_MS + 3_000);
  await until('the load flows', () => traffic.accepted >= PER_SECOND);
  traffic.resetGap();
  await victim.kill9();
  await flowing;
  await allAccepted(traffic, new Rest(survivor.httpUrl));
  await nothingMissing(traffic, new Rest(survivor.httpUrl));
  tell('four lanes, kill -9', { lanes, sent: traffic.sent, repeated: traffic.repeated });
  expect(traffic.rejected).toEqual([]);
});

it('access rules: a publish that is refused makes `broker` not ready, whatever else goes through', async () => {
  const { broker, node } = await site({
    acl: [
      'topic readwrite $aws/things/open/shadow/#',
      'topic read $aws/things/+/shadow/#',
      'topic write $aws/things/closed/shadow/update',
      'topic read $SYS/#',
    ],
  });
  const only = await node();
  const device = await Device.connect(broker.url);
  cleanup(() => device.close());
  await device.subscribe(topic('open', '#'));
  expect((await device.request('open', 'update', { state: { reported: { a: 1 } } })).json.version).toBe(1);
  await device.publish(topic('closed', 'update'), { state: { reported: { a: 1 } } });
  await until('it says so', async () => !(await brokerPart(only)).ok);
  expect((await device.request('open', 'update', { state: { reported: { a: 2 } } })).json.version).toBe(2);
  const { ok, reason } = await brokerPart(only);
  expect({ ok, reason }).toEqual({ ok: false, reason: expect.stringMatching(/refuses.*closed.*access rules/) });
});

it('UMBRA_BROKER_SHARED with a mosquitto that delivers nothing on it: says so instead of waiting for ever', async () => {
  const { node } = await site();
  const only = await node({ env: { UMBRA_BROKER_SHARED: 'true' }, until: 'listening' });
  const { reason } = await until('it says so', async () => {
    const part = await brokerPart(only);
    return part.reason.includes('$aws') && part;
  });
  expect(reason).toContain('UMBRA_BROKER_SHARED=false');
});
