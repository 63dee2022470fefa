import { clientError, UmbraError } from '../umbra-error.js';
import { link, pause, within } from '../within.js';
import type { ConsumeReport } from './consume.js';
import type { RawEntry } from './entry.js';
import { HeldEntries, HeldEntry } from './held-entries.js';
import type { Settings, Trimmed } from './options.js';
import { Connection } from './redis-client.js';
import { RedisHealth } from './redis-health.js';
import { CLAIM, KEEP, LEAVE, MAKE_GROUP, TAKE } from './scripts.js';
import { Work, type Outcome } from './work.js';

/** Milliseconds that Redis holds a question for new entries. */
const BLOCK_MS = 5_000;
/** Milliseconds: the longest pause while Redis fails. */
const LONGEST_PAUSE_MS = 5_000;
/** Looks at what other consumers left, and signs of life, within the time after which those count as dead. */
const LOOKS = 3;

type Claimed = readonly [entry: string, fields: readonly string[], deliveries: number];
type Taken =
  | readonly ['gone']
  | readonly ['trimmed', lost: number]
  | readonly ['read', lost: number, last: string, entries: readonly (readonly [string, readonly string[]])[]];

/** One member of a group, from its start to its end. */
export class GroupConsumer<T> {
  readonly #commands: Connection;
  readonly #news: Connection;
  readonly #health: RedisHealth;
  readonly #held: HeldEntries;
  readonly #work: Work<T>;
  readonly #running = new Set<Promise<void>>();
  /** Nothing is taken and nothing begun any more. */
  readonly #ending = new AbortController();
  /** Nothing is waited for any more. */
  readonly #over = new AbortController();
  /** Entries that it had at its end and did not finish. */
  readonly #left = new Set<string>();
  readonly #counts = { handled: 0, repeated: 0, dead: 0 };
  #failure: Error | null = null;

  constructor(private readonly settings: Settings<T>) {
    const { redis, clock, random, answerMs, outageMs, batch, claimIdleMs, on } = settings;
    this.#commands = new Connection(redis, clock, answerMs);
    this.#news = new Connection(redis, clock, answerMs);
    const longestMs = Math.min(LONGEST_PAUSE_MS, claimIdleMs / LOOKS);
    const onTrouble = (error: UmbraError | null): void => on.trouble?.(error);
    this.#health = new RedisHealth({ clock, random, outageMs, longestMs, onTrouble });
    this.#held = new HeldEntries(batch);
    const run = (script: () => string, keys: readonly string[], args: readonly string[]): Promise<unknown> =>
      this.#health.persist(() => this.#commands.run(script, keys, args, this.#over.signal), this.#over.signal);
    this.#work = new Work(settings, { run, ending: this.#ending.signal });
  }

