import { setTimeout as pause } from 'node:timers/promises';
import { sameHistory, type Position } from '../store/position.js';
import { PresenceUpdate } from '../store/presence-update.js';
import { FeedGap, isOfKind, isReadable, type ShadowFeed, type ShadowFilter } from '../store/shadow-feed.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { Health } from '../telemetry/health.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import { happenedAt } from '../watch/event-text.js';
import type { ContentFilter, KeyFilter } from '../watch/watch-filter.js';
import { InFlightWindow } from './in-flight-window.js';
import type { SinkCursors } from './sink-cursors.js';
import { SinkRecovery } from './sink-recovery.js';
import type { Sink } from './sink.js';

/** Which changes a sink gets; null members ask for any. */
export interface ChangeFilter {
  readonly key: KeyFilter | null;
  readonly content: ContentFilter | null;
  /** As in a filter of the feed. */
  readonly presence?: ShadowFilter['presence'];
}

/** How far a sink is behind, as this node knows it. */
export interface SinkLag {
  /** Everything up to this revision is safe in the sink; null: this node sends nothing. */
  readonly confirmed: number | null;
  /** Changes that were given to the sink and are not safe there. */
  readonly inFlight: number;
  /** Revisions from the confirmed one to the last that was read; more may wait in etcd while the sink is full. */
  readonly revisions: number;
  /** When the oldest change that is not safe was committed, in epoch milliseconds; null: there is none. */
  readonly oldestAt: number | null;
}

export interface SinkRunnerOptions {
  readonly feed: ShadowFeed;
  readonly cursors: SinkCursors;
  readonly sink: Sink;
  readonly shardOf: (record: ShadowRecord) => string;
  /** Tenants whose shadows are sent; an output has no place for the tenant. */
  readonly tenants: readonly string[];
  /** Which of their changes are sent; absent: all. */
  readonly filter?: ChangeFilter | undefined;
  /** Changes that may be on their way to the sink at once. While they are, the feed is not read, and etcd waits. */
  readonly maxInFlight: number;
  /** Milliseconds after which a cursor is moved although nothing was sent; a minute unless given. */
  readonly idleSaveMs?: number;
  readonly logger: Logger;
}

/** Bytes of the records in flight: large documents must not fill the memory of a node whose sink takes nothing. */
const MAX_IN_FLIGHT_BYTES = 32 * 1024 * 1024;
/** Milliseconds between two saves of the cursors: what another node sends again after the death of this one. */
const SAVE_MS = 500;
/** Milliseconds after which the cursor of an idle sink follows the feed: it must stay within the store's history. */
const IDLE_SAVE_MS = 60_000;
/** Milliseconds for what is in flight when shards are given up; the rest is sent again by the next holder. */
const SETTLE_MS = 3_000;
/** Milliseconds before a feed that failed is asked again. */
const RETRY_MS = 500;

/** One reading of the feed, from the oldest cursor of the shards that are held. */
interface Run {
  readonly abort: AbortController;
  /** Ends with the run, or when its window is given up. */
  reading: AbortController;
  window: InFlightWindow;
  ended: Promise<unknown>;
}

/**
 * Sends the changes of the shards that this node holds to a sink: at least once, in order, from a cursor in etcd per
 * shard, so that another node can continue what this one could not send. Receivers drop repeated versions. All shards
 * share one reading of the feed, which is opened anew when the node takes or gives up shards.
 */
export class SinkRunner {
  /** Shard to the position after which this node sends it; everything before was sent by earlier holders. */
  readonly #from = new Map<string, Position>();
  readonly #recovery: SinkRecovery;
  #run: Run | null = null;
  #turn: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> | null = null;
  #sent = false;
  #savedAt = 0;
  #saved: Position | null = null;
  #trouble: string | null = null;
  /** The last revision that was read. */
  #read = 0;

