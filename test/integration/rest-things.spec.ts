import { ServiceError } from '../../src/errors/service-error.js';
import { startHttpNode, type HttpNode } from '../harness/http-node.js';

interface Thing {
  readonly thing: string;
  readonly shadows: readonly { name: string | null; version: number; changedAt: string; state?: object }[];
  readonly names: readonly string[];
  readonly truncated?: boolean;
}
interface Deleted {
  readonly deleted: readonly { name: string | null; version: number; timestamp: number }[];
  readonly next?: string;
}

describe('things over HTTP', () => {
  let node: HttpNode;
  /** Names of shadows whose update the store rejects. */
  const failing = new Set<string | null>();
  /** Names of shadows whose stored value is no record. */
  const unreadable = new Set<string | null>();
  beforeAll(async () => {
    node = await startHttpNode({
      wrap: (store) => ({
        get: async (key, options) => {
          if (unreadable.has(key.name)) throw new ServiceError('internal');
          return store.get(key, options);
        },
        read: store.read.bind(store),
        readAsOf: store.readAsOf.bind(store),
        getBefore: store.getBefore.bind(store),
        listNames: store.listNames.bind(store),
        listThings: store.listThings.bind(store),
        close: store.close.bind(store),
        submit: store.submit.bind(store),
        transact: store.transact.bind(store),
        update: async (key, change, options) => {
          if (failing.has(key.name)) throw new ServiceError('storageUnavailable');
          return store.update(key, change, options);
        },
      }),
    });
  });
  afterAll(() => node.stop());

  const send = (method: string, path: string, body?: unknown) =>
    fetch(`${node.url}/v1/things${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
  const bodyOf = async <T>(response: Response) => (await response.json()) as T;
  const put = (thing: string, name: string | null, state: object = { reported: { a: 1 } }) =>
    send('PATCH', `/${thing}/shadow${name === null ? '' : `?name=${name}`}`, { state });
  async function crowd(thing: string, count: number): Promise<void> {
    const names = Array.from({ length: count }, (_, i) => `n-${String(i).padStart(3, '0')}`);
    await Promise.all(names.map((name) => put(thing, name)));
  }
  async function listed(thing: string): Promise<Thing | undefined> {
    let after = '';
    do {
      const page = await bodyOf<{ things: Thing[]; next?: string }>(await send('GET', `?limit=100${after}`));
      const found = page.things.find((each) => each.thing === thing);
      if (found) return found;
      after = page.next === undefined ? '' : `&after=${page.next}`;
    } while (after !== '');
    return undefined;
  }

  describe('a document', () => {
    it('says when it last changed, as a field and as Last-Modified, also after time has passed', async () => {
      const patched = await put('when', null);
      const at = new Date(node.clock.now());
      node.clock.advance(61_000);
      const got = await send('GET', '/when/shadow');
      for (const response of [patched, got]) {
        expect(response.headers.get('last-modified')).toBe(at.toUTCString());
        expect(await bodyOf(response)).toMatchObject({ changedAt: at.toISOString() });
      }
    });

    it('has the same members as before in the AWS API', async () => {
      await put('aws-members', null);
      const response = await fetch(`${node.url}/things/aws-members/shadow`);
      expect(response.headers.get('last-modified')).toBeNull();
      expect(Object.keys(await bodyOf<object>(response))).toEqual(['state', 'metadata', 'version', 'timestamp']);
    });
  });

  describe('the list', () => {
    it('has version and time of the last change of each shadow', async () => {
      await put('listed', 'b');
      await put('listed', null);
      await put('listed', null);
      const changedAt = new Date(node.clock.now()).toISOString();
      expect(await listed('listed')).toEqual({
        thing: 'listed',
        classic: true,
        names: ['b'],
        shadows: [
          { name: null, version: 2, changedAt },
          { name: 'b', version: 1, changedAt },
        ],
      });
    });

    it('omits a shadow whose stored value is no record, and a thing that has no other', async () => {
      await put('spoilt', null);
      await put('spoilt', 'foreign');
      await put('spoilt-only', 'foreign');
      unreadable.add('foreign');
      try {
        expect(await listed('spoilt')).toMatchObject({ classic: true, names: [] });
        expect(await listed('spoilt-only')).toBeUndefined();
        expect((await send('GET', '/spoilt')).status).toBe(500);
      } finally {
        unreadable.clear();
      }
    });

    it('says where it is cut off at 100 names, and only there', async () => {
      await crowd('crowd-101', 101);
      await crowd('crowd-100', 100);
      expect(await listed('crowd-101')).toMatchObject({ truncated: true });
      expect((await listed('crowd-101'))?.shadows).toHaveLength(100);
      expect(await listed('crowd-100')).not.toHaveProperty('truncated');
    });

    it('ends a page that has read many shadows, and loses nothing', async () => {
      const things = Array.from({ length: 7 }, (_, i) => `many-${i}`);
      for (const thing of things) await crowd(thing, 100);
      const seen: string[] = [];
      const sizes: number[] = [];
      let after = '';
      do {
        const page = await bodyOf<{ things: Thing[]; next?: string }>(await send('GET', `?limit=100${after}`));
        seen.push(...page.things.map(({ thing }) => thing));
        sizes.push(page.things.reduce((sum, { shadows }) => sum + shadows.length, 0));
        after = page.next === undefined ? '' : `&after=${page.next}`;
      } while (after !== '');
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen).toEqual(expect.arrayContaining(things));
      expect(Math.max(...sizes)).toBeLessThanOrEqual(700);
      expect(sizes.length).toBeGreaterThan(1);
    });
  });

  describe('one thing', () => {
    it('comes with all its shadows, page by page', async () => {
      await put('whole', null, { desired: { led: 'on' } });
      for (const name of ['c', 'a', 'b']) await put('whole', name);
      const first = await bodyOf<Thing & { next: string }>(await send('GET', '/whole?limit=2'));
      expect(first).toMatchObject({ thing: 'whole', next: expect.any(String) });
      expect(first.shadows.map(({ name }) => name)).toEqual([null, 'a', 'b']);
      expect(first.shadows[0]).toEqual({
        name: null,
        version: 1,
        changedAt: new Date(node.clock.now()).toISOString(),
        state: { desired: { led: 'on' } },
        metadata: { desired: { led: { timestamp: Math.floor(node.clock.now() / 1000) } } },
      });
      const second = await bodyOf<Thing>(await send('GET', `/whole?limit=2&after=${first.next}`));
      expect(second.shadows.map(({ name }) => name)).toEqual(['c']);
      expect(second).not.toHaveProperty('next');
    });

    it.each(['GET', 'DELETE'])('is 404 to %s when it has no shadow, or none any more', async (method) => {
      expect((await send(method, '/nobody')).status).toBe(404);
      await put(`gone-${method}`, 'a');
      await send('DELETE', `/gone-${method}/shadow?name=a`);
      expect((await send(method, `/gone-${method}`)).status).toBe(404);
      expect((await send(method, '/a%20b')).status).toBe(400);
    });

    it('is deleted with all its shadows, and the answer says which', async () => {
      await put('doomed', null);
      await put('doomed', null);
      await put('doomed', 'door');
      await put('doomed2', 'door');
      const timestamp = Math.floor(node.clock.now() / 1000);
      const response = await send('DELETE', '/doomed', { clientToken: 't' });
      expect([response.status, await bodyOf(response)]).toEqual([
        200,
        {
          thing: 'doomed',
          deleted: [
            { name: null, version: 2, timestamp },
            { name: 'door', version: 1, timestamp },
          ],
        },
      ]);
      expect((await send('GET', '/doomed')).status).toBe(404);
      expect((await send('GET', '/doomed2')).status).toBe(200);
      expect(node.store.records.find(({ key }) => key.thing === 'doomed')?.change.clientToken).toBe('t');
    });

    it.each(['if-match', 'if-none-match'])(
      'is not deleted when the request carries %s, which nobody could check',
      async (name) => {
        await put('kept', null);
        const url = `${node.url}/v1/things/kept`;
        const response = await fetch(url, { method: 'DELETE', headers: { [name]: '"7"' } });
        expect([response.status, await bodyOf(response)]).toMatchObject([
          400,
          { detail: 'A thing has no version: leave If-Match and If-None-Match to its shadows' },
        ]);
        expect((await send('GET', '/kept')).status).toBe(200);
      },
    );

    it('is deleted in bounded steps that go on from each other', async () => {
      await crowd('doomed-crowd', 250);
      const counts: number[] = [];
      let after = '';
      do {
        const { deleted, next } = await bodyOf<Deleted>(await send('DELETE', `/doomed-crowd${after}`));
        counts.push(deleted.length);
        after = next === undefined ? '' : `?after=${next}`;
      } while (after !== '');
      expect(counts).toEqual([100, 100, 50]);
      expect((await send('GET', '/doomed-crowd')).status).toBe(404);
    });

    it('says what was deleted when something could not be, and a repeated request deletes the rest', async () => {
      for (const name of ['a', 'b', 'c']) await put('partly', name);
      failing.add('b');
      const failed = await send('DELETE', '/partly', { clientToken: 'mine' });
      failing.clear();
      expect([failed.status, await bodyOf(failed)]).toEqual([
        503,
        expect.objectContaining({
          type: 'urn:umbra:problem:storage-unavailable',
          clientToken: 'mine',
          deleted: [expect.objectContaining({ name: 'a' }), expect.objectContaining({ name: 'c' })],
        }),
      ]);
      expect(await bodyOf(await send('DELETE', '/partly'))).toMatchObject({ deleted: [{ name: 'b', version: 1 }] });
    });
  });
});
