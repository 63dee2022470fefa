import { isTombstone } from '../../src/document/shadow-document.js';
import { MemoryShadowFeed } from '../../src/store/memory/memory-shadow-feed.js';
import { MemoryShadowStore } from '../../src/store/memory/memory-shadow-store.js';
import type { ShadowStore } from '../../src/store/shadow-store.js';
import type { Section } from '../faults/model/history.js';
import { PROMISES } from '../faults/validate/promises.js';
import { openLoop } from '../matrix/loads.js';
import { withAge, type OpenColumn } from '../matrix/open-column.js';
import { staleReads } from '../matrix/stale-reads.js';
import { choose } from '../matrix/choose.js';
import { COLUMNS } from '../matrix/columns.js';
import { estimateOf, estimateText, faultsOf, USUAL_ROWS, type Plan } from '../matrix/plan.js';
import { SIZES, type Size } from '../matrix/sizes.js';
import { judgeCalm as judged } from '../matrix/calm.js';
import { bucketsOf, longestGap, servedShare, stepsOf } from '../matrix/timeline.js';

/** A column over memory that keeps its promises, and what a mutation makes of it. */
function columnOf(mutate: (column: OpenColumn) => Partial<OpenColumn> = () => ({})): OpenColumn {
  const store = new MemoryShadowStore();
  const column: OpenColumn = {
    ...{ store, feed: new MemoryShadowFeed(store), close: () => store.close() },
    async read(key, deadline) {
      const state = (await store.get(key, { deadline }))?.state;
      if (state === undefined || isTombstone(state)) return { told: null, ageMs: null };
      const { version, desired = {}, reported = {} } = state;
      return { told: { version, desired: desired as Section, reported: reported as Section }, ageMs: null };
    },
  };
  return { ...column, ...mutate(column) };
}

/** Each read is that of the beginning, and tells how old that is. @param clock of the reader */
function frozenColumn(clock: () => number): OpenColumn {
  const seen = new Map<string, ReturnType<OpenColumn['read']>>();
  return columnOf(({ read }) => ({
    async read(key, deadline) {
      const first = seen.get(key.thing) ?? read(key, deadline);
      seen.set(key.thing, first);
      return withAge((await first).told, clock);
    },
  }));
}

/** It tells how old its reads are. */
const agedColumn = (clock: () => number): OpenColumn =>
  columnOf(({ read }) => ({
    read: async (key, deadline) => withAge((await read(key, deadline)).told, clock),
  }));

/** The store, except for one of its methods. */
const withUpdate = (store: ShadowStore, update: ShadowStore['update']): ShadowStore =>
  ({ get: (key, options) => store.get(key, options), update }) as ShadowStore;

describe('the judge of the decision matrix', () => {
  it('finds nothing wrong with a column that keeps its promises', async () => {
    const { lost, broken, history } = await judged(columnOf());
    expect(lost).toEqual([]);
    expect(broken).toEqual([]);
    expect(history.reads.length).toBeGreaterThan(5);
    expect(history.updates.every(({ outcome }) => outcome === 'acked')).toBe(true);
  });

  it('names the writes of a column that acknowledges before the commit', async () => {
    let writes = 0;
    const column = columnOf(({ store }) => ({
      store: withUpdate(store, async (key, change, options) => {
        if (++writes % 10 > 0) return store.update(key, change, options);
        const current = await store.get(key, options);
        const changed = change(current?.state ?? null);
        return { key, ...changed, position: { cluster: 'memory', epoch: 0, revision: 0 } };
      }),
    }));
    const { lost, broken } = await judged(column);
    expect(lost.length).toBeGreaterThanOrEqual(10);
    expect(lost[0]).toMatch(/^s-\d+: n[01]w\d+$/);
    expect(broken).toContain(PROMISES.lost);
  });

  it('finds a cache that never updates', async () => {
    const seen = new Map<string, ReturnType<OpenColumn['read']>>();
    const column = columnOf(({ read }) => ({
      read(key, deadline) {
        const known = seen.get(key.thing);
        if (known) return known;
        const first = read(key, deadline);
        seen.set(key.thing, first);
        return first;
      },
    }));
    const { broken, lost } = await judged(column, 60);
    expect(broken).toEqual([PROMISES.reads]);
    expect(lost).toEqual([]);
  });

  it('lets a cache be as old as it tells, and no older: a clock that is behind is found', async () => {
    expect((await judged(frozenColumn(Date.now), 60)).broken).toEqual([]);
    expect(
      (
        await judged(
          frozenColumn(() => Date.now() - 10_000),
          60,
        )
      ).broken,
    ).toEqual([PROMISES.reads]);
  });

  it('finds a column whose writes come twice', async () => {
    const column = columnOf(({ store }) => ({
      store: withUpdate(store, async (key, change, options) => {
        await store.update(key, change, options);
        return store.update(key, change, options);
      }),
    }));
    expect((await judged(column)).broken).toContain(PROMISES.twice);
  });
});

