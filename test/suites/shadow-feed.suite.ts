import { FeedGap } from '../../src/store/shadow-feed.js';
import type { ShadowRecord } from '../../src/store/shadow-store.js';
import { keyOf, label, labelOf, labels, readTo, type FeedFixture, type Write } from './feed-fixture.js';

async function all(records: AsyncIterable<ShadowRecord>): Promise<ShadowRecord[]> {
  const list: ShadowRecord[] = [];
  for await (const record of records) list.push(record);
  return list;
}

/** The promises of ShadowFeed, for every implementation. */
export function shadowFeedSuite(name: string, create: () => Promise<FeedFixture>): void {
  describe(`ShadowFeed: ${name}`, () => {
    let fixture: FeedFixture;
    const never = new AbortController().signal;

    beforeEach(async () => {
      fixture = await create();
    });
    afterEach(() => fixture.close());

    async function commitEach(count: number, perRevision = 1): Promise<{ written: string[]; revisions: number[] }> {
      const written: string[] = [];
      const revisions: number[] = [];
      for (let i = 0; i < count; i++) {
        const writes = Array.from({ length: perRevision }, (_, n): Write => ({ key: keyOf(`d${n}`), version: i + 1 }));
        revisions.push(await fixture.commit(writes));
        written.push(...writes.map(labelOf));
      }
      return { written, revisions };
    }

    it('tells every change once, in the order of the revisions', async () => {
      const start = await fixture.feed.head(never);
      const { written, revisions } = await commitEach(50);
      const batches = await readTo(fixture.feed, start, revisions.at(-1)!);
      expect(labels(batches)).toEqual(written);
      expect(batches.filter((b) => b.records.length > 0).map((b) => b.position.revision)).toEqual(revisions);
      for (const { position, records } of batches) {
        for (const record of records) expect(record.position).toEqual(position);
      }
    });

    it('goes on from every point without a gap or a duplicate', async () => {
      const start = await fixture.feed.head(never);
      const { written, revisions } = await commitEach(12, 3);
      for (const [i, revision] of revisions.entries()) {
        const rest = await readTo(fixture.feed, { ...start, revision }, revisions.at(-1)!);
        expect(labels(rest)).toEqual(written.slice((i + 1) * 3));
        if (i === revisions.length - 2) break;
      }
    });

    it('keeps the 100 changes of one commit together, in their order', async () => {
      const start = await fixture.feed.head(never);
      const writes = Array.from({ length: 100 }, (_, i): Write => ({ key: keyOf(`k${99 - i}`), version: 1 }));
      const revision = await fixture.commit(writes);
      const [batch, ...others] = (await readTo(fixture.feed, start, revision)).filter((b) => b.records.length > 0);
      expect(others).toEqual([]);
      expect(batch?.records.map(label)).toEqual(writes.map(labelOf));
    });

    it('tells changes that come while it is read', async () => {
      const start = await fixture.feed.head(never);
      const reading = readTo(fixture.feed, start, start.revision + 20);
      const { written } = await commitEach(20);
      expect(labels(await reading)).toEqual(written);
    });

    it('hands tombstones out as changes, and not as base state', async () => {
      const start = await fixture.feed.head(never);
      await fixture.commit([{ key: keyOf('a'), version: 1 }]);
      const revision = await fixture.commit([{ key: keyOf('a'), version: 1, deleted: true }]);
      const batches = await readTo(fixture.feed, start, revision);
      expect(batches.flatMap((b) => b.records).map((record) => record.change.kind)).toEqual(['update', 'delete']);
      const { records } = await fixture.feed.base({ tenant: 't1' }, never);
      expect(await all(records)).toEqual([]);
    });

    it('reads the base by tenant, thing and name', async () => {
      await fixture.commit([
        { key: keyOf('a'), version: 1 },
        { key: keyOf('a', 'door'), version: 2 },
        { key: keyOf('b', 'door'), version: 3 },
        { key: keyOf('a', null, 't2'), version: 4 },
      ]);
      const read = async (filter: Parameters<typeof fixture.feed.base>[0]) =>
        (await all((await fixture.feed.base(filter, never)).records)).map(label).sort();
      expect(await read({ tenant: 't1' })).toEqual(['a.door@2', 'a@1', 'b.door@3']);
      expect(await read({ tenant: 't1', thing: 'a' })).toEqual(['a.door@2', 'a@1']);
      expect(await read({ tenant: 't1', thing: 'a', name: null })).toEqual(['a@1']);
      expect(await read({ tenant: 't1', name: 'door' })).toEqual(['a.door@2', 'b.door@3']);
      expect(await read({ tenant: 't3' })).toEqual([]);
    });

    it('continues a base after any record, as of its position, whatever was written since', async () => {
      const things = Array.from({ length: 12 }, (_, i) => `x${i}`);
      for (const name of [null, 'door']) {
        await fixture.commit(things.map((thing) => ({ key: keyOf(thing, name), version: 1 })));
      }
      for (const filter of [{ tenant: 't1' }, { tenant: 't1', thing: 'x7' }, { tenant: 't1', name: 'door' }]) {
        const base = await fixture.feed.base(filter, never);
        const records = await all(base.records);
        await fixture.commit(things.map((thing) => ({ key: keyOf(thing), version: 2 })));
        for (const [index, { key }] of records.entries()) {
          const { position } = base;
          const rest = await fixture.feed.base(filter, never, { position, after: key });
          expect(rest.position).toEqual(position);
          expect((await all(rest.records)).map(label)).toEqual(records.slice(index + 1).map(label));
        }
      }
    });

    it('reads the base as of one position, which the changes after it complete, while writes go on', async () => {
      const things = Array.from({ length: 700 }, (_, i) => `x${i}`);
      for (let i = 0; i < things.length; i += 100) {
        await fixture.commit(things.slice(i, i + 100).map((thing) => ({ key: keyOf(thing), version: 1 })));
      }
      const overwrite = (version: number) =>
        fixture.commit(things.slice(0, 100).map((thing) => ({ key: keyOf(thing), version })));
      await overwrite(2);
      let written = 2;
      let writing = true;
      const writer = (async () => {
        for (; writing; written++) {
          await overwrite(written + 1);
          await new Promise((resolve) => setImmediate(resolve));
        }
      })();
      const { position, records } = await fixture.feed.base({ tenant: 't1' }, never);
      const base = await all(records);
      writing = false;
      await writer;
      const end = await overwrite(written + 1);

      expect(base).toHaveLength(700);
      for (const record of base) expect(record.position.revision).toBeLessThanOrEqual(position.revision);
      const versions = new Set(base.filter((r) => things.indexOf(r.key.thing) < 100).map((r) => r.state.version));
      expect([...versions]).toHaveLength(1);
      const after = (await readTo(fixture.feed, position, end)).filter((batch) => batch.records.length > 0);
      expect(after[0]?.records[0]?.state.version).toBe([...versions][0]! + 1);
      expect(after.at(-1)?.records[99]?.state.version).toBe(written + 1);
    });

    it('tells a reader that was behind that it has caught up, although nothing changed', async () => {
      const { revisions } = await commitEach(3);
      await fixture.commit([]);
      const head = await fixture.feed.head(never);
      expect(head.revision).toBeGreaterThan(revisions[2]!);
      const batches = await readTo(fixture.feed, { ...head, revision: revisions[2]! }, head.revision);
      expect(labels(batches)).toEqual([]);
      expect(batches.at(-1)!.position.revision).toBeGreaterThanOrEqual(head.revision);
    });

    it('ends with compacted when the history after the position is gone', async () => {
      const start = await fixture.feed.head(never);
      const { revisions } = await commitEach(10);
      await fixture.compact(revisions[8]!);
      await expect(readTo(fixture.feed, start, revisions[9]!)).rejects.toMatchObject({ reason: 'compacted' });
      const kept = await readTo(fixture.feed, { ...start, revision: revisions[8]! }, revisions[9]!);
      expect(labels(kept)).toEqual(['d0@10']);
    });

    it.each([
      ['of another cluster', { cluster: 'elsewhere' }],
      ['of another epoch', { epoch: 7 }],
      ['beyond the head', { revision: 1_000_000_000 }],
    ])('ends with epoch-changed for a position %s', async (_, change) => {
      const head = await fixture.feed.head(never);
      const reading = readTo(fixture.feed, { ...head, ...change }, Number.MAX_SAFE_INTEGER);
      await expect(reading).rejects.toThrow(FeedGap);
      await expect(reading).rejects.toMatchObject({ reason: 'epoch-changed' });
    });

    it('ends, without an error, when the signal says so', async () => {
      const stop = new AbortController();
      const start = await fixture.feed.head(never);
      const iterator = fixture.feed.after(start, stop.signal)[Symbol.asyncIterator]();
      const next = iterator.next();
      const revision = await fixture.commit([{ key: keyOf('a'), version: 1 }]);
      expect((await next).value).toMatchObject({ position: { revision } });
      expect(fixture.feed.health.ok).toBe(true);
      const waiting = iterator.next();
      stop.abort();
      expect(await waiting).toMatchObject({ done: true });
    });

    it('skips what others put among the records', async () => {
      if (!fixture.foreign) return expect(fixture.feed.health.ok).toBe(true);
      const start = await fixture.feed.head(never);
      await fixture.foreign();
      const revision = await fixture.commit([{ key: keyOf('a'), version: 1 }]);
      expect(labels(await readTo(fixture.feed, start, revision))).toEqual(['a@1']);
      expect((await all((await fixture.feed.base({ tenant: 't1' }, never)).records)).map(label)).toEqual(['a@1']);
    });
  });
}
