import { Inject, Injectable } from '@nestjs/common';
import { readChange, type ChangeReader, type ChangeTail } from '../../document/change-messages.js';
import { isTombstone, type ShadowState } from '../../document/shadow-document.js';
import { isReadable, type FeedBatch, type FeedRecord, type GapReason } from '../../store/shadow-feed.js';
import type { ShadowRecord } from '../../store/shadow-store.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { TRACER, Tracer } from '../../telemetry/tracer.js';
import { WATCH_HUB, type WatchHub } from '../../watch/subscription.js';
import { MqttBroker } from './broker.js';
import { CurrentDeltas } from './current-deltas.js';
import { PreviousDocuments } from '../previous-documents.js';
import { toldOf } from '../trace-properties.js';
import type { Audience } from './subscriptions/audience.js';

/** Records that may wait for the previous documents of others; beyond that, `documents` messages are left out. */
const MAX_WAITING = 10_000;

/** The first record of a shadow that waits for its previous document, and the later records of that shadow. */
interface Waiting {
  readonly record: ShadowRecord;
  readonly later: ShadowRecord[];
}

/** A delta waits for no previous document: it goes alone then, and the rest later. */
type Part = 'all' | 'delta' | 'rest';

/**
 * Publishes every commit to the subscribers of this node, for each shadow in the order of its versions. It receives every
 * change of the cluster, so it looks for a subscriber before it builds a message.
 */
@Injectable()
export class MqttPublisher {
  readonly #waiting = new Map<string, Waiting>();
  #waitingRecords = 0;
  #revision = 0;
  /** When the last batch came, where anything is traced: milliseconds of the monotonic clock. */
  #arrived = 0;
  #unfollow: (() => void) | null = null;
  @Inject(TRACER) readonly tracer: Tracer = new Tracer();

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
    if (this.tracer.isOn) this.#arrived = this.tracer.now();
    for (const record of records) this.#handle(record);
    this.#revision = position.revision;
  }

  /** One commit may hold changes of a hundred shadows: an error in one of them must not silence the others. */
  #handle(record: FeedRecord): void {
    try {
      // Most records concern nobody here: not even the keys of those are made into strings.
      if (record.thingHash !== undefined && !this.broker.mayConcern(record.thingHash)) return;
      const audience = this.broker.audienceOf(record.key);
      if (audience !== null && isReadable(record)) this.#record(record, audience);
    } catch (error) {
      this.#failed(record, error);
    }
  }

  /** The missed changes are no longer available: devices converge from the current delta. */
  #gap(reason: GapReason): void {
    this.logger.warn({ reason }, 'changes were missed; sending current deltas');
    this.previous.clear();
    this.currentDeltas.sendToAll();
  }

  #record(record: ShadowRecord, audience: Audience): void {
    if (this.#waiting.size === 0 && !audience.has('update/documents'))
      return this.#send(record, undefined, audience, 'all');
    const id = idOf(record);
    const first = this.#waiting.get(id);
    if (first === undefined) return this.#publish(id, record, audience);
    first.later.push(record);
    if (++this.#waitingRecords <= MAX_WAITING) return;
    this.#leftOut('too_many');
    this.logger.warn({ ...record.key, reason: 'too-many-waiting' }, 'documents message left out');
    this.#release(id, first, undefined);
  }

  #leftOut(reason: 'unread' | 'too_many'): void {
    const { documentsLeftOut, leftOut } = this.broker.metrics;
    documentsLeftOut.add(leftOut[reason]);
  }

  #failed({ key, position }: ShadowRecord, error: unknown): void {
    this.logger.error({ ...key, revision: position.revision, err: error }, 'a change was not published');
  }

  #publish(id: string, record: ShadowRecord, audience: Audience): void {
    if (!audience.has('update/documents')) return this.#send(record, undefined, audience, 'all');
    const previous = isTombstone(record.state) ? null : this.previous.before(id, record);
    this.previous.keep(id, record);
    if (previous !== undefined) return this.#send(record, previous, audience, 'all');
    this.#send(record, undefined, audience, 'delta');
    this.#readPrevious(id, record);
  }

  /** Holds up the later records of this shadow, and of no other. */
  #readPrevious(id: string, record: ShadowRecord): void {
    const waiting: Waiting = { record, later: [] };
    this.#waiting.set(id, waiting);
    this.previous.read(record).then(
      (previous) => this.#release(id, waiting, previous),
      (error: unknown) => {
        this.#leftOut('unread');
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
    try {
      const audience = this.broker.audienceOf(record.key);
      if (audience !== null) this.#send(record, previous, audience, 'rest');
    } catch (error) {
      this.#failed(record, error);
    }
    // One of them may wait again; the records after it then join its queue.
    for (const next of later) this.#handle(next);
  }

  #send(record: ShadowRecord, previous: ShadowState | null | undefined, audience: Audience, part: Part): void {
    const delivery = new ChangeDelivery(this.broker, record, audience, part);
    const { tracer } = this;
    const { trace } = record.change;
    if (trace === undefined || !tracer.isOn) return readChange(record, previous, delivery);
    const start = tracer.now();
    readChange(record, previous, delivery);
    const times = { arrived: this.#arrived, start, end: tracer.now() };
    tracer.told({
      trace,
      door: 'mqtt',
      ...times,
      attributes: { ...toldOf(record), 'umbra.messages': delivery.messages },
    });
  }
}

/** The way of one change to its subscribers. */
class ChangeDelivery implements ChangeReader {
  messages = 0;

  constructor(
    private readonly broker: MqttBroker,
    private readonly record: ShadowRecord,
    private readonly audience: Audience,
    private readonly part: Part,
  ) {}

  wants(tail: ChangeTail): boolean {
    return this.audience.has(tail) && (this.part === 'all' || (tail === 'update/delta') === (this.part === 'delta'));
  }

  take(tail: ChangeTail, text: string): void {
    this.messages++;
    this.broker.tell(this.audience, tail, text, this.record);
  }
}

function idOf({ key }: ShadowRecord): string {
  return `${key.tenant}/${key.thing}/${key.name ?? ''}`;
}
