import { memoryStore } from '../testing/memory-store.js';
import type { ShadowState } from '../shadow/state.js';
import { SavedCache } from './saved-cache.js';

const state = (n: number, revision = n) => ({ thing: `lamp-${n}`, shadow: null, version: 1, revision }) as ShadowState;

let writers = 0;

/** A store that says what is written, and may fail from some write on. */
function storing() {
  const store = memoryStore();
  const written: string[] = [];
  const control = { left: Infinity };
  const set = async (key: string, text: string): Promise<void> => {
    if (control.left-- <= 0) throw new Error('killed');
    written.push(key);
    await store.set(key, text);
  };
  return { store: { ...store, set }, written, control };
}
const open = (store: ReturnType<typeof storing>['store']) => new SavedCache(store, 'k', 'lamps', String(writers++));
const found = async (store: ReturnType<typeof storing>['store']) => {
  const restored = await open(store).load();
  return (
    restored && { ...restored, states: restored.states.map(({ thing, revision }) => `${thing} ${revision}`).sort() }
  );
};
const names = (...list: readonly (readonly [number, number])[]) =>
  list.map(([n, revision]) => `lamp-${n} ${revision}`).sort();
const all = (count: number) => names(...Array.from({ length: count }, (_, n) => [n, n] as const));

it('has what was noted, in as many parts as it needs', async () => {
  for (const count of [0, 1, 256, 257, 3_000]) {
    const { store, written } = storing();
    const saved = open(store);
    for (let n = 0; n < count; n++) saved.put(state(n));
    await saved.save({ cursor: 'c', revision: count });
    expect(await found(store)).toEqual({ cursor: 'c', revision: count, states: all(count) });
    expect(written.length).toBeLessThanOrEqual(2 + count / 128);
  }
});

it('writes only the parts that have changed, and for a later cursor the index alone', async () => {
  const { store, written } = storing();
  const saved = open(store);
  for (let n = 0; n < 3_000; n++) saved.put(state(n));
  await saved.save({ cursor: 'c1', revision: 1 });
  written.length = 0;
  saved.put(state(7, 4_000));
  saved.drop(state(8));
  await saved.save({ cursor: 'c2', revision: 4_000 });
  expect(written.length).toBeLessThanOrEqual(3);
  written.length = 0;
  await saved.save({ cursor: 'c2', revision: 4_000 });
  expect(written).toEqual([]);
  await saved.save({ cursor: 'c3', revision: 4_001 });
  expect(written).toEqual(['k']);
  const { states, ...at } = (await found(store))!;
  expect([at, states.length, states.includes('lamp-7 4000')]).toEqual([{ cursor: 'c3', revision: 4_001 }, 2_999, true]);
});

it('is what it was, or what it became, wherever the process dies', async () => {
  for (const grown of [0, 600])
    for (let left = 0; left < 12; left++) {
      const { store, control } = storing();
      const first = open(store);
      for (let n = 0; n < 300; n++) first.put(state(n));
      await first.save({ cursor: 'c1', revision: 300 });
      control.left = left;
      const second = open(store);
      await second.load();
      for (let n = 0; n < 3; n++) second.drop(state(n));
      for (let n = 3; n < 300 + grown; n++) second.put(state(n, 1_000));
      await second.save({ cursor: 'c2', revision: 1_000 }).catch(() => undefined);
      control.left = Infinity;
      const before = { cursor: 'c1', revision: 300, states: all(300) };
      const states = names(...Array.from({ length: 297 + grown }, (_, n) => [n + 3, 1_000] as const));
      const after = { cursor: 'c2', revision: 1_000, states };
      expect([before, after]).toContainEqual(await found(store));
      // What has failed is written the next time.
      await second.save({ cursor: 'c3', revision: 1_001 });
      expect(await found(store)).toEqual({ ...after, cursor: 'c3', revision: 1_001 });
    }
});

it('keeps what is noted while it saves for the next time, also when the parts become more', async () => {
  const { store } = storing();
  const saved = open(store);
  for (let n = 0; n < 200; n++) saved.put(state(n));
  const saving = saved.save({ cursor: 'c1', revision: 200 });
  for (let n = 200; n < 700; n++) saved.put(state(n));
  await saving;
  expect((await found(store))!.states).toEqual(all(200));
  await saved.save({ cursor: 'c2', revision: 700 });
  expect(await found(store)).toEqual({ cursor: 'c2', revision: 700, states: all(700) });
});

it('takes nothing for what is damaged', async () => {
  const { store, written } = storing();
  const saved = open(store);
  saved.put(state(1));
  await saved.save({ cursor: 'c', revision: 1 });
  await store.delete(written[0]!);
  expect(await found(store)).toBeNull();
});

it('takes nothing for what two have written, one of whom was behind and has died', async () => {
  const { store, control } = storing();
  const behind = open(store);
  behind.put(state(1, 10));
  await behind.save({ cursor: 'c10', revision: 10 });
  const ahead = open(store);
  await ahead.load();
  ahead.put(state(1, 30));
  await ahead.save({ cursor: 'c30', revision: 30 });
  behind.put(state(1, 20));
  // Its part, and no index.
  control.left = 1;
  await expect(behind.save({ cursor: 'c20', revision: 20 })).rejects.toThrow('killed');
  expect(await found(store)).toBeNull();
  control.left = Infinity;
  await behind.save({ cursor: 'c40', revision: 40 });
  expect(await found(store)).toEqual({ cursor: 'c40', revision: 40, states: ['lamp-1 20'] });
});