  constructor(private readonly options: SinkRunnerOptions) {
    this.#recovery = new SinkRecovery({
      ...options,
      // Live changes keep the larger part of what may be in flight.
      maxInFlight: Math.ceil(options.maxInFlight / 2),
      onRecovered: () => {
        this.#saved = null;
        this.#sent = true;
      },
    });
  }

  get health(): Health {
    if (this.#trouble !== null) return { ok: false, reason: `the feed of the sink: ${this.#trouble}` };
    const { size } = this.#recovery.shards;
    const missed = size === 0 ? '' : `, and the present state of ${size} whose changes were missed`;
    return { ok: true, reason: `sends ${this.#from.size} shards${missed}` };
  }

  /** How far the shards that this node holds are behind. No errors. */
  get lag(): SinkLag {
    const window = this.#run?.window;
    if (!window) return { confirmed: null, inFlight: 0, revisions: 0, oldestAt: null };
    const confirmed = window.done.revision;
    const revisions = window.open > 0 ? Math.max(0, this.#read - confirmed) : 0;
    return { confirmed, inFlight: window.open, revisions, oldestAt: window.oldestAt };
  }

  take(shards: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      // First: when etcd is away, the shards that are held already continue.
      const known = await this.#load(shards);
      await this.#end();
      for (const [shard, position] of known) this.#from.set(shard, position);
      this.#begin();
    });
  }

  release(shards: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      await this.#end();
      await this.#save().catch((error: unknown) => {
        this.options.logger.warn({ err: error }, 'cursors could not be saved; the next owner sends some changes again');
      });
      this.#drop(shards);
      this.#begin();
    });
  }

  /** Resolves when everything up to `revision` is safe in the sink, or after `limitMs`. */
  async reached(revision: number, limitMs: number): Promise<void> {
    await this.#run?.window.reached(revision, limitMs);
  }

  lose(shards: readonly string[]): void {
    const isOurs = shards.some((shard) => this.#from.has(shard));
    this.#drop(shards);
    if (!isOurs || !this.#run) return;
    // Also what is on its way of the shards that are left: it comes again with the next reading.
    cut(this.#run);
    if (this.#from.size === 0) return;
    this.#inTurn(async () => {
      await this.#end();
      this.#begin();
    }).catch((error: unknown) => this.options.logger.error({ err: error }, 'a sink could not begin anew'));
  }

  #drop(shards: readonly string[]): void {
    for (const shard of shards) this.#from.delete(shard);
    this.#recovery.drop(shards);
  }

  /** Runs the changes of what is held one after the other. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(step);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #load(shards: readonly string[]): Promise<Map<string, Position>> {
    const { cursors, feed, logger } = this.options;
    const known = await cursors.load(shards);
    const missing = shards.filter((shard) => !known.has(shard));
    if (missing.length === 0) return known;
    logger.error({ shards: missing }, 'the cursors are not in etcd; changes from here on are sent');
    const head = await feed.head(new AbortController().signal);
    for (const shard of missing) known.set(shard, head);
    return known;
  }

  #begin(): void {
    const start = oldest([...this.#from.values()]);
    if (start === null) return;
    const abort = new AbortController();
    const window = this.#window(start, abort.signal);
    const run: Run = { abort, reading: new AbortController(), window, ended: Promise.resolve() };
    run.ended = Promise.all([this.#follow(run), this.#recovery.run(abort.signal)]);
    this.#run = run;
    this.#saved = null;
    this.#timer = setInterval(() => void this.#tick(), SAVE_MS).unref();
  }

  /** Nothing new goes out; what is on its way gets a moment, so that the next reading does not repeat it. */
  async #end(): Promise<void> {
    const run = this.#run;
    if (!run) return;
    clearInterval(this.#timer);
    cut(run);
    await run.ended;
    await run.window.settled(SETTLE_MS);
    await this.#saving;
    this.#note();
    this.#run = null;
  }

  /** Moves the position of every shard up to what is safe. */
  #note(): void {
    const done = this.#run?.window.done;
    if (!done) return;
    for (const [shard, from] of this.#from) {
      if (sameHistory(from, done) && from.revision < done.revision) this.#from.set(shard, done);
    }
  }

  async #follow(run: Run): Promise<void> {
    const { signal } = run.abort;
    while (!signal.aborted) {
      try {
        if (!this.#isOneHistory()) throw new FeedGap('epoch-changed');
        this.#trouble = null;
        await this.#deliver(run);
      } catch (error) {
        if (signal.aborted) return;
        this.#trouble = reasonOf(error);
        this.options.logger.warn({ reason: this.#trouble }, 'a sink cannot follow the store; trying again');
        // Only what is safe has been passed, so the next reading would send twice what is still on its way.
        await run.window.settled(SETTLE_MS, true);
        if (error instanceof FeedGap)
          await this.#leap(run).catch((reason: unknown) => (this.#trouble = reasonOf(reason)));
        await pause(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  async #deliver(run: Run): Promise<void> {
    const { signal } = run.abort;
    for await (const { position, records } of this.options.feed.after(run.window.done, signal)) {
      this.#read = position.revision;
      for (const record of records) {
        if (!this.#isDue(record) || !isReadable(record) || !this.#isWanted(record)) continue;
        await run.window.room();
        if (signal.aborted) return;
        this.#sent = true;
        this.#recovery.passed(record);
        run.window.add(
          position,
          this.options.sink.deliver(record, run.reading.signal),
          happenedAt(record),
          record.bytes,
        );
      }
      run.window.whole(position);
    }
  }

  #isDue(record: ShadowRecord): boolean {
    const { tenants, filter } = this.options;
    if (!tenants.includes(record.key.tenant) || !isOfKind(filter?.presence, record.key)) return false;
    if (filter?.key?.(record.key) === false) return false;
    const from = this.#from.get(this.options.shardOf(record));
    return from !== undefined && (!sameHistory(from, record.position) || record.position.revision > from.revision);
  }

  /** Asked last: it has the record parsed. */
  #isWanted(record: ShadowRecord): boolean {
    return record instanceof PresenceUpdate || this.options.filter?.content?.(record, 'change') !== false;
  }

  #isOneHistory(): boolean {
    const [first, ...others] = this.#from.values();
    return first === undefined || others.every((other) => sameHistory(first, other));
  }

  /**
   * The changes since the oldest cursor are no longer available. Its shards continue with live changes from here on, and
   * are sent the present state beside them; shards with a later cursor may still be in the history.
   */
  async #leap(run: Run): Promise<void> {
    const head = await this.options.feed.head(run.abort.signal);
    this.#note();
    const gone = this.#isOneHistory() ? run.window.done.revision : -1;
    const isMissed = (from: Position): boolean => !sameHistory(from, head) || from.revision <= gone;
    const missed = [...this.#from].flatMap(([shard, from]) => (isMissed(from) ? [shard] : []));
    for (const shard of missed) this.#from.set(shard, head);
    this.#recovery.begin(missed, head);
    const start = oldest([...this.#from.values()]) ?? head;
    run.reading.abort();
    run.reading = new AbortController();
    run.window = this.#window(start, run.abort.signal);
  }

  #window(start: Position, signal: AbortSignal): InFlightWindow {
    return new InFlightWindow(start, this.options.maxInFlight, signal, MAX_IN_FLIGHT_BYTES);
  }

  async #tick(): Promise<void> {
    if (this.#saving) return;
    const idle = !this.#sent && performance.now() - this.#savedAt < (this.options.idleSaveMs ?? IDLE_SAVE_MS);
    if (idle) return;
    this.#saving = this.#save()
      .catch((error: unknown) => this.options.logger.warn({ err: error }, 'cursors could not be saved'))
      .finally(() => (this.#saving = null));
    await this.#saving;
  }

  /** A shard whose changes were missed keeps its cursor until its present state is safe. */
  async #save(): Promise<void> {
    const done = this.#run?.window.done ?? oldest([...this.#from.values()]);
    if (!done || done.revision === this.#saved?.revision) return;
    this.#note();
    const recovering = this.#recovery.shards;
    const positions = new Map([...this.#from].filter(([shard]) => !recovering.has(shard)));
    if (positions.size === 0) return;
    this.#sent = false;
    let isSaved = false;
    try {
      isSaved = await this.options.cursors.save(positions);
    } finally {
      // What failed is tried again at the next tick, not after the pause of an idle sink.
      if (!isSaved) this.#sent = true;
    }
    if (!isSaved) return;
    this.#saved = done;
    this.#savedAt = performance.now();
  }
}

function cut({ abort, reading }: Run): void {
  abort.abort();
  reading.abort();
}

function oldest(positions: readonly Position[]): Position | null {
  return positions.reduce<Position | null>(
    (least, one) => (least === null || one.revision < least.revision ? one : least),
    null,
  );
}
