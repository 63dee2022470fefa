import { getEventListeners } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, fileOutbox, type Device, type DeviceOptions } from '../../src/sdk/device/index.js';
import { startMqttNode, type MqttNode, type TestClient } from '../harness/mqtt-node.js';
import { PacketProxy, type Cut } from '../harness/packet-proxy.js';
import { until } from '../harness/until.js';

interface Lamp {
  power: string;
  level: number;
  step: number;
}

const CUTS: readonly Cut[] = (
  [
    ['connect'],
    ['connack'],
    ['subscribe'],
    ['suback'],
    ['publish', '/get'],
    ['publish', '/get/accepted'],
    ['publish', '/update/delta'],
    ['publish', '/update'],
    ['puback'],
    ['publish', '/update/accepted'],
  ] as const
).flatMap(([cmd, topicEnd]) =>
  (['before', 'after'] as const).map((when) => ({ cmd, when, ...(topicEnd !== undefined && { topicEnd }) })),
);

describe('a device of the client library', () => {
  let node: MqttNode;
  let app: TestClient;
  let proxy: PacketProxy;
  const devices: Device<Lamp>[] = [];
  let things = 0;

  beforeAll(async () => {
    node = await startMqttNode();
    app = await node.connect({ clientId: 'app' });
    await app.subscribe('$aws/things/+/shadow/update/documents');
  });
  beforeEach(async () => {
    proxy = await PacketProxy.start(node.port);
  });
  afterEach(async () => {
    for (const device of devices.splice(0)) await device.close();
    await proxy.stop();
  });
  afterAll(() => node.stop());

  const newThing = (): string => `device-${++things}`;
  async function lamp(thing: string, options: Partial<DeviceOptions> = {}): Promise<Device<Lamp>> {
    const quick = { firstMs: 10, longestMs: 50 };
    const device = await connect<Lamp>({
      ...{ url: proxy.url, thing, reconnect: quick, retry: quick, answerMs: 2_000, ...options },
    });
    devices.push(device);
    return device;
  }
  const topic = (thing: string, end = ''): string => `$aws/things/${thing}/shadow/update${end}`;
  const desire = (thing: string, desired: Partial<Lamp>): Promise<void> =>
    app.publish(topic(thing), { state: { desired } });
  /** What was reported in all, in the order of versions. */
  const reports = (thing: string): Lamp[] =>
    app.received
      .filter((message) => message.topic === topic(thing, '/documents'))
      .flatMap(({ json }) => (json.current.state.reported as Lamp | undefined) ?? []);

  it('is driven to what is desired, and reports it', async () => {
    const thing = newThing();
    await desire(thing, { power: 'on' });
    const device = await lamp(thing);
    const driven: unknown[] = [];
    device.shadow.onDelta((delta) => {
      driven.push(delta);
      return delta;
    });
    await until('the first delta', () => driven.length === 1);
    await until('the report', () => reports(thing).at(-1)?.power === 'on');
    await desire(thing, { level: 3 });
    await until('the second delta', () => reports(thing).at(-1)?.level === 3);
    expect(driven).toEqual([{ power: 'on' }, { level: 3 }]);
    const state = await device.shadow.get();
    expect(state).toMatchObject({ thing, shadow: null, reported: { power: 'on', level: 3 }, delta: null });
    expect(await device.shadow.report({ power: 'off' })).toEqual({ version: state!.version + 1 });
    expect([await device.shadow.delete(), await device.shadow.delete(), await device.shadow.get()]).toEqual([
      ...[true, false, null],
    ]);
  });

  it('has named shadows, documents and MQTT 3.1.1', async () => {
    await proxy.stop();
    proxy = await PacketProxy.start(node.port, 4);
    const thing = newThing();
    const device = await lamp(thing, { protocolVersion: 4 });
    const net = device.named<{ ip: string }>('net');
    const seen: unknown[] = [];
    net.onDocuments(({ previous, current }) => void seen.push([previous?.reported ?? null, current.reported]));
    await until('the subscription', () => proxy.sent.some(({ cmd }) => cmd === 'subscribe'));
    await net.report({ ip: '10.0.0.1' });
    await net.report({ ip: '10.0.0.2' });
    await until('both', () => seen.length === 2);
    expect(seen).toEqual([
      [null, { ip: '10.0.0.1' }],
      [{ ip: '10.0.0.1' }, { ip: '10.0.0.2' }],
    ]);
  });

  it.each([4, 5] as const)('says in its requests which trace they belong to, over MQTT %i', async (protocolVersion) => {
    await proxy.stop();
    proxy = await PacketProxy.start(node.port, protocolVersion);
    const seen: string[] = [];
    const device = await lamp(newThing(), {
      protocolVersion,
      traced: (name, run) => {
        seen.push(name);
        return run({ traceparent: `00-${seen.length}` });
      },
    });
    await device.shadow.report({ step: 1 });
    expect([await device.shadow.get(), await device.shadow.delete()]).toMatchObject([{ version: 1 }, true]);
    expect(seen).toEqual(['shadow.update', 'shadow.get', 'shadow.delete']);
    const told = proxy.sent.flatMap((packet) =>
      packet.cmd === 'publish' ? [packet.properties?.userProperties?.['traceparent']] : [],
    );
    expect(told).toEqual(protocolVersion === 5 ? ['00-1', '00-2', '00-3'] : [undefined, undefined, undefined]);
  });

  it.each(CUTS)('ends at what is desired, with all reports in their order, cut %j', async (cut) => {
    const thing = newThing();
    await desire(thing, { power: 'on' });
    proxy.cuts.push(cut);
    const device = await lamp(thing);
    device.shadow.onDelta((delta) => delta);
    await until('the first delta', () => reports(thing).at(-1)?.power === 'on');
    const stored = [1, 2, 3, 4].map((step) => device.shadow.report({ step }));
    await desire(thing, { level: 7 });
    await Promise.all(stored);
    await until('the cut', () => proxy.cuts.length === 0);
    await until('all that is desired', async () => (await device.shadow.get())?.delta === null);
    expect(reports(thing).at(-1)).toEqual({ power: 'on', level: 7, step: 4 });
    const steps = reports(thing).flatMap(({ step }) => step ?? []);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
  });

  it('leaves a connection on which nobody answers, and sends again with the same token', async () => {
    const thing = newThing();
    const device = await lamp(thing, { answerMs: 300 });
    await device.shadow.report({ step: 1 });
    proxy.isSilent = true;
    const stored = device.shadow.report({ step: 2 });
    await until('another connection', () => proxy.connections >= 2);
    await expect(device.shadow.report({ level: 1 }, { timeoutMs: 50 })).rejects.toMatchObject({
      ...{ code: 'timeout', outcome: 'unknown' },
    });
    await expect(device.shadow.get({ timeoutMs: 50 })).rejects.toMatchObject({
      ...{ code: 'timeout', outcome: 'not-applied' },
    });
    proxy.isSilent = false;
    // Those that were accepted while nothing passed hear nothing more.
    proxy.cutAll();
    await stored;
    await until('the report that nobody waits for', () => reports(thing).at(-1)?.level === 1);
    expect(reports(thing).at(-1)).toEqual({ step: 2, level: 1 });
  });

  it('merges what waits without a connection, and finds it in its outbox after a restart', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'umbra-outbox-'));
    const [thing, path] = [newThing(), join(folder, 'outbox')];
    const first = await lamp(thing, { outbox: fileOutbox(path), url: `mqtt://127.0.0.1:1`, background: true });
    const lost = first.shadow.report({ step: 1, level: 1 });
    for (let step = 2; step <= 100; step++) void first.shadow.report({ step });
    await until('the file', () => existsSync(path) && readFileSync(path, 'utf8').includes('"step":100'));
    await first.close();
    await expect(lost).rejects.toMatchObject({ code: 'closed', outcome: 'unknown' });
    const second = await lamp(thing, { outbox: fileOutbox(path) });
    await until('the report', () => reports(thing).at(-1)?.step === 100);
    expect(reports(thing)).toEqual([{ step: 100, level: 1 }]);
    // It still writes that nothing waits.
    await second.close();
    rmSync(folder, { recursive: true });
  });

  it('is told that a report is too large, which holds up no other, and sends much that waits in pieces', async () => {
    const device = await lamp(newThing());
    let downs = 0;
    device.on('down', () => downs++);
    const large = device.shadow.report({ power: 'x'.repeat(40_000) });
    await expect(large).rejects.toMatchObject({ code: 'document-too-large', outcome: 'not-applied' });
    expect(await device.shadow.report({ level: 1 })).toMatchObject({ version: 1 });
    // Jobs that come and go: together far more than a request may have, and never much of it at once in the shadow.
    const jobs = Array.from({ length: 600 }, (_, n) => `job-${n}-0123456789abcdef0123456789abcdef`);
    await Promise.all(
      jobs.flatMap((job) =>
        [{ state: 'running' }, null].map((value) => device.shadow.report({ [job]: value } as never)),
      ),
    );
    expect(downs).toBe(0);
  });

  it('leaves nothing behind', async () => {
    const handles = (): number =>
      process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCPSocket')).length;
    const signal = new AbortController().signal;
    const before = handles();
    for (let round = 0; round < 3; round++) {
      const device = await lamp(newThing(), { signal });
      const stop = device.shadow.onDelta((delta) => delta);
      await Promise.all([device.shadow.report({ step: 1 }, { signal }), device.shadow.get({ signal })]);
      proxy.cutAll();
      await device.shadow.get({ signal });
      stop();
      await device.close();
      await expect(device.shadow.report({ step: 2 })).rejects.toMatchObject({ code: 'closed' });
    }
    await until('the end of all sockets', () => handles() <= before && proxy.open === 0);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
