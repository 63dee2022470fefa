import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import type { WatchTimes } from '../../src/store/etcd/feed/watch-session.js';
import { decodeCursor } from '../../src/watch/cursor.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { EventReader } from '../harness/event-reader.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';

const SHADOWS = 200;
const FOREIGN_PUTS = 300;
/** Short, so that a quiet minute passes within a test. */
const TIMES: WatchTimes = { openMs: 2_000, probeMs: 200, stallMs: 5_000, quietMs: 400 };

describe('a fleet that is quiet while other users of etcd write', () => {
  let etcd: EtcdServer;
  const nodes: HttpNode[] = [];
  const readers: EventReader[] = [];

  const startNode = async (): Promise<HttpNode> => {
    const node = await startHttpNode({
      open: (parts) => openEtcdStorage({ ...parts, watchTimes: TIMES }),
      etcd: { endpoints: [etcd.endpoint] },
      watch: { bookmarkMs: 50 },
    });
    nodes.push(node);
    return node;
  };
  const watch = async (node: HttpNode, id?: string): Promise<EventReader> => {
    const reader = await EventReader.open(`${node.url}/v1/watch`, id === undefined ? {} : { 'last-event-id': id });
    readers.push(reader);
    return reader;
  };
  const update = async (node: HttpNode, thing: string, n: number): Promise<void> => {
    const url = `${node.url}/v1/things/${thing}/shadow/reported`;
    expect((await fetch(url, { method: 'PATCH', body: `{"n":${n}}` })).status).toBe(200);
  };
  /** Reads bookmarks until one is at least at `revision`; returns its id. */
  const bookmarkAt = async (reader: EventReader, revision: number): Promise<string> => {
    for (;;) {
      const { id } = await reader.nextOf('bookmark');
      if (id !== undefined && decodeCursor(id).revision >= revision) return id;
    }
  };

  beforeAll(async () => {
    etcd = await startEtcd();
  });
  afterAll(async () => {
    for (const reader of readers) reader.close();
    for (const node of nodes) await node.stop();
    await etcd.stop();
  });

  it('keeps its place: bookmarks advance, and after a compaction a reader resumes on another node', async () => {
    const node = await startNode();
    await Promise.all(Array.from({ length: SHADOWS }, (_, i) => update(node, `quiet-${i}`, 1)));
    const reader = await watch(node);
    const first = decodeCursor((await reader.nextOf('bookmark')).id ?? '');

    let head = 0;
    for (let i = 0; i < FOREIGN_PUTS; i++) {
      const { header } = await etcd.client.kv.put({ key: Buffer.from('/elsewhere'), value: Buffer.from(String(i)) });
      head = Number(header.revision);
    }
    expect(head).toBeGreaterThanOrEqual(first.revision + FOREIGN_PUTS);

    const id = await bookmarkAt(reader, head);
    await etcd.client.kv.compact({ revision: String(head - 5), physical: true });
    const other = await startNode();
    const resumed = await watch(other, id);
    await update(node, 'quiet-0', 2);
    expect((await resumed.nextOf('change', 'end')).data).toMatchObject({ thing: 'quiet-0', version: 2 });
  });

  it('writes nothing for that while nobody else writes', async () => {
    const node = await startNode();
    const reader = await watch(node);
    const revision = async (): Promise<number> =>
      Number((await etcd.client.kv.range({ key: Buffer.from('x') })).header.revision);
    // The nodes of the test before have caught up by now, or do so first.
    await bookmarkAt(reader, await revision());
    const before = await revision();
    const deadline = performance.now() + 4 * TIMES.quietMs;
    while (performance.now() < deadline) await reader.nextOf('bookmark');
    expect(await revision()).toBe(before);
  });
});
