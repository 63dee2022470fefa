import { setImmediate as turn } from 'node:timers/promises';
import { Umbra, type CacheOptions, type ShadowCache } from '../../../src/sdk/index.js';
import { until } from '../../harness/until.js';
import type { Lab, RunningNode } from '../lab.js';
import { row, type Result } from '../result.js';
import { fill, STORED_PREFIX } from './stored.js';

const MIB = 1024 ** 2;
/** Milliseconds between two looks at the clock. */
const LOOK_MS = 2;
/** Milliseconds of a wait for a cache on a busy machine. */
const WAIT_MS = 300_000;

interface Figures {
  readonly size: number;
  readonly syncedSeconds: number;
  /** Bytes of the heap. */
  readonly perShadow: number;
  /** Milliseconds for which the process did nothing else, at the longest: while it loads, saves all, and saves a change. */
  readonly loading: number;
  readonly savingAll: number;
  readonly savingOne: number;
  /** Characters that the store got: all, and after one change. */
  readonly all: number;
  readonly one: number;
  readonly restoredSeconds: number;
}

/** What a cache of the client library costs the process that it is in. Its shadows have about 1 KB in etcd. */
export async function clientCache(lab: Lab): Promise<Result> {
  const sizes = lab.scale.kind === 'smoke' ? [50, 100] : [10_000, 100_000];
  const found: Figures[] = [];
  for (const size of sizes) {
    const etcd = await lab.etcd();
    await fill(etcd, size);
    found.push(await measure(await lab.node('umbra', { etcd: [etcd], prefix: STORED_PREFIX }), size));
  }
  const [small, large] = found as [Figures, Figures];
  const text = ({ size, ...all }: Figures): string =>
    `${size} shadows: synced after ${all.syncedSeconds.toFixed(1)} s, from a store after ${all.restoredSeconds.toFixed(1)} s; ` +
    `longest block ${all.loading.toFixed(0)} ms while it loads, ${all.savingAll.toFixed(0)} ms while it saves all ` +
    `(${(all.all / MIB).toFixed(1)} MiB), ${all.savingOne.toFixed(0)} ms after one change (${(all.one / 1024).toFixed(0)} KiB)`;
  return {
    rows: [
      row(`heap per shadow of ${large.size}`, [large.perShadow / 1024], undefined, ' KiB'),
      row(`heap per shadow, ${large.size} over ${small.size}`, [large.perShadow / small.perShadow]),
      row(`time to synced per shadow, ${large.size} over ${small.size}`, [
        large.syncedSeconds / large.size / (small.syncedSeconds / small.size),
      ]),
    ],
    notes: found.map(text),
  };
}

async function measure(node: RunningNode, size: number): Promise<Figures> {
  const umbra = new Umbra({ url: node.process.httpUrl });
  const loaded = await loading(umbra, {});
  await loaded.cache.close();
  const before = heap();
  const held = await loading(umbra, {});
  const perShadow = (heap() - before) / size;
  if (held.cache.size !== size) throw new Error(`${held.cache.size} of ${size} shadows`);
  await held.cache.close();
  const store = new Store();
  const options = { store, saveMs: 1 };
  const kept = await blocked(async () => {
    const { cache } = await loading(umbra, options);
    await until('it is saved', () => store.isQuiet, WAIT_MS);
    return cache;
  });
  const all = store.taken();
  const one = await blocked(async () => {
    const { revision } = await umbra.thing('s-7').shadow().desired.patch({ on: true });
    await kept.result.reached(revision, { timeoutMs: WAIT_MS });
    await until('the change is saved', () => store.isQuiet, WAIT_MS);
  });
  const figures = {
    all,
    one: store.taken(),
    loading: loaded.blockedMs,
    savingAll: kept.blockedMs,
    savingOne: one.blockedMs,
  };
  await kept.result.close();
  const from = performance.now();
  const again = umbra.cache({}, options);
  await again.synced({ timeoutMs: WAIT_MS });
  const restoredSeconds = (performance.now() - from) / 1_000;
  await again.close();
  umbra.close();
  return { size, perShadow, syncedSeconds: loaded.seconds, restoredSeconds, ...figures };
}

interface Loaded {
  readonly cache: ShadowCache;
  readonly seconds: number;
  readonly blockedMs: number;
}

async function loading(umbra: Umbra, options: CacheOptions): Promise<Loaded> {
  const from = performance.now();
  const { result: cache, blockedMs } = await blocked(() => umbra.cache({}, options).synced({ timeoutMs: WAIT_MS }));
  return { cache, blockedMs, seconds: (performance.now() - from) / 1_000 };
}

/** How long the loop of events stood still at the longest while a task ran. */
async function blocked<T>(task: () => Promise<T>): Promise<{ readonly result: T; readonly blockedMs: number }> {
  let blockedMs = 0;
  let last = performance.now();
  const look = (): void => {
    const now = performance.now();
    blockedMs = Math.max(blockedMs, now - last - LOOK_MS);
    last = now;
  };
  const timer = setInterval(look, LOOK_MS);
  try {
    const result = await task();
    look();
    return { result, blockedMs };
  } finally {
    clearInterval(timer);
  }
}

function heap(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** Milliseconds without a new text after which nothing more is being saved. */
const QUIET_MS = 1_000;

/** In memory, but with answers as late as those of any other store: after a turn of the loop of events. */
class Store {
  readonly #texts = new Map<string, string>();
  #characters = 0;
  #changedAt = Infinity;

  get isQuiet(): boolean {
    return performance.now() - this.#changedAt > QUIET_MS;
  }

  /** Characters since the last time that it was asked. */
  taken(): number {
    const characters = this.#characters;
    this.#characters = 0;
    this.#changedAt = Infinity;
    return characters;
  }

  async get(key: string): Promise<string | null> {
    await turn();
    return this.#texts.get(key) ?? null;
  }

  async set(key: string, text: string): Promise<void> {
    await turn();
    this.#texts.set(key, text);
    this.#characters += text.length;
    this.#changedAt = performance.now();
  }

  async delete(key: string): Promise<void> {
    this.#texts.delete(key);
  }
}
