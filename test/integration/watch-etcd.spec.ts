import { openEtcdStorage } from '../../src/store/etcd/open-etcd.js';
import { startEtcd, type EtcdServer } from '../harness/etcd.js';
import { EventReader, type StreamEvent } from '../harness/event-reader.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';

describe('watch streams of nodes that share an etcd', () => {
  let etcd: EtcdServer;
  let a: HttpNode;
  let b: HttpNode;
  const readers: EventReader[] = [];
  const start = () => startHttpNode({ open: openEtcdStorage, etcd: { endpoints: [etcd.endpoint] } });
  beforeAll(async () => {
    etcd = await startEtcd();
    [a, b] = await Promise.all([start(), start()]);
  });
  afterAll(async () => {
    for (const reader of readers) reader.close();
    await a.stop();
    await b.stop();
    await etcd.stop();
  });

  async function watch(node: HttpNode, path: string, id?: string): Promise<EventReader> {
    const reader = await EventReader.open(`${node.url}/v1${path}`, id === undefined ? {} : { 'last-event-id': id });
    readers.push(reader);
    return reader;
  }
  const update = async (node: HttpNode, thing: string, n: number): Promise<void> => {
    const response = await fetch(`${node.url}/v1/things/${thing}/shadow/reported`, {
      method: 'PATCH',
      body: `{"n":${n}}`,
    });
    expect(response.status).toBe(200);
  };

  it('tell the changes that came through any node, and resume on any node', async () => {
    const first = await watch(a, '/things/x/watch');
    for (let n = 1; n <= 10; n++) await update(n % 2 ? a : b, 'x', n);
    const events: StreamEvent[] = [];
    while (events.length < 4) events.push(await first.nextOf('change'));
    first.close();
    const second = await watch(b, '/things/x/watch', events[3]?.id);
    while (events.length < 10) events.push(await second.nextOf('change'));
    expect(events.map(({ data }) => data['version'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('start with the present state of every node', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, i) => update(i % 2 ? a : b, `initial-${i}`, i)));
    const reader = await watch(b, '/watch?initial=true');
    const things = new Set<unknown>();
    for (let event = await reader.next(); event?.event === 'initial'; event = await reader.next())
      things.add(event.data['thing']);
    for (let i = 0; i < 20; i++) expect(things).toContain(`initial-${i}`);
  });

  it('say that a cursor is gone when etcd has compacted what came after it', async () => {
    const reader = await watch(a, '/watch');
    await update(a, 'c', 1);
    const { id } = await reader.nextOf('change');
    reader.close();
    for (let n = 2; n <= 5; n++) await update(a, 'c', n);
    const head = await etcd.client.kv.range({ key: Buffer.from('x') });
    await etcd.client.kv.compact({ revision: head.header.revision, physical: true });
    // Only a node that has not seen the changes itself has to ask etcd for them.
    const fresh = await start();
    try {
      const response = await fetch(`${fresh.url}/v1/watch`, { headers: { 'last-event-id': id ?? '' } });
      const text = await new Response(response.body).text();
      // It depends on etcd's haste whether it is known before the stream starts; either way it is said, and is the end.
      if (response.status === 410)
        expect(JSON.parse(text)).toMatchObject({ type: 'urn:umbra:problem:cursor-gone', reason: 'compacted' });
      else
        expect([response.status, text]).toEqual([
          200,
          expect.stringMatching(/event: end\ndata: \{"reason":"compacted"/),
        ]);
    } finally {
      await fresh.stop();
    }
  });
});
