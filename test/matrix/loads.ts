import { setTimeout as pause } from 'node:timers/promises';
import { reading } from '../bench/benches/store.js';
import { Calls } from '../bench/load/calls.js';
import type { Change } from '../../src/store/shadow-store.js';
import { Acknowledged } from './acknowledged.js';
import { TENANT, WRITTEN_AT, type OpenColumn } from './open-column.js';
import type { Servers } from './servers.js';
import { usageOf, usedPer, type Usage } from './usage.js';

/** Milliseconds after which a call has failed. */
const DEADLINE_MS = 10_000;
/** Part of a load that does not count. */
const WARM = 1 / 4;
/** Calls under way of whoever creates shadows. */
const CREATING = 200;

/** What one round of one kind of calls took, in milliseconds, in order; calls that failed are counted only. */
export interface Round {
  readonly times: readonly number[];
  readonly failed: number;
  readonly stale: number;
  readonly oldestMs: number;
  /** Told by reads, in order. */
  readonly ages: readonly number[];
  /** Ages that cannot be. */
  readonly wrongAges: number;
}

export interface OpenLoop {
  /** Calls a second. */
  readonly writes: number;
  readonly reads: number;
  readonly seconds: number;
  /** That the calls go to, in turn. */
  readonly shadows: number;
  /** Of the names of the shadows: those of one load are not those of another. */
  readonly prefix: string;
}

const keyOf = (prefix: string, n: number) => ({ tenant: TENANT, thing: `${prefix}-${n}`, name: null });

const change =
  (n: number): Change =>
  (current) => {
    const at = Date.now();
    const reported = { ...reading(n), [WRITTEN_AT]: at };
    return {
      state: { version: (current?.version ?? 0) + 1, reported, metadata: {} },
      change: { kind: 'update', patch: { reported }, principal: 'matrix', at },
    };
  };

class Counted {
  readonly #times: number[] = [];
  readonly #ages: number[] = [];
  #failed = 0;
  #stale = 0;
  #oldestMs = 0;
  #wrongAges = 0;

  took(ms: number): void {
    this.#times.push(ms);
  }

  failed(): void {
    this.#failed++;
  }

  told(ageMs: number | null, staleMs: number | null, isAgeWrong: boolean): void {
    if (ageMs !== null) this.#ages.push(ageMs);
    if (isAgeWrong) this.#wrongAges++;
    if (staleMs === null) return;
    this.#stale++;
    this.#oldestMs = Math.max(this.#oldestMs, staleMs);
  }

  get round(): Round {
    return {
      ...{ times: this.#times.sort((a, b) => a - b), failed: this.#failed, stale: this.#stale },
      ...{ oldestMs: this.#oldestMs, ages: this.#ages.sort((a, b) => a - b), wrongAges: this.#wrongAges },
    };
  }
}

/**
 * Writes and reads, so many a second of each, whatever the answers do; measured from when each call was due. The first
 * quarter does not count.
 */
export async function openLoop(column: OpenColumn, load: OpenLoop): Promise<{ write: Round; read: Round }> {
  const { shadows, prefix } = load;
  const acknowledged = new Acknowledged(shadows);
  const counted = { write: new Counted(), read: new Counted() };
  const writeOne = async (i: number): Promise<void> => {
    const from = performance.now();
    const options = { deadline: from + DEADLINE_MS };
    const { state } = await column.store.update(keyOf(prefix, i % shadows), change(i), options);
    acknowledged.note(i % shadows, state.version, from, performance.now());
  };
  const readOne = async (i: number): Promise<void> => {
    // Not the one that was written just now.
    const shadow = (i * 7 + 3) % shadows;
    const from = performance.now();
    const newest = acknowledged.newest(shadow);
    const answer = await column.read(keyOf(prefix, shadow), from + DEADLINE_MS);
    const { staleMs, isAgeWrong } = acknowledged.judge(shadow, answer, { newest, from, to: performance.now() });
    counted.read.told(answer.ageMs, staleMs, isAgeWrong);
  };
  const start = performance.now();
  const { writes, reads, seconds } = load;
  await Promise.all([
    paced(start, writes, seconds, counted.write, writeOne),
    paced(start, reads, seconds, counted.read, readOne),
  ]);
  return { write: counted.write.round, read: counted.read.round };
}

async function paced(
  start: number,
  perSecond: number,
  seconds: number,
  counted: Counted,
  call: (i: number) => Promise<void>,
): Promise<void> {
  const total = Math.ceil(perSecond * seconds);
  const running: Promise<void>[] = [];
  const one = async (i: number): Promise<void> => {
    const due = start + (i / perSecond) * 1000;
    try {
      await call(i);
      if (i >= total * WARM) counted.took(performance.now() - due);
    } catch {
      counted.failed();
    }
  };
  for (let i = 0; i < total;) {
    // The first one is due at once.
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * perSecond) + 1);
    for (; i < due; i++) running.push(one(i));
    await pause(1);
  }
  await Promise.all(running);
}

export interface Rate {
  readonly perSecond: number;
  /** Of one update. */
  readonly used: Usage;
}

/** So many callers, each with one update under way, each of a shadow of its own. */
export async function saturated(column: OpenColumn, servers: Servers, callers: number, seconds: number): Promise<Rate> {
  let done = 0;
  const load = new Calls(callers, async (caller, n) => {
    await column.store.update(keyOf('t', caller), change(n), { deadline: performance.now() + DEADLINE_MS });
    done++;
  });
  await load.run(seconds / 2);
  const before = usageOf(servers);
  const doneBefore = done;
  const { perSecond } = await load.run(seconds);
  return { perSecond, used: usedPer(before, usageOf(servers), done - doneBefore) };
}

/**
 * Writes each shadow of a load once.
 * @returns the highest version
 * @throws Error when one is not acknowledged in time
 */
export async function create(column: OpenColumn, prefix: string, shadows: number): Promise<number> {
  let next = 0;
  let highest = 0;
  const worker = async (): Promise<void> => {
    while (next < shadows) {
      const n = next++;
      const options = { deadline: performance.now() + DEADLINE_MS };
      const { state } = await column.store.update(keyOf(prefix, n), change(n), options);
      highest = Math.max(highest, state.version);
    }
  };
  await Promise.all(Array.from({ length: CREATING }, worker));
  return highest;
}

/** Whether reads of the first shadow of a load have the version. No errors. */
export async function reads(column: OpenColumn, prefix: string, version: number): Promise<boolean> {
  const answer = await column.read(keyOf(prefix, 0), performance.now() + DEADLINE_MS).catch(() => null);
  return (answer?.told?.version ?? 0) >= version;
}
