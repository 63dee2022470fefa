import { setTimeout as pause } from 'node:timers/promises';
import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { EventReader } from '../harness/event-reader.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';
import { until } from '../harness/until.js';

const MIB = 1024 * 1024;
const THINGS = 20;
/** As many as a node lets read from the store at once, and more. */
const READERS = 10;
/** Milliseconds after which a stream counts as silent. */
const SILENT_MS = 10_000;

describe('streams while etcd is full', () => {
  let etcd: EtcdServer;
  const nodes: HttpNode[] = [];
  const readers: EventReader[] = [];

  const startNode = async (): Promise<HttpNode> => {
    const etcdConfig = { endpoints: [etcd.endpoint] };
    const node = await startHttpNode({ open: openEtcdStorage, etcd: etcdConfig, watch: { bookmarkMs: 200 } });
    nodes.push(node);
    return node;
  };
  const watch = async (node: HttpNode, path: string, id?: string): Promise<EventReader> => {
    const reader = await EventReader.open(`${node.url}/v1${path}`, id === undefined ? {} : { 'last-event-id': id });
    readers.push(reader);
    return reader;
  };
  /** Kind of the next event, or `silent`. */
  const nextKind = async (reader: EventReader): Promise<string> => {
    const stop = new AbortController();
    const silence = pause(SILENT_MS, 'silent', { signal: stop.signal }).catch(() => 'silent');
    const next = reader.next().then((event) => event?.event ?? 'closed');
    return Promise.race([next, silence]).finally(() => stop.abort());
  };

  beforeAll(async () => {
    etcd = await startEtcd({ quotaBytes: 16 * MIB });
  });
  afterAll(async () => {
    for (const reader of readers) reader.close();
    for (const node of nodes) await node.stop();
    await etcd.stop();
  });

  it('resume, and begin with the present state, on a node that starts then', async () => {
    const node = await startNode();
    const first = await watch(node, '/watch');
    for (let i = 0; i < THINGS; i++) {
      const url = `${node.url}/v1/things/full-${i}/shadow/reported`;
      expect((await fetch(url, { method: 'PATCH', body: '{"n":1}' })).status).toBe(200);
    }
    let id: string | undefined;
    for (let i = 0; i < THINGS; i++) ({ id } = await first.nextOf('change'));
    const blob = Buffer.alloc(MIB);
    const fill = async (): Promise<void> => {
      for (let i = 0; i < 40; i++) await etcd.client.kv.put({ key: Buffer.from('/elsewhere'), value: blob });
    };
    await expect(fill()).rejects.toThrow('database space exceeded');

    const fresh = await startNode();
    const resumed = await Promise.all(Array.from({ length: READERS }, () => watch(fresh, '/watch', id)));
    const initial = await watch(fresh, '/things/full-0/watch?initial=true');
    const kinds = await Promise.all([...resumed, initial].map(nextKind));
    process.stdout.write(`first events while etcd is full: ${kinds.join(' ')}\n`);
    expect(kinds).toEqual([...resumed.map(() => 'bookmark'), 'initial']);

    const status = await until('the page for operators says it', async () => {
      const found = await (await fetch(`${fresh.url}/health/status`)).json();
      return (found as { storage: { full: boolean } }).storage.full && found;
    });
    expect(status).toMatchObject({
      storage: {
        members: [{ member: etcd.endpoint, leader: true, quotaShare: expect.any(Number) }],
        recordFormats: { reads: [1, 2], writes: 2 },
      },
      nodes: [],
    });
  });
});