  /** @throws UmbraError as consume() */
  async run(): Promise<ConsumeReport> {
    const unlink = link([this.settings.signal], this.#ending, 'the consumer');
    this.#ending.signal.addEventListener('abort', () => this.#held.end(), { once: true });
    if (this.#ending.signal.aborted) this.#held.end();
    const reading = this.#guarded(() => this.#read());
    // Signs of life go on while it finishes.
    const upkeep = this.#guarded(() => this.#keepUp());
    try {
      await reading;
      await this.#drain();
      this.#over.abort(clientError('closed', 'the consumer has ended'));
      await upkeep;
      await this.#release();
    } finally {
      unlink();
      this.#commands.close();
      this.#news.close();
    }
    if (this.#failure !== null) throw this.#failure;
    return { ...this.#counts, left: this.#left.size };
  }

  /** A part of the consumer: its failure ends the whole. Never rejects. */
  async #guarded(part: () => Promise<unknown>): Promise<void> {
    try {
      await part();
    } catch (error) {
      const isEnd = error instanceof UmbraError && (this.#over.signal.aborted || this.#isEnding(error));
      if (!isEnd) this.#failure ??= error instanceof Error ? error : new Error(String(error));
      this.#ending.abort(clientError('closed', 'the consumer has ended'));
    }
  }

  #isEnding({ code }: UmbraError): boolean {
    return this.#ending.signal.aborted && (code === 'aborted' || code === 'closed');
  }

  /** Takes what is new, in its order, after what it has left itself. */
  async #read(): Promise<void> {
    const { signal } = this.#ending;
    let failures = 0;
    let isReady = false;
    while (!signal.aborted) {
      try {
        if (!isReady) await this.#prepare();
        isReady = true;
        await this.#held.space();
        if (!signal.aborted) await this.#round();
        this.#health.answered();
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        // An answer may be lost that has brought entries.
        isReady = false;
        await this.#health.failed(error, (failures += 1), [signal]);
      }
    }
  }

  async #prepare(told = ''): Promise<void> {
    const { stream, group, start } = this.settings;
    const made = await this.#commands.run(
      MAKE_GROUP,
      [stream, this.#position],
      [group, told === '' ? start : '0', told],
    );
    if (made === 'gone') return this.#prepareAnew();
    await this.#recover();
  }

  async #prepareAnew(): Promise<void> {
    await this.#tell({ entries: null, where: 'group' });
    await this.#prepare('1');
  }

