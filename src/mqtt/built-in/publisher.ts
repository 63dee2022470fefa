import { Inject, Injectable } from '@nestjs/common';
import { CHANGE_TAILS, changeMessages, type ChangeTail } from '../../document/change-messages.js';
import { isTombstone, type ShadowState } from '../../document/shadow-document.js';
import { isReadable, type FeedBatch, type GapReason } from '../../store/shadow-feed.js';
import type { ShadowRecord } from '../../store/shadow-store.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { WATCH_HUB, type WatchHub } from '../../watch/subscription.js';
import { MqttBroker } from './broker.js';
import { CurrentDeltas } from './current-deltas.js';
import { PreviousDocuments } from '../previous-documents.js';
import { shadowTopic } from '../topics.js';

/** Records that may wait for the previous documents of others; beyond that, `documents` messages are left out. */
const MAX_WAITING = 10_000;

/** The first record of a shadow that waits for its previous document, and the later records of that shadow. */
interface Waiting {
  readonly record: ShadowRecord;
  readonly later: ShadowRecord[];
}

/** The topics of a change that have subscribers here. */
type Wanted = readonly ChangeTail[];
const NONE: Wanted = [];

/** A delta waits for no previous document. */
const isDelta = (tail: ChangeTail): boolean => tail === 'update/delta';

/**
 * Publishes every commit to the subscribers of this node, for each shadow in the order of its versions. It receives every
 * change of the cluster, so it looks for a subscriber before it builds a message.
 */
@Injectable()
export class MqttPublisher {
  readonly #waiting = new Map<string, Waiting>();
  #waitingRecords = 0;
  #revision = 0;
  #unfollow: (() => void) | null = null;

  constructor(
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(WATCH_HUB) private readonly hub: WatchHub,
    @Inject(MqttBroker) private readonly broker: MqttBroker,
    @Inject(CurrentDeltas) private readonly currentDeltas: CurrentDeltas,
    @Inject(PreviousDocuments) private readonly previous: PreviousDocuments,
  ) {}

  /** Every commit up to this revision is published in full. */
  get revision(): number {
    let revision = this.#revision;
    for (const { record } of this.#waiting.values()) revision = Math.min(revision, record.position.revision - 1);
    return revision;
  }

  start(): void {
    this.currentDeltas.start();
    this.#unfollow = this.hub.follow({
      batch: (batch) => this.#batch(batch),
      gap: (reason) => this.#gap(reason),
    });
  }

  stop(): void {
    this.#unfollow?.();
    this.currentDeltas.stop();
  }

  #batch({ position, records }: FeedBatch): void {
    // Most records concern nobody here: those are not even parsed.
    for (const record of records) {
      const wanted = this.#wantedOf(record);
      if (wanted.length > 0 && isReadable(record)) this.#record(record, wanted);
    }
    this.#revision = position.revision;
  }

  #wantedOf(record: ShadowRecord): Wanted {
    try {
      if (!this.broker.mayWant(record.key.thing)) return NONE;
      const base = shadowTopic(record.key);
      return CHANGE_TAILS.filter((tail) => this.broker.wants(`${base}/${tail}`));
    } catch (error) {
      this.#failed(record, error);
      return NONE;
    }
  }

  /** The missed changes are no longer available: devices converge from the current delta. */
  #gap(reason: GapReason): void {
    this.logger.warn({ reason }, 'changes were missed; sending current deltas');
    this.previous.clear();
    this.currentDeltas.sendToAll();
  }

  #record(record: ShadowRecord, wanted: Wanted): void {
    if (this.#waiting.size === 0 && !wanted.includes('update/documents'))
      return this.#safely(record, () => this.#send(record, undefined, wanted));
    const id = idOf(record);
    const first = this.#waiting.get(id);
    if (first === undefined) return this.#safely(record, () => this.#publish(id, record, wanted));
    first.later.push(record);
    if (++this.#waitingRecords <= MAX_WAITING) return;
    this.logger.warn({ ...record.key, reason: 'too-many-waiting' }, 'documents message left out');
    this.#release(id, first, undefined);
  }

  /** One commit may hold changes of a hundred shadows: an error in one of them must not silence the others. */
  #safely(record: ShadowRecord, publish: () => void): void {
    try {
      publish();
    } catch (error) {
      this.#failed(record, error);
    }
  }

  #failed({ key, position }: ShadowRecord, error: unknown): void {
    this.logger.error({ ...key, revision: position.revision, err: error }, 'a change was not published');
  }

  #publish(id: string, record: ShadowRecord, wanted: Wanted): void {
    if (!wanted.includes('update/documents')) return this.#send(record, undefined, wanted);
    const previous = isTombstone(record.state) ? null : this.previous.before(id, record);
    this.previous.keep(id, record);
    if (previous !== undefined) return this.#send(record, previous, wanted);
    this.#send(record, undefined, wanted.filter(isDelta));
    this.#readPrevious(id, record);
  }

  /** Holds up the later records of this shadow, and of no other. */
  #readPrevious(id: string, record: ShadowRecord): void {
    const waiting: Waiting = { record, later: [] };
    this.#waiting.set(id, waiting);
    this.previous.read(record).then(
      (previous) => this.#release(id, waiting, previous),
      (error: unknown) => {
        this.logger.warn({ ...record.key, version: record.state.version, err: error }, 'documents message left out');
        this.#release(id, waiting, undefined);
      },
    );
  }

  /** @param previous undefined: it could not be read, and the `documents` message is left out */
  #release(id: string, waiting: Waiting, previous: ShadowState | null | undefined): void {
    // Already released, because too many records waited.
    if (this.#waiting.get(id) !== waiting) return;
    this.#waiting.delete(id);
    this.#waitingRecords -= waiting.later.length;
    const { record, later } = waiting;
    const rest = this.#wantedOf(record).filter((tail) => !isDelta(tail));
    this.#safely(record, () => this.#send(record, previous, rest));
    // One of them may wait again; the records after it then join its queue.
    for (const next of later) this.#record(next, this.#wantedOf(next));
  }

  #send(record: ShadowRecord, previous: ShadowState | null | undefined, wanted: Wanted): void {
    const { key, position } = record;
    const base = shadowTopic(key);
    for (const [tail, payload] of changeMessages(record, previous, (each) => wanted.includes(each))) {
      const message = { tenant: key.tenant, topic: `${base}/${tail}`, payload };
      this.broker.send(isDelta(tail) ? { ...message, revision: position.revision } : message);
    }
  }
}

function idOf({ key }: ShadowRecord): string {
  return `${key.tenant}/${key.thing}/${key.name ?? ''}`;
}
