import { pauseAfter } from '../back-off.js';
import { link, pause } from '../within.js';
import { entryOf, orderOf, type Entry } from './entry.js';
import type { HeldEntry } from './held-entries.js';
import { Lanes } from './lanes.js';
import { markOf, standingOf } from './mark.js';
import type { Settings } from './options.js';
import { BEGIN, BURY, FINISH } from './scripts.js';

/** What became of an entry. `left`: another consumer has it, or may have it now. */
export type Outcome = 'handled' | 'repeated' | 'dead' | 'left';

export interface WorkParts {
  /** Runs a script until Redis has answered. @throws UmbraError when that is given up */
  run(script: () => string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** When it aborts, nothing is begun any more. */
  readonly ending: AbortSignal;
}

/** What a try has come to. Null: it is to be tried again. */
type Tried = { readonly outcome: Outcome } | { readonly error: unknown; readonly counts: boolean };

const LONGEST_PAUSE_MS = 30_000;
/** Characters of the reason in a dead letter. */
const MAX_REASON = 1_000;
/** The lane of entries that may have ended their consumers. No name of a shadow has this form. */
const SUSPECTS = '/';

/** Works off entries: in order for each shadow, and one by one where an entry may have ended its consumer. */
export class Work<T> {
  readonly #lanes: Lanes;

  constructor(
    private readonly settings: Settings<T>,
    private readonly parts: WorkParts,
  ) {
    this.#lanes = new Lanes(settings.concurrency);
  }

  /** @throws UmbraError when Redis cannot be used any more */
  async done(held: HeldEntry): Promise<Outcome> {
    const change = entryOf<T>(held.raw);
    if (change === null) return this.#bury(held, null, 'it is not a change that a sink has written');
    const lanes = [orderOf(change), ...(held.isSuspect ? [SUSPECTS] : [])];
    return this.#lanes.follow(lanes, () => this.#untilDone(held, change));
  }

  async #untilDone(held: HeldEntry, change: Entry<T>): Promise<Outcome> {
    const { random, retryMs, on } = this.settings;
    let counts = held.isSuspect;
    for (let failures = 1; ; failures += 1) {
      const tried = await this.#lanes.place(() => this.#tried(held, change, counts));
      if ('outcome' in tried) return tried.outcome;
      on.retry?.(change, tried.error);
      counts = tried.counts;
      const ms = pauseAfter(failures, { firstMs: retryMs, longestMs: LONGEST_PAUSE_MS }, random());
      await this.#pause(ms, held.signal);
    }
  }

  /** Never rejects. */
  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    const control = new AbortController();
    const unlink = link([signal, this.parts.ending], control, 'the pause');
    await pause(this.settings.clock, ms, control.signal, 'the pause').catch(() => undefined);
    unlink();
  }

  async #tried(held: HeldEntry, change: Entry<T>, counts: boolean): Promise<Tried> {
    const { stream, group, consumer, clock, claimIdleMs, maxTries, handle } = this.settings;
    if (this.parts.ending.aborted || held.signal.aborted) return { outcome: 'left' };
    const began = clock.monotonic();
    const args = [group, consumer, change.entry, counts ? '1' : '0'];
    const [found, mark] = (await this.parts.run(BEGIN, [stream, this.#mark(change)], args)) as [number, string];
    if (found === 0 || held.signal.aborted) return { outcome: 'left' };
    // A trimmed entry is counted here alone.
    held.tries = Math.max(found, held.tries + (counts ? 1 : 0));
    held.ownUntil = began + claimIdleMs;
    const standing = standingOf(change, markOf(mark));
    if (standing === 'repeated') return this.#finish(change, 'repeated');
    if (held.tries > maxTries) {
      held.tries = maxTries;
      return { outcome: await this.#bury(held, change, 'its consumers ended during the work') };
    }
    try {
      await handle(change, { signal: held.signal, tries: held.tries, isLate: standing === 'late' });
    } catch (error) {
      return this.#failed(held, change, error);
    }
    return this.#finish(change, 'handled');
  }

  async #failed(held: HeldEntry, change: Entry<T>, error: unknown): Promise<Tried> {
    if (held.signal.aborted) return { outcome: 'left' };
    // Another system is to blame, and will be back: that says nothing about the entry.
    const counts = (error as { retryable?: unknown } | null)?.retryable !== true;
    if (!counts || held.tries < this.settings.maxTries) return { error, counts };
    return { outcome: await this.#bury(held, change, error instanceof Error ? error.message : String(error)) };
  }

  async #finish(change: Entry<T>, outcome: Outcome): Promise<Tried> {
    await this.parts.run(FINISH, [this.settings.stream, this.#mark(change)], this.#end(change.entry, change));
    return { outcome };
  }

  async #bury({ raw, tries }: HeldEntry, change: Entry<T> | null, why: string): Promise<Outcome> {
    const { stream, group, consumer, maxDead, clock, logger, on } = this.settings;
    const reason = why.slice(0, MAX_REASON);
    const more = { deadEntry: raw.entry, deadGroup: group, deadConsumer: consumer, deadTries: String(tries) };
    const all = { ...more, deadReason: reason, deadAt: new Date(clock.now()).toISOString() };
    // A dead letter that is put aside again says only the last.
    const fields = raw.fields.flatMap((name, i) => (i % 2 || name in all ? [] : [name, raw.fields[i + 1]!]));
    const keys = [stream, change === null ? stream : this.#mark(change), `${stream}:dead`];
    const args = [...this.#end(raw.entry, change), String(maxDead), ...fields, ...Object.entries(all).flat()];
    if ((await this.parts.run(BURY, keys, args)) === 0) return 'left';
    logger.warn({ stream, group, entry: raw.entry, tries }, 'An entry of the stream was put aside as a dead letter');
    on.dead?.(change, reason);
    return 'dead';
  }

  /** Arguments of what ends an entry. */
  #end(entry: string, change: Entry<T> | null): string[] {
    const { group, consumer, markSeconds } = this.settings;
    const revision = change === null ? ['', ''] : [String(change.epoch), String(change.revision)];
    return [group, consumer, entry, ...revision, String(markSeconds)];
  }

  #mark(change: Entry<T>): string {
    const { stream, group } = this.settings;
    return `${stream}:${group}:mark:${orderOf(change)}`;
  }
}