describe('clocks of the decision matrix', () => {
  const load = { writes: 400, reads: 400, seconds: 0.5, shadows: 20, prefix: 'f' };

  it('agree with the ages that an honest column tells', async () => {
    const { read } = await openLoop(agedColumn(Date.now), load);
    expect(read.ages.length).toBeGreaterThan(100);
    expect(read).toMatchObject({ wrongAges: 0, stale: 0, failed: 0 });
  });

  it.each([
    ['is ahead', () => 200],
    ['is behind', () => -200],
    ['goes back and on again', (n: number) => (n % 50 < 5 ? -3_000 : 0)],
  ])('find a column whose clock %s', async (_, error) => {
    let reads = 0;
    const { read } = await openLoop(
      agedColumn(() => Date.now() + error(++reads)),
      load,
    );
    expect(read.wrongAges).toBeGreaterThan(10);
  });

  it('tell how old the reads of a cache are that never updates', async () => {
    const { read } = await openLoop(frozenColumn(Date.now), load);
    expect(read.stale).toBeGreaterThan(50);
    expect(read.oldestMs).toBeGreaterThan(200);
    expect(read.wrongAges).toBe(0);
  });

  it('count the reads of a fault that lack an earlier write, and since when', () => {
    const write = (step: number, to: number) => ({ shadow: 's', outcome: 'acked', step, to }) as never;
    const read = (version: number, from: number) => ({ shadow: 's', told: { version }, from }) as never;
    const writes = [write(1, 100), write(2, 300), write(3, 200)];
    expect(staleReads(writes, [read(3, 900), read(1, 150), read(1, 205), read(2, 950)])).toEqual({
      ...{ stale: 2, oldestMs: 750 },
    });
  });
});

describe('timelines of the decision matrix', () => {
  const acks = [100, 150, 250, 1_900, 1_950, 2_050];

  it('count acknowledgements in tenths of a second', () => {
    expect(bucketsOf(acks, 100, 500)).toEqual([2, 1, 0, 0]);
    expect(servedShare(acks, 200, 600)).toBe(0.25);
  });

  it('find the longest gap that ended after the fault, or never', () => {
    expect(longestGap(acks, 200, 2_100)).toEqual({ from: 250, to: 1_900, ms: 1_650 });
    expect(longestGap(acks, 2_000, 9_000)).toEqual({ from: 2_050, to: null, ms: 6_950 });
    expect(longestGap([], 50, 80)).toEqual({ from: 50, to: null, ms: 30 });
  });

  it('tell the steps of the return to service, and which did not come', () => {
    const gap = longestGap(acks, 200, 2_100);
    const steps = stepsOf({ faultAt: 200, gap, newLeaderAt: 1_700, told: [120, 240, 1_905], cachesAgreeAt: null });
    expect(steps.map(({ ms }) => ms)).toEqual([50, 1_500, 1_700, 1_705, null]);
  });
});

describe('options of the decision matrix', () => {
  it('take those that are named, in the order of the list, and refuse others by name', () => {
    const all = ['a', 'b', 'c'];
    expect(choose('--rows', 'c, a', all, String)).toEqual(['a', 'c']);
    expect(choose('--rows', undefined, all, String)).toEqual(all);
    expect(() => choose('--rows', 'd', all, String)).toThrow('--rows: d is none of a, b, c');
  });

  const plan = (size: Size['name'], more: Partial<Plan> = {}): Plan => ({
    ...{ size: SIZES[size], columns: COLUMNS, rows: USUAL_ROWS, rounds: null, seed: 1, command: '', say: () => {} },
    ...more,
  });
  const named = (of: Plan): string[] =>
    faultsOf(of).map(({ fault, columns, rounds }) => `${fault.row} ${columns.length}x${rounds}`);

  it('plan the faults of a size, and those that are named whatever the size', () => {
    expect(named(plan('quick'))).toEqual(['split-brain 6x1', 'killed 6x1']);
    expect(named(plan('full'))).toEqual(expect.arrayContaining(['split-brain 6x3', 'killed 6x1', 'redis-lost 1x1']));
    expect(named(plan('smoke', { rows: ['lossy', 'stream-trimmed'], rounds: 3 }))).toEqual([
      ...['lossy 6x3', 'stream-trimmed 1x3'],
    ]);
    const [etcd] = COLUMNS;
    expect(named(plan('quick', { rows: ['redis-lost'], columns: [etcd!] }))).toEqual([]);
    expect(named(plan('full', { rows: ['latency'] }))).toEqual([]);
  });

  it('plan a full run of an hour, and a quick one of less than ten minutes', () => {
    expect(estimateOf(plan('full')).seconds / 60).toBeLessThan(65);
    expect(estimateOf(plan('quick')).seconds / 60).toBeLessThan(10);
    expect(estimateText(estimateOf(plan('smoke', { rows: ['latency'] })))).toMatch(
      /^about \d\.\d minutes on a machine with nothing else to do: loads on three hosts \d\.\d$/,
    );
  });
});
