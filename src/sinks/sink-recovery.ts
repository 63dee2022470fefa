import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Signal } from '../resilience/signal.js';
import type { Position } from '../store/position.js';
import { PresenceUpdate } from '../store/presence-update.js';
import type { ShadowFeed, ShadowFilter } from '../store/shadow-feed.js';
import type { ShadowKey, ShadowRecord } from '../store/shadow-store.js';
import type { Logger } from '../telemetry/logger.js';
import { reasonOf } from '../telemetry/reason.js';
import type { ContentFilter, KeyFilter } from '../watch/watch-filter.js';
import type { Sink } from './sink.js';

export interface RecoveryOptions {
  readonly feed: ShadowFeed;
  readonly sink: Sink;
  readonly shardOf: (record: ShadowRecord) => string;
  readonly tenants: readonly string[];
  /** Which of their shadows are sent; absent: all. */
  readonly filter?:
    | {
        readonly key: KeyFilter | null;
        readonly content: ContentFilter | null;
        readonly presence?: ShadowFilter['presence'];
      }
    | undefined;
  /** Records of the present state that may be on their way to the sink at once. */
  readonly maxInFlight: number;
  readonly logger: Logger;
  /** Called when everything of these shards is safe in the sink: their cursors may move again. */
  readonly onRecovered: (shards: readonly string[]) => void;
}

/** What is on its way of the present state of a shard. */
interface Sending {
  /** Ends when this node does not send the shard any more. */
  readonly reading: AbortController;
  /** Records that were handed to the sink and are not safe there. */
  open: number;
}

/** Shards whose changes were missed, and how far their present state has been sent. */
interface Hole {
  readonly shards: Map<string, Sending>;
  /** Changes after this position come with the live feed. */
  readonly since: Position;
  /** Index of the tenant that is read. */
  tenant: number;
  /** The last record of that tenant that was read; null: none yet. */
  after: ShadowKey | null;
  sent: number;
}

/** Records after which the rest is read as of a new position; bounds what is remembered of live changes. */
const CHUNK = 5_000;
/** Milliseconds before a base that failed is continued. */
const RETRY_MS = 500;

/**
 * Sends the present state of shards whose changes were missed, beside the live changes. Every failure continues after the
 * last record, as of a new position: recovery makes progress however short the store's history is. A shadow that a live
 * change has reached meanwhile is left out, so that the versions of one shadow leave in their order.
 */
export class SinkRecovery {
  #holes: Hole[] = [];
  /** Shadows that live changes have reached since the base that is read now. */
  readonly #live = new Set<string>();
  readonly #changed = new Signal();
  /** Of all shards that are still sent. */
  #open = 0;

  constructor(private readonly options: RecoveryOptions) {}

  /** Shards whose cursors must not move. */
  get shards(): ReadonlySet<string> {
    return new Set(this.#holes.flatMap(({ shards }) => [...shards.keys()]));
  }

  /** The changes of `shards` up to `since` were missed; those after it are sent as live changes. */
  begin(shards: readonly string[], since: Position): void {
    this.drop(shards);
    // A hole without shards would be read without end: nothing of it is ever due.
    if (shards.length === 0) return;
    const sending = new Map(shards.map((shard) => [shard, begun()]));
    this.#holes.push({ shards: sending, since, tenant: 0, after: null, sent: 0 });
    this.#changed.notify();
  }

  /** This node does not send `shards` any more. What is on its way of them is not waited for. */
  drop(shards: readonly string[]): void {
    for (const hole of this.#holes) for (const shard of shards) this.#dropOf(hole, shard);
    this.#holes = this.#holes.filter((hole) => hole.shards.size > 0);
    this.#changed.notify();
  }

  #dropOf({ shards }: Hole, shard: string): void {
    const sending = shards.get(shard);
    if (!sending) return;
    shards.delete(shard);
    this.#open -= sending.open;
    sending.reading.abort();
  }

  /** Call it before a live change is handed to the sink. */
  passed(record: ShadowRecord): void {
    if (this.#holes.length > 0) this.#live.add(idOf(record));
  }

  /** Works until `signal`; a later call continues. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const [hole] = this.#holes;
      if (!hole) await this.#changed.next({ signal });
      else if (hole.tenant < this.options.tenants.length) await this.#step(hole, signal);
      else if (this.#open > 0) await this.#changed.next({ signal });
      else this.#close(hole);
    }
  }

  async #step(hole: Hole, signal: AbortSignal): Promise<void> {
    try {
      await this.#send(hole, signal);
    } catch (error) {
      if (signal.aborted) return;
      const reason = reasonOf(error);
      this.options.logger.warn({ reason, sent: hole.sent }, 'the present state cannot be read; continuing after it');
      await pause(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** At most one chunk: the rest of the tenant is read as of a later position. */
  async #send(hole: Hole, signal: AbortSignal): Promise<void> {
    const { feed, tenants } = this.options;
    const tenant = tenants[hole.tenant] as string;
    // Before the position is asked for: a live change that is not in the base must be remembered.
    this.#live.clear();
    const resume = hole.after && { position: await feed.head(signal), after: hole.after };
    const { records } = await feed.base(
      { tenant, presence: this.options.filter?.presence },
      signal,
      ...(resume ? [resume] : []),
    );
    let count = 0;
    for await (const record of records) {
      await this.#changed.until(() => this.#open < this.options.maxInFlight, { signal });
      if (signal.aborted || hole.shards.size === 0) return;
      const sending = this.#isDue(hole, record) ? hole.shards.get(this.options.shardOf(record)) : undefined;
      if (sending) this.#converge(hole, sending, record);
      hole.after = record.key;
      if (++count === CHUNK) return;
    }
    if (signal.aborted) return;
    hole.tenant++;
    hole.after = null;
  }

  #isDue(hole: Hole, record: ShadowRecord): boolean {
    const { shardOf, filter } = this.options;
    if (!hole.shards.has(shardOf(record)) || filter?.key?.(record.key) === false) return false;
    if (!(record instanceof PresenceUpdate) && filter?.content?.(record, 'initial') === false) return false;
    // A record from after the hole comes, or came, as a live change.
    return record.position.revision <= hole.since.revision && !this.#live.has(idOf(record));
  }

  #converge(hole: Hole, sending: Sending, record: ShadowRecord): void {
    const { signal } = sending.reading;
    this.#open++;
    sending.open++;
    hole.sent++;
    void this.options.sink.converge(record, signal).then(() => {
      // It was left out of the count when its shard was dropped.
      if (signal.aborted) return;
      this.#open--;
      sending.open--;
      this.#changed.notify();
    });
  }

  #close(hole: Hole): void {
    this.#holes = this.#holes.filter((each) => each !== hole);
    if (this.#holes.length === 0) this.#live.clear();
    const shards = [...hole.shards.keys()];
    // Nothing is on its way: sinks forget what they keep for these readings.
    for (const { reading } of hole.shards.values()) reading.abort();
    const { sent, since } = hole;
    this.options.logger.warn(
      { sent, shards, position: since },
      'changes were missed; the present state was sent instead',
    );
    this.options.onRecovered(shards);
  }
}

function begun(): Sending {
  const reading = new AbortController();
  // Each record on its way may wait for it.
  setMaxListeners(0, reading.signal);
  return { reading, open: 0 };
}

function idOf({ key }: ShadowRecord): string {
  return `${key.tenant}/${key.thing}/${key.name ?? ''}`;
}