  /** What it had got, in an earlier life or with an answer that was lost. */
  async #recover(): Promise<void> {
    let from = '-';
    while (!this.#ending.signal.aborted) {
      const last = await this.#claim(from, 0, this.settings.consumer);
      if (last === '') return;
      from = `(${last}`;
      await this.#held.space();
    }
  }

  async #round(told = ''): Promise<void> {
    const { stream, group, consumer, clock, claimIdleMs, batch } = this.settings;
    const ownUntil = clock.monotonic() + claimIdleMs;
    const args = [group, consumer, String(Math.min(this.#held.room, batch)), told];
    const taken = (await this.#commands.run(TAKE, [stream, this.#position], args)) as Taken;
    if (taken[0] === 'gone') return this.#prepareAnew();
    if (taken[0] === 'trimmed') {
      await this.#tell({ entries: taken[1], where: 'unread' });
      return this.#round(String(taken[1]));
    }
    const [, lost, last, entries] = taken;
    for (const [entry, fields] of entries) this.#hold({ entry, fields }, 1, false, ownUntil);
    if (lost > 0) await this.#tell({ entries: lost, where: 'unread' });
    if (entries.length === 0) await this.#awaitNews(last);
  }

  /** Until the stream may have more. */
  async #awaitNews(last: string): Promise<void> {
    const { stream, answerMs, claimIdleMs } = this.settings;
    const blockMs = Math.min(BLOCK_MS, claimIdleMs);
    const args = ['COUNT', '1', 'BLOCK', String(blockMs), 'STREAMS', stream, last];
    await this.#news.call('XREAD', args, { ms: blockMs + answerMs, signal: this.#ending.signal });
  }

  /** Shows that it lives, and takes what the dead have left. */
  async #keepUp(): Promise<void> {
    const { clock, claimIdleMs } = this.settings;
    const { signal } = this.#over;
    for (;;) {
      await pause(clock, claimIdleMs / LOOKS, signal, 'the consumer');
      try {
        await this.#showLife();
        if (!this.#ending.signal.aborted && this.#held.room > 0) await this.#claim('-', claimIdleMs, '');
        this.#health.answered();
      } catch (error) {
        if (!(error instanceof UmbraError) || !(error.retryable || isNoGroup(error))) throw error;
        // The reading notices an outage, and a group that is gone. Whether the entries are still ours, nobody says.
        for (const held of this.#held.all)
          if (held.ownUntil <= clock.monotonic()) held.lose('Redis was not reached in time to keep it');
      }
    }
  }

  async #showLife(): Promise<void> {
    const { stream, group, consumer, clock, claimIdleMs } = this.settings;
    const held = this.#held.all;
    if (held.length === 0) return;
    const ownUntil = clock.monotonic() + claimIdleMs;
    const args = [group, consumer, '0', ...held.map(({ raw }) => raw.entry)];
    const lost = new Set((await this.#commands.run(KEEP, [stream], args, this.#over.signal)) as string[]);
    for (const each of held) {
      each.ownUntil = ownUntil;
      if (lost.has(each.raw.entry)) each.lose('another consumer has taken it, or it is finished');
    }
  }

  /** @returns the last entry that was looked at; '' at the end */
  async #claim(from: string, idleMs: number, owner: string): Promise<string> {
    const { stream, group, consumer, clock, claimIdleMs } = this.settings;
    const ownUntil = clock.monotonic() + claimIdleMs;
    const args = [group, consumer, String(idleMs), String(Math.max(this.#held.room, 1)), from, owner];
    const answer = await this.#commands.run(CLAIM, [stream], args);
    const [entries, gone, last] = answer as [Claimed[], string[], string];
    for (const [entry, fields, tries] of entries) this.#hold({ entry, fields }, tries, true, ownUntil);
    const unknown = gone.filter((entry) => !this.#held.has(entry));
    if (unknown.length > 0) {
      await this.#tell({ entries: unknown.length, where: 'pending' });
      await this.#commands.call('XACK', [stream, group, ...unknown]);
    }
    return last;
  }

  #hold(raw: RawEntry, tries: number, isSuspect: boolean, ownUntil: number): void {
    if (this.#held.has(raw.entry)) return;
    const held = new HeldEntry(raw, tries, isSuspect, ownUntil);
    this.#held.add(held);
    const run: Promise<void> = this.#guarded(() => this.#workOff(held)).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  async #workOff(held: HeldEntry): Promise<void> {
    let outcome: Outcome = 'left';
    try {
      outcome = await this.#work.done(held);
    } finally {
      if (outcome !== 'left') this.#counts[outcome] += 1;
      else if (this.#ending.signal.aborted) this.#left.add(held.raw.entry);
      this.#held.remove(held);
    }
  }

  async #tell(lost: Trimmed): Promise<void> {
    const { on, logger, stream, group } = this.settings;
    const how = lost.entries === null ? 'an unknown number of' : lost.entries;
    const message = `${how} changes were lost from the stream ${stream} (${lost.where}): the group ${group} was too slow`;
    logger.warn({ stream, group, ...lost }, 'Changes were lost from the stream before they were handled');
    if (!on.trimmed) throw clientError('trimmed', message);
    await on.trimmed(lost);
  }

  /** Until what has begun is finished, or the time for that is over. Never rejects. */
  async #drain(): Promise<void> {
    const { clock, drainMs } = this.settings;
    const all = Promise.allSettled([...this.#running]);
    await new Promise<void>((resolve) => {
      const cancel = clock.after(drainMs, resolve);
      void all.then(() => (cancel(), resolve()));
    });
    for (const held of this.#held.all) held.lose('the time to finish is over');
  }

  /** Leaves what is not finished to others, at once. If that fails, they take it later. Never rejects. */
  async #release(): Promise<void> {
    const { stream, group, consumer, clock, claimIdleMs, answerMs } = this.settings;
    for (const { raw } of this.#held.all) this.#left.add(raw.entry);
    const idle = [group, consumer, String(claimIdleMs), ...this.#left];
    try {
      await within({ clock, ms: answerMs, what: 'the end of the consumer' }, async (signal) => {
        if (this.#left.size > 0)
          await this.#health.persist(() => this.#commands.run(KEEP, [stream], idle, signal), signal);
        await this.#health.persist(() => this.#commands.run(LEAVE, [stream], [group, consumer], signal), signal);
      });
    } catch {
      // They become idle by themselves.
    }
  }

  get #position(): string {
    return `${this.settings.stream}:${this.settings.group}:position`;
  }
}

const isNoGroup = ({ message }: UmbraError): boolean => message.includes('NOGROUP');
