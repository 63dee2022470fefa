import { setTimeout as pause } from 'node:timers/promises';
import { change } from '../bench/benches/store.js';
import { cpuSeconds } from '../bench/load/process-usage.js';
import { Calls } from '../bench/load/calls.js';
import { TENANT, type OpenColumn } from './columns.js';
import type { Servers } from './servers.js';

/** Milliseconds after which a call has failed. */
const DEADLINE_MS = 10_000;
/** Shadows that the calls of a fixed rate go to, in turn. */
const SHADOWS = 200;
/** Points of a distribution. */
const POINTS = 120;

/** What one round of one kind of calls took, in milliseconds, in order; calls that failed are counted only. */
export interface Round {
  readonly times: readonly number[];
  readonly failed: number;
  readonly stale: number;
  readonly oldestMs: number;
}

const keyOf = (n: number) => ({ tenant: TENANT, thing: `t-${n}`, name: null });

/** Times of acknowledgement of each version of each shadow: what a read that begins later must know. */
class Acknowledged {
  readonly #times = Array.from({ length: SHADOWS }, (): number[] => []);

  note(shadow: number, version: number): void {
    const times = this.#times[shadow] as number[];
    times[version] = Math.min(times[version] ?? Infinity, performance.now());
  }

  newest(shadow: number): number {
    return (this.#times[shadow]?.length ?? 1) - 1;
  }

  /** Milliseconds since the first version behind `version` was acknowledged. */
  ageBehind(shadow: number, version: number, at: number): number {
    const times = this.#times[shadow]?.slice(version + 1).filter((time) => time !== undefined) ?? [];
    return at - Math.min(at, ...times);
  }
}

/**
 * Writes and reads, so many a second of each, whatever the answers do; measured from when each call was due. The first
 * quarter does not count.
 */
export async function fixedRate(
  column: OpenColumn,
  perSecond: number,
  seconds: number,
): Promise<{ write: Round; read: Round }> {
  const acknowledged = new Acknowledged();
  const write = { times: [] as number[], failed: 0, stale: 0, oldestMs: 0 };
  const read = { times: [] as number[], failed: 0, stale: 0, oldestMs: 0 };
  const total = Math.ceil(perSecond * seconds);
  const start = performance.now();
  const running: Promise<void>[] = [];
  const counted = async (round: typeof write, i: number, call: () => Promise<void>): Promise<void> => {
    const due = start + (i / perSecond) * 1000;
    try {
      await call();
      if (i >= total / 4) round.times.push(performance.now() - due);
    } catch {
      round.failed++;
    }
  };
  const writeOne = async (i: number): Promise<void> => {
    const options = { deadline: performance.now() + DEADLINE_MS };
    const { state } = await column.store.update(keyOf(i % SHADOWS), change(i), options);
    acknowledged.note(i % SHADOWS, state.version);
  };
  const readOne = async (i: number): Promise<void> => {
    // Not the one that was written just now.
    const shadow = (i * 7 + 3) % SHADOWS;
    const at = performance.now();
    const newest = acknowledged.newest(shadow);
    const version = (await column.read(keyOf(shadow), at + DEADLINE_MS))?.version ?? 0;
    if (version >= newest) return;
    read.stale++;
    read.oldestMs = Math.max(read.oldestMs, acknowledged.ageBehind(shadow, version, at));
  };
  for (let i = 0; i < total;) {
    // The first one is due at once.
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * perSecond) + 1);
    for (; i < due; i++) {
      const n = i;
      running.push(counted(write, n, () => writeOne(n)));
      running.push(counted(read, n, () => readOne(n)));
    }
    await pause(1);
  }
  await Promise.all(running);
  const sorted = (round: typeof write): Round => ({ ...round, times: round.times.sort((a, b) => a - b) });
  return { write: sorted(write), read: sorted(read) };
}

export interface Rate {
  readonly perSecond: number;
  /** Microseconds of processor per update. */
  readonly cpuMicros: Readonly<Record<string, number>>;
}

/** So many callers, each with one update under way, each of a shadow of its own. */
export async function saturated(column: OpenColumn, servers: Servers, callers: number, seconds: number): Promise<Rate> {
  const load = new Calls(callers, (caller, n) =>
    column.store.update(keyOf(caller), change(n), { deadline: performance.now() + DEADLINE_MS }),
  );
  await load.run(seconds / 2);
  const pids: Record<string, readonly number[]> = { ...servers.pids(), node: [process.pid] };
  const used = (): Record<string, number> =>
    Object.fromEntries(
      Object.entries(pids).map(([name, list]) => [name, list.reduce((sum, pid) => sum + cpuSeconds(pid), 0)]),
    );
  const before = used();
  const { perSecond, operations } = await load.run(seconds);
  const after = used();
  const done = operations ?? perSecond * seconds;
  const micros = Object.keys(pids).map((name) => [name, (((after[name] ?? 0) - (before[name] ?? 0)) / done) * 1e6]);
  return { perSecond, cpuMicros: Object.fromEntries(micros) };
}

/** A distribution in few points: all of its upper end, where it says most. */
export function distribution(times: readonly number[]): [ms: number, share: number][] {
  const shares = Array.from({ length: POINTS }, (_, i) => 1 - (1 - i / (POINTS - 1)) ** 2);
  return shares.map((share) => {
    const at = Math.min(times.length - 1, Math.floor(share * times.length));
    return [rounded(times[at] ?? 0), rounded(share)];
  });
}

/** What a JSON needs of a figure. */
export const rounded = (value: number): number => Number(value.toPrecision(4));
