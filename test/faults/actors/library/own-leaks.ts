import { getEventListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '../../../../src/sdk/platform.js';

/** Milliseconds for sockets and timers of what was closed to end. */
const ENDS_MS = 20_000;

/** The clock that the library is given; it counts timers that are set. */
export class CountingClock implements Clock {
  timers = 0;

  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  after(ms: number, task: () => void): () => void {
    this.timers++;
    const timer = setTimeout(() => {
      this.timers--;
      isSet = false;
      task();
    }, ms);
    let isSet = true;
    return () => {
      if (isSet) this.timers--;
      isSet = false;
      clearTimeout(timer);
    };
  }
}

/** Compares what this process holds with what it held at its start. */
export class OwnLeaks {
  readonly #before: ReadonlyMap<string, number>;
  readonly #listeners = listeners();

  constructor(
    private readonly clock: CountingClock,
    private readonly signal: AbortSignal,
  ) {
    // It is opened when it is first looked at.
    void process.stderr;
    this.#before = resources();
  }

  /** What is still there when it had time to end; one line each. */
  async found(): Promise<readonly string[]> {
    const from = performance.now();
    let leaks = this.#now();
    while (leaks.length > 0 && performance.now() - from < ENDS_MS) {
      await pause(100);
      leaks = this.#now();
    }
    return leaks;
  }

  #now(): readonly string[] {
    return [
      ...more('resources', this.#before, resources()),
      ...more('listeners of the process', this.#listeners, listeners()),
      ...(this.clock.timers > 0 ? [`${this.clock.timers} timers of the library`] : []),
      ...listenersOf(this.signal),
    ];
  }
}

function listenersOf(signal: AbortSignal): readonly string[] {
  const count = getEventListeners(signal, 'abort').length;
  return count > 0 ? [`${count} listeners of a signal`] : [];
}

function resources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  // The pause of this look, and those of the library, which its clock counts.
  for (const kind of process.getActiveResourcesInfo())
    if (kind !== 'Timeout') counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

const listeners = (): ReadonlyMap<string, number> =>
  new Map(process.eventNames().map((name) => [String(name), process.listenerCount(name)]));

function more(what: string, before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...after].flatMap(([name, count]) => {
    const was = before.get(name) ?? 0;
    return count > was ? [`${what}: ${count} of ${name}, ${was} at the start`] : [];
  });
}
