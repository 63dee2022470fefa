import { setTimeout as pause } from 'node:timers/promises';
import { sameHistory, type Position } from '../store/position.js';
import { FeedGap, type ShadowFeed } from '../store/shadow-feed.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { Logger } from '../telemetry/logger.js';
import type { SinkCursors } from './sink-cursors.js';
import { InFlightWindow } from './in-flight-window.js';
import type { Sink } from './sink.js';

export interface SinkRunnerOptions {
  readonly feed: ShadowFeed;
  readonly cursors: SinkCursors;
  readonly sink: Sink;
  readonly shardOf: (record: ShadowRecord) => string;
  /** Whose shadows are sent; an output has no place for the tenant. */
  readonly tenants: readonly string[];
  /** Changes that may be on their way to the sink at once; then the feed is not read, and etcd waits. */
  readonly maxInFlight: number;
  readonly logger: Logger;
}

/** Milliseconds between two saves of the cursors: what a node that dies makes another one send again. */
const SAVE_MS = 500;
/** Milliseconds after which a cursor is moved although nothing was sent: it must not fall behind the compaction. */
const IDLE_SAVE_MS = 60_000;
/** Milliseconds for what is in flight when shards are given up; the rest is sent again by the next holder. */
const SETTLE_MS = 3_000;
/** Milliseconds for the present state to arrive after a hole. */
const RECOVER_MS = 60_000;
/** Milliseconds before a feed that failed is asked again. */
const RETRY_MS = 500;

/** One reading of the feed, from the oldest cursor of the shards that are held. */
interface Run {
  readonly abort: AbortController;
  window: InFlightWindow;
  ended: Promise<void>;
}

/**
 * Sends the changes of the shards that this node holds to a sink: at least once, in order, from a cursor in etcd per
 * shard, so that what one node could not send any more another one does. Receivers drop by version what comes again.
 * All shards share one reading of the feed; when the node takes or gives up some, it is opened anew.
 */
export class SinkRunner {
  /** Shard to the position from which on it is sent; what lies before another holder has sent. */
  readonly #from = new Map<string, Position>();
  #run: Run | null = null;
  #turn: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> | null = null;
  #sent = false;
  #savedAt = 0;
  #saved: Position | null = null;
  #trouble: string | null = null;

  constructor(private readonly options: SinkRunnerOptions) {}

  get health(): { readonly ok: boolean; readonly reason: string } {
    const { size } = this.#from;
    return this.#trouble === null
      ? { ok: true, reason: `sends ${size} parts` }
      : { ok: false, reason: `the feed of the sink: ${this.#trouble}` };
  }

  take(shards: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      // First: when etcd is away, what is held already goes on.
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
      for (const shard of shards) this.#from.delete(shard);
      this.#begin();
    });
  }

  /** Resolves when everything up to `revision` is safe in the sink, or after `limitMs`. */
  async reached(revision: number, limitMs: number): Promise<void> {
    await this.#run?.window.reached(revision, limitMs);
  }

  lose(shards: readonly string[]): void {
    for (const shard of shards) this.#from.delete(shard);
    if (this.#from.size === 0) this.#run?.abort.abort();
  }

  /** Changes of what is held, one after the other. */
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
    const window = new InFlightWindow(start, this.options.maxInFlight, abort.signal);
    const run: Run = { abort, window, ended: Promise.resolve() };
    run.ended = this.#follow(run);
    this.#run = run;
    this.#saved = null;
    this.#timer = setInterval(() => void this.#tick(), SAVE_MS).unref();
  }

  /** Nothing new goes out; what is on its way gets a moment, so that the next reading does not repeat it. */
  async #end(): Promise<void> {
    const run = this.#run;
    if (!run) return;
    clearInterval(this.#timer);
    run.abort.abort();
    await run.ended;
    await run.window.settled(SETTLE_MS);
    await this.#saving;
    this.#note();
    this.#run = null;
  }

  /** Moves what is known of the shards up to what is safe. */
  #note(): void {
    const done = this.#run?.window.done;
    if (!done) return;
    for (const [shard, from] of this.#from) {
      if (!sameHistory(from, done) || from.revision < done.revision) this.#from.set(shard, done);
    }
  }

  async #follow(run: Run): Promise<void> {
    const { signal } = run.abort;
    const { feed, logger } = this.options;
    while (!signal.aborted) {
      try {
        if (!this.#isOneHistory()) throw new FeedGap('epoch-changed');
        this.#trouble = null;
        for await (const { position, records } of feed.after(run.window.done, signal)) {
          for (const record of records) {
            if (!this.#isDue(record)) continue;
            await run.window.room();
            if (signal.aborted) return;
            this.#sent = true;
            run.window.add(position, this.options.sink.deliver(record));
          }
          run.window.whole(position);
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#trouble = error instanceof Error ? error.message : String(error);
        logger.warn({ reason: this.#trouble }, 'a sink cannot follow the store; trying again');
        if (error instanceof FeedGap)
          await this.#recover(run).catch((reason: unknown) => (this.#trouble = String(reason)));
        // Only what is safe has been passed, so what is still on its way would be sent twice by the next reading.
        await run.window.settled(SETTLE_MS, true);
        await pause(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #isDue(record: ShadowRecord): boolean {
    if (!this.options.tenants.includes(record.key.tenant)) return false;
    const from = this.#from.get(this.options.shardOf(record));
    return from !== undefined && (!sameHistory(from, record.position) || record.position.revision > from.revision);
  }

  #isOneHistory(): boolean {
    const [first, ...others] = this.#from.values();
    return first === undefined || others.every((other) => sameHistory(first, other));
  }

  /** The changes since the cursors are not to be had: the present state is sent, and then what follows it. */
  async #recover(run: Run): Promise<void> {
    const { feed, sink, tenants, maxInFlight, logger } = this.options;
    const { signal } = run.abort;
    let start: Position | null = null;
    let sent = 0;
    for (const tenant of tenants) {
      const base = await feed.base({ tenant }, signal);
      start ??= base.position;
      for await (const record of base.records) {
        if (!this.#from.has(this.options.shardOf(record))) continue;
        await run.window.room();
        if (signal.aborted) return;
        run.window.add(start, sink.converge(record));
        sent++;
      }
    }
    if (start === null) return;
    if (!(await run.window.settled(RECOVER_MS, true))) throw new Error('the present deltas are not safe yet');
    for (const shard of this.#from.keys()) this.#from.set(shard, start);
    run.window = new InFlightWindow(start, maxInFlight, signal);
    this.#sent = true;
    logger.warn({ sent, position: start }, 'changes were missed; the present deltas were sent instead');
  }

  async #tick(): Promise<void> {
    if (this.#saving) return;
    const idle = !this.#sent && performance.now() - this.#savedAt < IDLE_SAVE_MS;
    if (idle) return;
    this.#saving = this.#save()
      .catch((error: unknown) => this.options.logger.warn({ err: error }, 'cursors could not be saved'))
      .finally(() => (this.#saving = null));
    await this.#saving;
  }

  async #save(): Promise<void> {
    const done = this.#run?.window.done ?? oldest([...this.#from.values()]);
    if (!done || this.#from.size === 0 || done.revision === this.#saved?.revision) return;
    this.#note();
    this.#sent = false;
    const positions = new Map(this.#from);
    if (await this.options.cursors.save(positions)) {
      this.#saved = done;
      this.#savedAt = performance.now();
    } else this.#sent = true;
  }
}

function oldest(positions: readonly Position[]): Position | null {
  return positions.reduce<Position | null>(
    (least, one) => (least === null || one.revision < least.revision ? one : least),
    null,
  );
}
