import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { startNode, type ReadyNode } from '../harness/node-process.js';
import { cleanupAfterAll } from './steps/cleanup.js';
import { Device, topic, type Message } from './steps/device.js';
import { Rest } from './steps/rest.js';

const cleanup = cleanupAfterAll();
let etcd: EtcdServer;
let a: ReadyNode;
let b: ReadyNode;

beforeAll(async () => {
  etcd = await startEtcd();
  cleanup(() => etcd.stop());
  const env = { UMBRA_ETCD_ENDPOINTS: etcd.endpoint };
  [a, b] = await Promise.all([startNode({ env }), startNode({ env })]);
  cleanup(() => a.stop());
  cleanup(() => b.stop());
});

/** The tails of what came for one version, in order. */
function tails(device: Device, thing: string, version: number): string[] {
  const versionOf = ({ json }: Message): number => json.version ?? json.current?.version;
  return device.messages
    .filter((message) => versionOf(message) === version)
    .map((message) => message.topic.slice(topic(thing, '').length));
}

describe('a device on one node and an application on the other', () => {
  it.each(['mqtt', 'rest'])(
    'an update through %s on B reaches the device on A: delta, documents, accepted',
    async (way) => {
      const thing = `crossing-${way}`;
      const device = await Device.connect(a.mqttUrl);
      const app = await Device.connect(b.mqttUrl);
      cleanup(() => device.close());
      cleanup(() => app.close());
      await device.subscribe(topic(thing, 'update/#'));
      await app.subscribe(topic(thing, 'update/+'));

      const desired = { state: { desired: { led: 'on' } }, clientToken: 'from-b' };
      if (way === 'mqtt') expect((await app.request(thing, 'update', desired)).json).toMatchObject({ version: 1 });
      else expect((await new Rest(b.httpUrl).update(thing, desired)).json).toMatchObject({ version: 1 });
      await device.next((message) => message.topic === topic(thing, 'update/accepted'));
      expect(tails(device, thing, 1)).toEqual(['update/delta', 'update/documents', 'update/accepted']);
      expect(device.messages[0]?.json).toMatchObject({ state: { led: 'on' } });

      await device.publish(topic(thing, 'update'), { state: { reported: { led: 'on' } } });
      await app.next((message) => message.topic === topic(thing, 'update/accepted') && message.json.version === 2);
      expect(tails(app, thing, 2)).toEqual(['update/documents', 'update/accepted']);
      // The PUBACK came after the commit: the other node has it now.
      expect((await new Rest(b.httpUrl).get(thing)).json).toMatchObject({
        version: 2,
        state: { reported: { led: 'on' } },
      });
    },
  );

  it('many writers on both nodes: each update has its own version, and both nodes deliver all of them in order', async () => {
    const thing = 'contended';
    const watchers = await Promise.all([a, b].map((node) => Device.connect(node.mqttUrl)));
    for (const watcher of watchers) {
      cleanup(() => watcher.close());
      await watcher.subscribe(topic(thing, 'update/documents'));
    }
    const doors = [new Rest(a.httpUrl), new Rest(b.httpUrl)];
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, index) => {
        const door = doors[index % 2] as Rest;
        return door.update(thing, { state: { reported: { [`m${index}`]: index } } });
      }),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 60 }, () => 200));
    const versions = Array.from({ length: 60 }, (_, index) => index + 1);
    expect(answers.map(({ json }) => json.version as number).sort((x, y) => x - y)).toEqual(versions);
    for (const watcher of watchers) {
      await watcher.next(({ json }) => json.current.version === 60);
      expect(watcher.messages.map(({ json }) => json.current.version)).toEqual(versions);
      expect(Object.keys(watcher.messages.at(-1)?.json.current.state.reported)).toHaveLength(60);
    }
  });

  it('a stale version is refused on the other node at once', async () => {
    const [onA, onB] = [new Rest(a.httpUrl), new Rest(b.httpUrl)];
    for (let version = 1; version <= 20; version++) {
      const [writer, other] = version % 2 === 0 ? [onA, onB] : [onB, onA];
      const body =
        version === 1
          ? { state: { reported: { version } } }
          : { state: { reported: { version } }, version: version - 1 };
      expect((await writer.update('stale', body)).json).toMatchObject({ version });
      expect((await other.update('stale', { state: {}, version: version - 1 })).status).toBe(409);
      expect((await other.get('stale')).json).toMatchObject({ version, state: { reported: { version } } });
    }
  });
});
