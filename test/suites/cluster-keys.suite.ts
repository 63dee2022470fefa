import type { ClusterKeys, KeyListener, KeyUpdate, KeyWatch, StoredKey } from '../../src/store/cluster-keys.js';
import { until } from '../harness/until.js';

/** What a watch has told, in its order. */
export class KeyRecorder implements KeyListener {
  readonly updates: KeyUpdate[] = [];
  /** Revisions of the snapshots. */
  readonly snapshots: number[] = [];
  /** The keys as the listener knows them. */
  readonly known = new Map<string, string>();
  /** Revision of the last call. */
  revision = 0;
  /** Snapshots and changes that throw before they are noted. */
  failures = 0;

  snapshot(keys: ReadonlyMap<string, StoredKey>, revision: number): void {
    this.#fail();
    this.snapshots.push(revision);
    this.known.clear();
    for (const [key, { value }] of keys) this.known.set(key, value);
    this.revision = revision;
  }

  change(update: KeyUpdate): void {
    this.#fail();
    this.updates.push(update);
    if (update.value === null) this.known.delete(update.key);
    else this.known.set(update.key, update.value);
    this.revision = update.revision;
  }

  /** `key=value` of what is known, sorted. */
  get content(): string[] {
    return [...this.known].map(([key, value]) => `${key}=${value}`).sort();
  }

  #fail(): void {
    if (this.failures === 0) return;
    this.failures--;
    throw new Error('the listener failed');
  }
}

export interface ClusterKeysFixture {
  /** With a path of their own, so that fixtures can share a storage. */
  readonly keys: ClusterKeys;
  close(): Promise<void>;
}

