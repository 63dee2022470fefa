import { isTombstone } from '../../src/document/shadow-document.js';
import { ServiceError } from '../../src/errors/service-error.js';
import type { Change, ShadowKey, ShadowStore } from '../../src/store/shadow-store.js';
import { documentOf, expectVersion, increment, remove, report, shadow, within } from '../harness/changes.js';
import { testFences } from './fences.suite.js';

export interface StoreUnderTest {
  /** Two ways to the same data, as two nodes have. */
  readonly one: ShadowStore;
  readonly other: ShadowStore;
  /** Changes of one shadow that may wait. */
  readonly maxQueuedPerShadow: number;
  /** Keys of the cluster that a write can be fenced with; absent where there are none. */
  readonly claims?: {
    /** Puts the claim anew. @returns its revision */
    put(claim: string): Promise<number>;
    /** Ends the claim, as its lease does. */
    end(claim: string): Promise<void>;
  };
  close(): Promise<void>;
}

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return error instanceof ServiceError ? error.code : String(error);
  }
};

/** What every ShadowStore promises. */
export function testShadowStore(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`shadow store: ${name}`, () => {
    let under: StoreUnderTest;
    let one: ShadowStore;
    let other: ShadowStore;
    let things = 0;
    const fresh = (shadowName: string | null = null): ShadowKey => shadow(`thing-${++things}`, shadowName);

    beforeAll(async () => {
      under = await open();
      ({ one, other } = under);
    });
    afterAll(() => under.close());

    describe('one shadow', () => {
      it('is null before its first update', async () => {
        expect(await one.get(fresh(), within())).toBeNull();
      });

      it('is read on another node as it was written, at the position of the write', async () => {
        const key = fresh('door');
        const written = await one.update(key, report({ open: true }), within());
        expect(written.key).toEqual(key);
        expect(documentOf(written)).toEqual({ version: 1, reported: { open: true }, metadata: {} });
        expect(await other.get(key, within())).toMatchObject(written);
      });

      it('keeps who changed it, what was sent, and when', async () => {
        const key = fresh();
        const change = { kind: 'update', patch: { desired: { a: null } }, principal: 'me', at: 1234 } as const;
        await one.update(key, () => ({ state: { version: 1, metadata: {} }, change }), within());
        expect((await one.get(key, within()))?.change).toEqual(change);
      });

      it('has a higher revision and the next version after each update', async () => {
        const key = fresh();
        const records = [];
        for (let i = 0; i < 5; i++) records.push(await (i % 2 ? one : other).update(key, increment, within()));
        expect(records.map((record) => documentOf(record).version)).toEqual([1, 2, 3, 4, 5]);
        const revisions = records.map((record) => record.position.revision);
        expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b));
      });

      it('is separate from its namesakes of other things, names and tenants', async () => {
        const key = fresh();
        const keys = [key, { ...key, name: 'c' }, { ...key, tenant: 'other' }, { ...key, thing: `${key.thing}0` }];
        for (const [i, each] of keys.entries()) await one.update(each, report({ i }), within());
        for (const [i, each] of keys.entries()) {
          expect(documentOf(await one.get(each, within())).reported).toEqual({ i });
        }
      });

      it('gives members with hostile names back as plain data', async () => {
        const key = fresh();
        const text =
          '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"a.b":1,"":2,"\\u0000":3,"☃\\ud83d\\ude00":"é","toString":null,"hasOwnProperty":[1,[2]]}';
        await one.update(key, report(JSON.parse(text)), within());
        expect(JSON.stringify(documentOf(await other.get(key, within())).reported)).toBe(
          JSON.stringify(JSON.parse(text)),
        );
        expect(({} as Record<string, unknown>).polluted).toBeUndefined();
      });
    });

    describe('changes of one shadow at once', () => {
      it('are all applied exactly once, over two nodes and five shadows', async () => {
        const keys = Array.from({ length: 5 }, () => fresh());
        const versions = new Map(keys.map((key) => [key, [] as number[]]));
        await Promise.all(
          Array.from({ length: 200 }, async (_, i) => {
            const key = keys[i % 5]!;
            const record = await (i % 2 ? one : other).update(key, increment, within(20_000));
            versions.get(key)!.push(documentOf(record).version);
          }),
        );
        for (const key of keys) {
          const found = documentOf(await one.get(key, within()));
          expect(found).toMatchObject({ version: 40, reported: { count: 40 } });
          expect(versions.get(key)!.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
        }
      });

      it('run in the order in which they were handed over', async () => {
        const key = fresh();
        const append =
          (n: number): Change =>
          (current) => {
            const list = current && !isTombstone(current) ? (current.reported?.list as number[]) : [];
            return report({ list: [...list, n] })(current);
          };
        await Promise.all(Array.from({ length: 50 }, (_, i) => one.update(key, append(i), within(20_000))));
        expect(documentOf(await one.get(key, within())).reported?.list).toEqual(
          Array.from({ length: 50 }, (_, i) => i),
        );
      });

      it('are refused when too many wait, and the others are applied', async () => {
        const key = fresh();
        // One runs, the others wait.
        const total = under.maxQueuedPerShadow + 1 + 7;
        const results = await Promise.all(
          Array.from({ length: total }, () => codeOf(one.update(key, increment, within(20_000)))),
        );
        expect(results.filter((code) => code === 'tooManyRequests')).toHaveLength(7);
        expect(results.slice(-7)).toEqual(Array.from({ length: 7 }, () => 'tooManyRequests'));
        expect(documentOf(await one.get(key, within())).version).toBe(total - 7);
      });
    });

    describe('a refusal', () => {
      it('comes to the caller as it was thrown, and changes nothing', async () => {
        const key = fresh();
        await one.update(key, increment, within());
        expect(await codeOf(one.update(key, expectVersion(7, increment), within()))).toBe('versionConflict');
        expect(documentOf(await one.get(key, within())).version).toBe(1);
      });

      it('is not final when it was computed on a stale guess', async () => {
        const key = fresh();
        await one.update(key, increment, within());
        await other.update(key, increment, within());
        // The first node may still think that it is version 1.
        const record = await one.update(key, expectVersion(2, increment), within());
        expect(documentOf(record)).toMatchObject({ version: 3, reported: { count: 3 } });
      });

      it('does not stop the changes behind it', async () => {
        const key = fresh();
        const codes = await Promise.all(
          [increment, expectVersion(9, increment), increment].map((change) =>
            codeOf(one.update(key, change, within())),
          ),
        );
        expect(codes).toEqual(['none', 'versionConflict', 'none']);
      });

      it('that is a defect of the change is thrown as it is', async () => {
        const defect = (): never => {
          throw new TypeError('defect');
        };
        await expect(one.update(fresh(), defect, within())).rejects.toThrow(TypeError);
      });
    });

    describe('a deadline', () => {
      it('that has passed is storageUnavailable, and nothing is written', async () => {
        const key = fresh();
        expect(await codeOf(one.update(key, increment, within(-1)))).toBe('storageUnavailable');
        expect(await codeOf(one.get(key, within(-1)))).toBe('storageUnavailable');
        expect(await one.get(key, within())).toBeNull();
      });
    });

    testFences(() => under, fresh);

    describe('a signal', () => {
      it('that is aborted before the write refuses it, with nothing written', async () => {
        if (!under.claims) return;
        const key = fresh();
        await one.update(key, increment, within());
        const signal = AbortSignal.abort();
        expect(await codeOf(one.update(key, increment, { ...within(), signal }))).toBe('fenced');
        expect(documentOf(await one.get(key, within())).version).toBe(1);
      });

      it('that is aborted while the write waits for its turn refuses it, and not those behind it', async () => {
        if (!under.claims) return;
        const key = fresh();
        const gone = new AbortController();
        const codes = [{}, { signal: gone.signal }, {}].map((options) =>
          codeOf(one.update(key, increment, { ...within(), ...options })),
        );
        gone.abort();
        expect(await Promise.all(codes)).toEqual(['none', 'fenced', 'none']);
        expect(documentOf(await one.get(key, within())).version).toBe(2);
      });
    });

    describe('a deleted shadow', () => {
      it('leaves a tombstone with its version, and goes on from there', async () => {
        const key = fresh();
        await one.update(key, increment, within());
        const deleted = await one.update(key, remove, within());
        expect(deleted).toMatchObject({ state: { deleted: true, version: 1 }, change: { kind: 'delete' } });
        expect(await other.get(key, within())).toMatchObject(deleted);
        expect(await codeOf(other.update(key, remove, within()))).toBe('notFound');
        expect(documentOf(await other.update(key, increment, within()))).toMatchObject({
          version: 2,
          reported: { count: 1 },
        });
      });
    });

    describe('the record before a position', () => {
      it('is the one that the change at that position replaced', async () => {
        const key = fresh();
        const first = await one.update(key, report({ a: 1 }), within());
        const noise = await one.update(fresh(), increment, within());
        const second = await one.update(key, report({ a: 2 }), within());
        expect(await other.getBefore(key, second.position, within())).toEqual(first);
        expect(await other.getBefore(key, noise.position, within())).toEqual(first);
        expect(await other.getBefore(key, first.position, within())).toBeNull();
      });

      it('is cursorGone in another cluster, in another epoch and beyond the end', async () => {
        const { key, position } = await one.update(fresh(), increment, within());
        for (const wrong of [
          { cluster: 'elsewhere' },
          { epoch: position.epoch + 1 },
          { revision: position.revision + 1e6 },
        ]) {
          expect(await codeOf(one.getBefore(key, { ...position, ...wrong }, within()))).toBe('cursorGone');
        }
      });
    });

    describe('the names of a thing', () => {
      const all = async (thing: string, limit: number): Promise<string[]> => {
        const names: string[] = [];
        let after: string | undefined;
        do {
          const page = await one.listNames('acme', thing, limit, after, within());
          expect(page.names.length).toBeLessThanOrEqual(limit);
          names.push(...page.names);
          after = page.next;
        } while (after !== undefined);
        return names;
      };

      it('come in byte order, in pages, without the classic shadow and the deleted ones', async () => {
        const { thing } = fresh();
        const names = ['a', 'B', '$x', '0', 'a-b', 'a:b', 'a_b', 'ab', 'z', 'deleted', 'zz'];
        await Promise.all(
          [null, ...names].map((each) => one.update({ tenant: 'acme', thing, name: each }, increment, within())),
        );
        await one.update({ tenant: 'acme', thing: `${thing}0`, name: 'foreign' }, increment, within());
        await one.update({ tenant: 'acme', thing, name: 'deleted' }, remove, within());
        const expected = names.filter((each) => each !== 'deleted').sort((a, b) => (a < b ? -1 : 1));
        for (const limit of [1, 2, 3, 100]) expect(await all(thing, limit)).toEqual(expected);
      });

      it('are none for a thing without named shadows', async () => {
        const { thing } = fresh();
        expect(await one.listNames('acme', thing, 10, undefined, within())).toMatchObject({ names: [] });
      });

      it.each(['', '%%%', 'bjE', 'AAAA', Buffer.from('n1/a/b').toString('base64url'), 'x'.repeat(600)])(
        'refuse the token %p',
        async (token) => {
          expect(await codeOf(one.listNames('acme', 'thing', 10, token, within()))).toBe('invalidRequest');
          expect(await codeOf(one.listThings('acme', 10, token, within()))).toBe('invalidRequest');
        },
      );
    });

    describe('the things of a tenant', () => {
      const all = async (tenant: string, limit: number) => {
        const found = new Map<string, readonly (string | null)[]>();
        let after: string | undefined;
        let pages = 0;
        do {
          const page = await one.listThings(tenant, limit, after, within());
          expect(page.things.length).toBeLessThanOrEqual(limit);
          for (const { thing, shadows } of page.things) {
            expect(found.has(thing)).toBe(false);
            found.set(thing, shadows);
          }
          after = page.next;
          expect(++pages).toBeLessThan(500);
        } while (after !== undefined);
        return found;
      };

      it('are all there once, with their shadows, in pages of any size, without the deleted ones', async () => {
        const tenant = 'lister';
        const keys: ShadowKey[] = [];
        for (let i = 0; i < 60; i++) {
          keys.push(shadow(`t-${i}`, null, tenant), shadow(`t-${i}`, 'b', tenant), shadow(`t-${i}`, 'a', tenant));
        }
        keys.push(shadow('dead', null, tenant), shadow('foreign', null, 'lister-2'));
        await Promise.all(keys.map((key) => one.update(key, increment, within(10_000))));
        await one.update(shadow('dead', null, tenant), remove, within());
        await one.update(shadow('t-7', 'a', tenant), remove, within());
        for (const limit of [1, 7, 100]) {
          const found = await all(tenant, limit);
          expect([...found.keys()].sort()).toEqual(Array.from({ length: 60 }, (_, i) => `t-${i}`).sort());
          expect(found.get('t-7')).toEqual([null, 'b']);
          expect(found.get('t-8')).toEqual([null, 'a', 'b']);
        }
      });

      it('name at most 100 shadows of one thing, and miss none behind it', async () => {
        const tenant = 'crowd';
        const names = Array.from({ length: 150 }, (_, i) => `n-${String(i).padStart(3, '0')}`);
        const keys = names.map((each) => shadow('big', each, tenant));
        await Promise.all(keys.map((key) => one.update(key, increment, within(10_000))));
        // More tombstones than one read holds, ahead of what lives.
        await Promise.all(keys.slice(0, 140).map((key) => one.update(key, remove, within(10_000))));
        expect(await all(tenant, 10)).toEqual(new Map([['big', names.slice(140)]]));
        await Promise.all(keys.slice(0, 140).map((key) => one.update(key, increment, within(10_000))));
        expect(await all(tenant, 10)).toEqual(new Map([['big', names.slice(0, 100)]]));
      });

      it('are none for an unknown tenant', async () => {
        expect((await all('nobody', 10)).size).toBe(0);
      });
    });

    describe('after close', () => {
      it('everything is refused with draining', async () => {
        const { one: closing, close } = await open();
        await closing.close();
        expect(await codeOf(closing.get(fresh(), within()))).toBe('draining');
        expect(await codeOf(closing.update(fresh(), increment, within()))).toBe('draining');
        expect(await codeOf(closing.listNames('acme', 'thing', 10, undefined, within()))).toBe('draining');
        expect(await codeOf(closing.listThings('acme', 10, undefined, within()))).toBe('draining');
        await close();
      });
    });
  });
}
