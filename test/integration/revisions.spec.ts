import { MemoryShadowFeed } from '../../src/store/memory/memory-shadow-feed.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import type { ShadowFeed } from '../../src/store/shadow-feed.js';
import type { ShadowStore } from '../../src/store/shadow-store.js';
import { EventReader } from '../harness/event-reader.js';
import { until } from '../harness/until.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';

/** UMBRA_REQUEST_TIMEOUT_MS by default. */
const REQUEST_TIMEOUT_MS = 5_000;

/** The store of the node numbers its commits from 2 on, so each of these tests knows the revisions of its changes. */
describe('revisions over HTTP', () => {
  let node: HttpNode;
  /** Calls of the store by routes. */
  let reads = 0;
  const counted = (store: ShadowStore): ShadowStore =>
    new Proxy(store, {
      get(target, member) {
        const value = Reflect.get(target, member, target) as unknown;
        return typeof value === 'function' ? (reads++, value.bind(target) as unknown) : value;
      },
    });
  beforeAll(async () => (node = await startHttpNode({ wrap: counted })));
  afterAll(() => node.stop());

  const send = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${node.url}${path}`, {
      ...{ method, headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { response, revision: response.headers.get('umbra-revision') };
  };
  const present = (): number => node.store.position.revision;

  it('stand in every answer that shows or changes a shadow', async () => {
    const update = { state: { desired: { led: 'on' } } };
    for (const [method, path, body] of [
      ['PATCH', '/v1/things/seen/shadow', update],
      ['PATCH', '/v1/things/seen/shadow/reported?name=door', { open: true }],
      ['POST', '/things/seen/shadow', update],
      ['DELETE', '/v1/things/seen/shadow?name=door', undefined],
      ['PATCH', '/v1/things/gone/shadow', update],
      ['DELETE', '/v1/things/gone', undefined],
    ] as const) {
      const before = present();
      const { response, revision } = await send(method, path, body);
      expect([path, response.status, revision]).toEqual([path, 200, String(before + 1)]);
    }
    // A change of another shadow: a read is as new as that one too.
    await send('PATCH', '/v1/things/other/shadow', update);
    for (const path of [
      '/v1/things/seen/shadow',
      '/things/seen/shadow',
      '/v1/things/seen/shadows',
      '/api/things/shadow/ListNamedShadowsForThing/seen',
      '/v1/things',
      '/v1/things/seen',
    ]) {
      const { response, revision } = await send('GET', path);
      expect([path, response.status, revision]).toEqual([path, 200, String(present())]);
      expect((await send('HEAD', path)).revision).toBe(String(present()));
    }
    const { response, revision } = await send('GET', '/v1/things/seen/shadow', undefined, { 'if-none-match': '*' });
    expect([response.status, revision]).toEqual([304, String(present())]);
  });

  const LISTS = ['/v1/things/lamp/shadow', '/v1/things/lamp/shadows', '/v1/things', '/v1/things/lamp'];

  it('are what an answer is as new as', async () => {
    const { revision } = await send('PATCH', '/v1/things/lamp/shadow', { state: { desired: { led: 'on' } } });
    for (const path of LISTS) {
      const { response } = await send('GET', `${path}?minRevision=${revision}`);
      expect([path, response.status]).toEqual([path, 200]);
    }
  });

  it('that the store has not reached are waited for until the deadline, and then refused', async () => {
    const ahead = present() + 5;
    for (const path of [...LISTS, '/v1/things/unknown/shadow']) {
      reads = 0;
      const asked = send('GET', `${path}?minRevision=${ahead}`);
      await until('a first read', () => reads > 0);
      node.clock.advance(REQUEST_TIMEOUT_MS - 100);
      const { response } = await asked;
      expect([path, response.status]).toEqual([path, 409]);
      expect(await response.json()).toMatchObject({
        type: 'urn:umbra:problem:revision-ahead',
        detail: expect.stringContaining(`revision ${ahead}: it is at ${present()};`),
      });
    }
    const asked = send('GET', `/v1/things/lamp/shadow?minRevision=${present() + 1}`);
    await send('PATCH', '/v1/things/lamp/shadow', { state: { desired: { led: 'off' } } });
    expect((await asked).response.status).toBe(200);
  });

  it('show what was, and what is the oldest one', async () => {
    const shadow = '/v1/things/past/shadow';
    const patch = async (led: string) => {
      node.clock.advance(60_000);
      const { revision } = await send('PATCH', shadow, { state: { desired: { led } } });
      return { led, revision: Number(revision), at: node.clock.now() };
    };
    const [first, second, third] = [await patch('on'), await patch('off'), await patch('dim')];
    type Body = { readonly state?: { readonly desired: { readonly led: string } } };
    const ledOf = async (query: string, headers?: Record<string, string>) => {
      const { response, revision } = await send('GET', `${shadow}?${query}`, undefined, headers);
      const body = response.status === 304 ? {} : ((await response.json()) as Body);
      return [response.status, body.state?.desired.led, revision];
    };
    expect(await ledOf(`revision=${first.revision}`)).toEqual([200, 'on', String(first.revision)]);
    expect(await ledOf(`revision=${second.revision}`)).toEqual([200, 'off', String(second.revision)]);
    expect(await ledOf(`revision=${second.revision}`, { 'if-none-match': '"2"' })).toEqual([
      304,
      undefined,
      expect.anything(),
    ]);
    expect(await ledOf(`revision=${first.revision - 1}`)).toEqual([404, undefined, null]);
    expect(await ledOf(`at=${second.at}`)).toEqual([200, 'off', String(third.revision - 1)]);
    expect(await ledOf(`at=${second.at - 1}`)).toEqual([200, 'on', expect.anything()]);
    expect(await ledOf(`at=${new Date(second.at).toISOString()}`)).toEqual([200, 'off', expect.anything()]);
    const withOffset = new Date(third.at).toISOString().replace('.000Z', '%2B00:00');
    expect(await ledOf(`at=${withOffset}`)).toEqual([200, 'dim', expect.anything()]);
    expect(await ledOf(`at=${first.at - 1}`)).toEqual([404, undefined, null]);
    node.store.log.compactTo(second.revision);
    for (const query of [`revision=${first.revision}`, `at=${first.at}`]) {
      const { response } = await send('GET', `${shadow}?${query}`);
      expect([query, response.status, await response.json()]).toEqual([
        query,
        410,
        expect.objectContaining({ type: 'urn:umbra:problem:revision-gone', oldestRevision: second.revision }),
      ]);
    }
    expect(await ledOf(`at=${second.at}`)).toEqual([200, 'off', expect.anything()]);
    expect(await ledOf(`revision=${third.revision + 1_000}`)).toEqual([409, undefined, null]);
  });

  it('are what a stream begins behind, also on a node that lags', async () => {
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const store = new MemoryShadowStore();
    const feed = new MemoryShadowFeed(store);
    const after = async function* (...place: Parameters<ShadowFeed['after']>) {
      for await (const batch of feed.after(...place)) {
        await gate;
        yield batch;
      }
    };
    const lagging = new Proxy<ShadowFeed>(feed, {
      get: (target, member) => {
        const value = member === 'after' ? after : (Reflect.get(target, member, target) as unknown);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    const health = () => ({ ok: true, reason: 'in memory' });
    const slow = await startHttpNode({ open: () => ({ store, feed: lagging, health, close: () => store.close() }) });
    const readers: EventReader[] = [];
    try {
      const patch = async (n: number) => {
        const body = JSON.stringify({ state: { reported: { n } } });
        const response = await fetch(`${slow.url}/v1/things/t/shadow`, { method: 'PATCH', body });
        return Number(response.headers.get('umbra-revision'));
      };
      const revision = await patch(1);
      const open = async (query: string) => {
        const reader = await EventReader.open(`${slow.url}/v1/things/t/watch${query}`);
        readers.push(reader);
        return reader;
      };
      const [plain, behind, initial] = [
        await open(''),
        await open(`?minRevision=${revision}`),
        await open(`?minRevision=${revision}&initial=true`),
      ];
      expect(plain.response.headers.get('umbra-revision')).toBe(String(revision - 1));
      expect(behind.response.headers.get('umbra-revision')).toBe(String(revision));
      const later = await patch(2);
      release();
      expect((await plain.nextOf('change')).data['revision']).toBe(revision);
      expect((await behind.nextOf('change')).data['revision']).toBe(later);
      expect((await initial.nextOf('initial')).data['revision']).toBeGreaterThanOrEqual(revision);
      const waits = fetch(`${slow.url}/v1/watch?minRevision=${later + 1}`);
      const next = patch(3);
      expect([(await waits).status, await next]).toEqual([200, later + 1]);
      await (await waits).body?.cancel();
    } finally {
      for (const reader of readers) reader.close();
      release();
      await slow.stop();
    }
  });

  it.each([
    ['/watch?minRevision=0', 'minRevision'],
    ['/shadow?minRevision=0', 'minRevision'],
    ['/shadow?minRevision=1&minRevision=2', 'minRevision'],
    ['/shadow?revision=', 'revision'],
    ['/shadow?revision=-1', 'revision'],
    ['/shadow?revision=1e3', 'revision'],
    ['/shadow?revision=99999999999999999999', 'revision'],
    ['/shadow?revision=1&at=1', 'revision'],
    ['/shadow?at=yesterday', 'at'],
    ['/shadow?at=2023-02-29T10:00:00Z', 'at'],
    ['/shadow?at=2023-02-28T24:00:00Z', 'at'],
    ['/shadow?at=2023-02-28T10:00:00', 'at'],
    ['/shadow?at=2999-01-01T00:00:00Z', 'at'],
    ['/shadows?minRevision=x', 'minRevision'],
    ['?minRevision=0', 'minRevision'],
    ['?minRevision=1&minRevision=1', 'minRevision'],
  ])('are refused when they are none: %s', async (query, parameter) => {
    const { response } = await send('GET', `/v1/things/lamp${query}`);
    expect([response.status, await response.json()]).toMatchObject([400, { errors: [{ parameter }] }]);
  });
});
