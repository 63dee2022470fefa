import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { EventSource } from 'eventsource';
import { EventReader, type StreamEvent } from '../harness/event-reader.js';
import { startHttpNode, type HttpNode, type HttpNodeOptions } from '../harness/http-node.js';
import { until } from '../harness/until.js';

describe('the watch streams', () => {
  const nodes: HttpNode[] = [];
  const readers: EventReader[] = [];
  async function start(options: HttpNodeOptions = {}): Promise<HttpNode> {
    const node = await startHttpNode(options);
    nodes.push(node);
    return node;
  }
  async function watch(node: HttpNode, path: string, headers: Record<string, string> = {}): Promise<EventReader> {
    const reader = await EventReader.open(`${node.url}/v1${path}`, headers);
    readers.push(reader);
    return reader;
  }
  afterEach(async () => {
    for (const reader of readers.splice(0)) reader.close();
    for (const node of nodes.splice(0).reverse()) await node.stop();
  });

  async function update(node: HttpNode, thing: string, body: unknown, name = ''): Promise<void> {
    const response = await fetch(`${node.url}/things/${thing}/shadow${name && `?name=${name}`}`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(await response.text());
  }
  const changeOf = (n: number) => ({ state: { reported: { n } } });
  const versions = async (reader: EventReader, count: number): Promise<number[]> => {
    const seen: number[] = [];
    while (seen.length < count) seen.push((await reader.nextOf('change')).data['version'] as number);
    return seen;
  };

  it('tells a change in full, in a frame that EventSource and people can read', async () => {
    const node = await start();
    const reader = await watch(node, '/things/t/shadow/watch');
    expect(reader.response.headers.get('content-type')).toBe('text/event-stream');
    expect(reader.response.headers.get('cache-control')).toBe('no-store');
    expect(reader.response.headers.get('x-accel-buffering')).toBe('no');
    expect(reader.response.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    await update(node, 't', { state: { desired: { led: 'on' }, reported: { led: 'off' } }, clientToken: 'tok' });
    const { event, id, data } = await reader.nextOf('change');
    expect([event, id]).toEqual(['change', expect.stringMatching(/^[A-Za-z0-9_-]+$/)]);
    const leaf = { timestamp: Math.floor(node.clock.now() / 1000) };
    expect(data).toEqual({
      kind: 'updated',
      tenant: 'default',
      thing: 't',
      shadow: null,
      version: 1,
      revision: expect.any(Number),
      time: new Date(node.clock.now()).toISOString(),
      patch: { desired: { led: 'on' }, reported: { led: 'off' } },
      removed: [],
      delta: { led: 'on' },
      document: {
        state: { desired: { led: 'on' }, reported: { led: 'off' } },
        metadata: { desired: { led: leaf }, reported: { led: leaf } },
        version: 1,
      },
      clientToken: 'tok',
      principal: 'anonymous',
    });
    expect(reader.retry).toBeGreaterThanOrEqual(1000);
    await fetch(`${node.url}/things/t/shadow`, { method: 'DELETE' });
    expect((await reader.nextOf('change')).data).toMatchObject({
      kind: 'deleted',
      version: 1,
      document: null,
      delta: null,
      patch: null,
    });
  });

  it('filters by thing, and by shadow', async () => {
    const node = await start();
    const all = await watch(node, '/watch');
    const thing = await watch(node, '/things/a/watch');
    const classic = await watch(node, '/things/a/shadow/watch');
    const named = await watch(node, '/things/a/shadow/watch?name=n');
    await update(node, 'b', changeOf(0));
    await update(node, 'a', changeOf(1));
    await update(node, 'a', changeOf(2), 'n');
    await update(node, 'a', changeOf(3), 'm');
    const seen = async (reader: EventReader, count: number) => {
      const rows: unknown[] = [];
      while (rows.length < count) {
        const { data } = await reader.nextOf('change');
        rows.push([data['thing'], data['shadow']]);
      }
      return rows;
    };
    expect(await seen(all, 4)).toEqual([
      ['b', null],
      ['a', null],
      ['a', 'n'],
      ['a', 'm'],
    ]);
    expect(await seen(thing, 3)).toEqual([
      ['a', null],
      ['a', 'n'],
      ['a', 'm'],
    ]);
    await update(node, 'a', changeOf(4));
    await update(node, 'a', changeOf(5), 'n');
    expect(await seen(classic, 2)).toEqual([
      ['a', null],
      ['a', null],
    ]);
    expect(await seen(named, 2)).toEqual([
      ['a', 'n'],
      ['a', 'n'],
    ]);
  });

  it('resumes behind any event, by header or query, on another node', async () => {
    const node = await start();
    const other = await start({ store: node.store, clock: node.clock });
    const first = await watch(node, '/things/r/watch');
    for (let n = 1; n <= 5; n++) await update(node, 'r', changeOf(n));
    const events: StreamEvent[] = [];
    while (events.length < 5) events.push(await first.nextOf('change'));
    first.close();
    await update(node, 'r', changeOf(6));
    for (const [index, { id = '' }] of events.entries()) {
      const rest = Array.from({ length: 5 - index }, (_, i) => index + 2 + i);
      const byHeader = await watch(other, '/things/r/watch', { 'last-event-id': id });
      expect(await versions(byHeader, rest.length)).toEqual(rest);
      // The header of a browser that connects again counts before the address that it was first given.
      const byQuery = await watch(node, `/things/r/watch?initial=true&cursor=${id}`);
      expect(await versions(byQuery, rest.length)).toEqual(rest);
    }
  });

  it('sends the present state first when asked, without ids, then a bookmark, then changes', async () => {
    const node = await start();
    await update(node, 'i', changeOf(1));
    await update(node, 'i', changeOf(2));
    await update(node, 'i', changeOf(1), 'n');
    await update(node, 'i', changeOf(1), 'gone');
    await fetch(`${node.url}/things/i/shadow?name=gone`, { method: 'DELETE' });
    const reader = await watch(node, '/things/i/watch?initial=true');
    const initial = [await reader.next(), await reader.next()];
    expect(
      initial.map((event) => [event?.event, event?.id, event?.data['shadow'], event?.data['version']]).sort(),
    ).toEqual(
      [
        ['initial', undefined, null, 2],
        ['initial', undefined, 'n', 1],
      ].sort(),
    );
    const bookmark = await reader.next();
    expect([bookmark?.event, bookmark?.id]).toEqual(['bookmark', expect.any(String)]);
    await update(node, 'i', changeOf(3));
    expect((await reader.nextOf('change')).data).toMatchObject({ version: 3 });
    // The bookmark resumes too.
    const again = await watch(node, '/things/i/watch', { 'last-event-id': bookmark?.id ?? '' });
    expect((await again.nextOf('change')).data).toMatchObject({ version: 3 });
  });

  it('moves an idle stream on with bookmarks, so that it can resume after changes elsewhere were compacted', async () => {
    const node = await start({ watch: { bookmarkMs: 50 } });
    const reader = await watch(node, '/things/idle/watch');
    const first = await reader.nextOf('bookmark');
    await update(node, 'other', changeOf(1));
    let bookmark = await reader.nextOf('bookmark');
    while (bookmark.data['revision'] === first.data['revision']) bookmark = await reader.nextOf('bookmark');
    expect(bookmark.data['revision']).toBe(node.store.position.revision);
    expect(bookmark.id).not.toBe(first.id);
  });

  it.each([
    ['/watch?cursor=nonsense', 400, 'urn:umbra:problem:invalid-request', /^Invalid cursor/],
    ['/watch?cursor=', 400, 'urn:umbra:problem:invalid-request', /^cursor must be given once/],
    ['/watch?initial=yes', 400, 'urn:umbra:problem:invalid-request', /^initial must be true or false/],
    ['/things/a%20b/watch', 400, 'urn:umbra:problem:invalid-thing-name', /^Invalid thing name/],
    ['/things/a/shadow/watch?name=', 400, 'urn:umbra:problem:invalid-shadow-name', /^Invalid shadow name/],
  ])('refuses %s before it streams', async (path, status, type, detail) => {
    const node = await start();
    const response = await fetch(`${node.url}/v1${path}`);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ type, detail: expect.stringMatching(detail) });
  });

  it('answers 410 for a cursor whose changes are gone, and for one of another history', async () => {
    const node = await start({ watch: { historyRecords: 2 } });
    const reader = await watch(node, '/watch');
    await update(node, 'c', changeOf(1));
    const { id = '' } = await reader.nextOf('change');
    for (let n = 2; n <= 10; n++) await update(node, 'c', changeOf(n));
    node.store.log.compactTo(node.store.position.revision);
    // A node that has not seen those changes itself must ask the store for them.
    const fresh = await start({ store: node.store, clock: node.clock });
    const response = await fetch(`${fresh.url}/v1/watch`, { headers: { 'last-event-id': id } });
    expect([response.status, await response.json()]).toEqual([
      410,
      expect.objectContaining({
        type: 'urn:umbra:problem:cursor-gone',
        reason: 'compacted',
        detail: expect.stringMatching(/load the present state/),
      }),
    ]);
    const foreign = Buffer.from('1.elsewhere.0.5.all').toString('base64url');
    const elsewhere = await fetch(`${fresh.url}/v1/watch?cursor=${foreign}`);
    expect([elsewhere.status, await elsewhere.json()]).toEqual([
      410,
      expect.objectContaining({ reason: 'epoch-changed' }),
    ]);
  });

  it('ends a reader that does not keep up with its reason, leaves the others alone, and lets it resume', async () => {
    const node = await start({ watch: { maxQueued: 20 } });
    const slow = await watch(node, '/things/s/watch');
    const fast = await watch(node, '/things/s/watch');
    const blob = 'x'.repeat(7_000);
    const fastSeen: unknown[] = [];
    void (async () => {
      for (;;) fastSeen.push((await fast.nextOf('change')).data['version']);
    })().catch(() => undefined);
    const readers = () => (node.hub as unknown as { counts: { subscriptions: number } }).counts.subscriptions;
    // Each event carries the blob twice; socket buffers take megabytes before the server feels it.
    let total = 0;
    while (readers() === 2) {
      if (++total > 5_000) throw new Error('it is never ended');
      await update(node, 's', { state: { reported: { blob, n: total } } });
    }
    // What is in the buffers, and the end, it may still take for a while.
    let last = 0;
    let id = '';
    let end: StreamEvent | null = null;
    for (let event = await slow.next(); event !== null; event = await slow.next()) {
      if (event.event === 'change') {
        expect(event.data['version']).toBe(last + 1);
        last++;
        id = event.id ?? '';
      } else if (event.event === 'end') end = event;
    }
    expect(end?.data).toEqual({
      reason: 'too-slow',
      message: expect.stringContaining('connect again'),
      reload: '/v1/things/s/watch?initial=true',
    });
    expect(last).toBeLessThan(total);
    await until('every change at the other reader', () => fastSeen.length === total);
    expect(fastSeen).toEqual(Array.from({ length: total }, (_, n) => n + 1));
    const again = await watch(node, '/things/s/watch', { 'last-event-id': id });
    expect((await again.nextOf('change')).data['version']).toBe(last + 1);
  });

  it('ends every stream with draining when the node shuts down', async () => {
    const node = await start();
    const reader = await watch(node, '/things/d/shadow/watch?name=n&cursor=' + (await anyId(node)));
    await node.hub.close();
    const end = await reader.nextOf('end');
    expect(end.data).toMatchObject({ reason: 'draining', reload: '/v1/things/d/shadow/watch?name=n&initial=true' });
    expect(await reader.next()).toBeNull();
    const refused = await fetch(`${node.url}/v1/watch`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
  });

  async function anyId(node: HttpNode): Promise<string> {
    const reader = await watch(node, '/watch?initial=true');
    return (await reader.nextOf('bookmark')).id ?? '';
  }

  it('bounds the number of streams, and frees what a closed one held', async () => {
    const node = await start({ watch: { maxSubscriptions: 3 } });
    const counts = () => (node.hub as unknown as { counts: { subscriptions: number } }).counts.subscriptions;
    const open = [await watch(node, '/watch'), await watch(node, '/watch'), await watch(node, '/watch')];
    const refused = await fetch(`${node.url}/v1/watch`);
    expect([refused.status, refused.headers.get('retry-after'), refused.headers.get('content-type')]).toEqual([
      429,
      '1',
      'application/problem+json',
    ]);
    expect(counts()).toBe(3);
    for (const reader of open) reader.close();
    while (counts() > 0) await new Promise((resolve) => setImmediate(resolve));
    await watch(node, '/watch');
    // Neither does a HEAD hold anything.
    const head = await fetch(`${node.url}/v1/watch`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-type'), counts()]).toEqual([200, 'text/event-stream', 1]);
  });

  it('works with EventSource, which resumes by itself', async () => {
    const node = await start();
    const streams: Socket[] = [];
    node.app.getHttpServer().on('request', ({ url, socket }: IncomingMessage) => {
      if (url?.endsWith('/watch')) streams.push(socket);
    });
    const source = new EventSource(`${node.url}/v1/things/e/shadow/watch`);
    const seen: number[] = [];
    const wanted = (count: number) =>
      new Promise<void>((resolve) => {
        const check = (): void => void (seen.length >= count && resolve());
        source.addEventListener('change', check);
        check();
      });
    source.addEventListener(
      'change',
      (event) => void seen.push((JSON.parse(event.data as string) as { version: number }).version),
    );
    try {
      await new Promise((resolve) => source.addEventListener('open', resolve, { once: true }));
      await update(node, 'e', changeOf(1));
      await fetch(`${node.url}/v1/things/e/shadow`, { method: 'PATCH', body: JSON.stringify(changeOf(2)) });
      await wanted(2);
      const dropped = new Promise((resolve) => source.addEventListener('error', resolve, { once: true }));
      // The connection of the stream alone: fetch would use again what it does not know to be closed yet.
      streams[0]?.destroy();
      await dropped;
      await update(node, 'e', changeOf(3));
      await update(node, 'e', changeOf(4));
      await wanted(4);
      expect(seen).toEqual([1, 2, 3, 4]);
    } finally {
      source.close();
    }
  });
});