/** What every implementation of ClusterKeys promises of `get` and `watch`. */
export function clusterKeysSuite(name: string, open: () => Promise<ClusterKeysFixture>): void {
  describe(`the keys of a cluster: ${name}`, () => {
    let fixture: ClusterKeysFixture;
    let keys: ClusterKeys;
    let stop: AbortController;
    beforeEach(async () => {
      fixture = await open();
      keys = fixture.keys;
      stop = new AbortController();
    });
    afterEach(async () => {
      stop.abort();
      await fixture.close();
    });

    const put = async (key: string, value: string, lease?: string): Promise<number> => {
      const revision = await keys.commit({
        guards: [],
        puts: [{ key, value, ...(lease === undefined ? {} : { lease }) }],
      });
      return revision ?? Promise.reject(new Error(`${key} was not put`));
    };
    const drop = async (...deletes: string[]): Promise<number> =>
      (await keys.commit({ guards: [], deletes })) ?? Promise.reject(new Error('nothing was deleted'));
    const watch = async (prefix: string): Promise<{ seen: KeyRecorder; watch: KeyWatch }> => {
      const seen = new KeyRecorder();
      const started = keys.watch(prefix, seen, stop.signal);
      expect(seen.snapshots).toEqual([]);
      await until('a snapshot', () => seen.snapshots.length > 0);
      return { seen, watch: started };
    };

    it('reads one key, and not those that begin like it', async () => {
      await put('a/bc', 'longer');
      expect(await keys.get('a/b')).toBeNull();
      const revision = await put('a/b', '1');
      expect(await keys.get('a/b')).toEqual({ value: '1', revision, lease: null });
      const lease = await keys.grant(600);
      const leased = await put('a/b', '2', lease);
      expect(await keys.get('a/b')).toEqual({ value: '2', revision: leased, lease });
      await drop('a/b');
      expect(await keys.get('a/b')).toBeNull();
    });

    it('counts the keys that start with a prefix', async () => {
      for (const key of ['n/1', 'n/2', 'm', 'na']) await put(key, 'x');
      expect([await keys.count('n/'), await keys.count('none/')]).toEqual([2, 0]);
    });

    it('tells what is there, and then each change with its revision', async () => {
      const first = await put('a/1', 'one');
      const last = await put('a/2', 'two');
      const { seen } = await watch('a/');
      expect(seen.content).toEqual(['a/1=one', 'a/2=two']);
      expect(seen.snapshots).toEqual([expect.any(Number)]);
      expect(seen.revision).toBeGreaterThanOrEqual(Math.max(first, last));
      const changed = await put('a/1', 'uno');
      const created = await put('a/3', 'three');
      const deleted = await drop('a/2');
      await until('three changes', () => seen.updates.length === 3);
      expect(seen.updates).toEqual([
        { key: 'a/1', value: 'uno', revision: changed },
        { key: 'a/3', value: 'three', revision: created },
        { key: 'a/2', value: null, revision: deleted },
      ]);
    });

    it('begins with an empty snapshot where nothing is', async () => {
      const { seen } = await watch('nothing/');
      expect(seen.content).toEqual([]);
      await put('nothing/1', 'x');
      await until('the change', () => seen.content.length === 1);
    });

    it('tells nothing of other prefixes and paths', async () => {
      await put('ab', 'outside');
      const { seen } = await watch('a/');
      await put('ab', 'outside');
      await put('b/1', 'outside');
      await keys.under('deeper/').commit({ guards: [], puts: [{ key: 'a/1', value: 'outside' }] });
      await put('a/1', 'inside');
      await until('the change', () => seen.updates.length > 0);
      expect(seen.updates.map(({ value }) => value)).toEqual(['inside']);
    });

    it('names keys relative to the path of its view', async () => {
      const seen = new KeyRecorder();
      keys.under('deeper/').watch('a/', seen, stop.signal);
      await put('deeper/a/1', 'one');
      await until('the key', () => seen.content.length > 0);
      expect(seen.content).toEqual(['a/1=one']);
    });

    it('tells all keys of one commit in one turn, at one revision', async () => {
      await put('a/old', 'x');
      const { seen } = await watch('a/');
      const turns: string[][] = [];
      const change = seen.change.bind(seen);
      let turn: string[] = [];
      seen.change = (update) => {
        change(update);
        if (turn.push(update.key) === 1) {
          queueMicrotask(() => {
            turns.push(turn);
            turn = [];
          });
        }
      };
      const puts = Array.from({ length: 20 }, (_, i) => ({ key: `a/${i}`, value: String(i) }));
      const revision = await keys.commit({ guards: [], puts, deletes: ['a/old'] });
      await until('all of them', () => seen.updates.length === 21);
      expect(new Set(seen.updates.map((update) => update.revision))).toEqual(new Set([revision]));
      expect(turns.map((each) => each.length)).toEqual([21]);
      expect(seen.known.has('a/old')).toBe(false);
    });

    it('tells the end of a lease as a deletion', async () => {
      const { seen } = await watch('a/');
      const lease = await keys.grant(600);
      await put('a/1', 'leased', lease);
      await put('a/2', 'stays');
      await until('both', () => seen.content.length === 2);
      await keys.revoke(lease);
      await until('the end', () => seen.content.length === 1);
      expect(seen.updates.at(-1)).toMatchObject({ key: 'a/1', value: null });
      expect(seen.updates.at(-1)?.revision).toBeGreaterThan(seen.updates.at(-2)?.revision ?? Infinity);
    });

    it('misses and repeats nothing while others write, whenever it begins', async () => {
      const written: string[] = [];
      const recorders: KeyRecorder[] = [];
      for (let n = 1; n <= 300; n++) {
        if (n % 50 === 1) {
          const seen = new KeyRecorder();
          keys.watch('a/', seen, stop.signal);
          recorders.push(seen);
        }
        await put('a/counter', String(n));
        written.push(String(n));
        // Memory answers within the turn, and a watch begins in a later one.
        await new Promise((resolve) => setImmediate(resolve));
      }
      await until('the last value everywhere', () => recorders.every((seen) => seen.content[0] === 'a/counter=300'));
      for (const seen of recorders) {
        expect(seen.snapshots).toHaveLength(1);
        expect(seen.updates.map(({ value }) => value)).toEqual(written.slice(written.length - seen.updates.length));
        const revisions = seen.updates.map(({ revision }) => revision);
        expect(revisions.every((revision, i) => revision > (i === 0 ? seen.snapshots[0]! : revisions[i - 1]!))).toBe(
          true,
        );
      }
      expect(recorders).toHaveLength(6);
    });

    it('begins again with a snapshot for a listener that failed', async () => {
      const { seen } = await watch('a/');
      seen.failures = 2;
      await put('a/1', 'lost on the listener');
      await until('another snapshot', () => seen.snapshots.length === 2);
      expect(seen.content).toEqual(['a/1=lost on the listener']);
      expect(seen.failures).toBe(0);
      await put('a/1', 'next');
      await until('the change', () => seen.updates.length === 1);
    });

    it('is proven current, and calls nobody after its signal', async () => {
      const { seen, watch: started } = await watch('a/');
      await until('a proof', () => started.staleMs !== null);
      await put('a/1', 'x');
      await until('the change', () => seen.updates.length === 1);
      stop.abort();
      const other = new AbortController();
      const witness = new KeyRecorder();
      keys.watch('a/', witness, other.signal);
      await until('a snapshot', () => witness.snapshots.length > 0);
      await put('a/1', 'y');
      await until('the change elsewhere', () => witness.updates.length > 0);
      other.abort();
      expect(seen.updates).toHaveLength(1);
    });

    it('can be stopped by its own listener', async () => {
      await put('a/1', 'x');
      const { seen } = await watch('a/');
      const change = seen.change.bind(seen);
      seen.change = (update) => {
        change(update);
        stop.abort();
      };
      await keys.commit({
        guards: [],
        puts: [
          { key: 'a/2', value: 'x' },
          { key: 'a/3', value: 'x' },
        ],
      });
      await until('a change', () => seen.updates.length > 0);
      await put('a/4', 'x');
      await keys.list('a/');
      await new Promise((resolve) => setImmediate(resolve));
      expect(seen.updates).toHaveLength(1);
    });
  });
}
