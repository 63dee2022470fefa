import { Inject, Injectable } from '@nestjs/common';
import { deleteAccepted, deltaMessage, documentsMessage, updateAccepted } from '../../document/messages.js';
import { isTombstone, type ShadowDocument, type ShadowState } from '../../document/shadow-document.js';
import type { FeedBatch, GapReason } from '../../store/shadow-feed.js';
import type { ShadowRecord } from '../../store/shadow-store.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { WATCH_HUB, type WatchHub } from '../../watch/subscription.js';
import { MqttBroker } from './broker.js';
import { CurrentDeltas } from './current-deltas.js';
import { PreviousDocuments } from '../previous-documents.js';
import { shadowTopic, type Tail } from '../topics.js';

/** Records that may wait for the previous documents of others; more go out without a `documents` message. */
const MAX_WAITING = 10_000;

/** The first record of a shadow that waits for its previous document, and those that came behind it. */
interface Waiting {
  readonly record: ShadowRecord;
  readonly behind: ShadowRecord[];
}

/**
 * Tells the subscribers of this node what was committed: delta, documents, accepted, in that order, and those of one
 * shadow in the order of its versions. It hears every change of the cluster, so it looks for a subscriber before it
 * builds a message.
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

  /** Everything up to here has been told, in full. */
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
    for (const record of records) this.#record(record);
    this.#revision = position.revision;
  }

  /** What happened in between is not to be had: devices converge from the current delta. */
  #gap(reason: GapReason): void {
    this.logger.warn({ reason }, 'changes were missed; sending current deltas');
    this.previous.clear();
    this.currentDeltas.sendToAll();
  }

  #record(record: ShadowRecord): void {
    const id = idOf(record);
    const first = this.#waiting.get(id);
    if (first === undefined) return this.#tellSafely(id, record);
    first.behind.push(record);
    if (++this.#waitingRecords <= MAX_WAITING) return;
    this.logger.warn({ ...record.key, reason: 'too-many-waiting' }, 'documents message left out');
    this.#release(id, first, undefined);
  }

  /** One commit may hold changes of a hundred shadows: what is wrong with one must not silence the others. */
  #tellSafely(id: string, record: ShadowRecord): void {
    try {
      this.#tell(id, record);
    } catch (error) {
      this.logger.error({ ...record.key, version: record.state.version, err: error }, 'a change could not be told');
    }
  }

  #tell(id: string, record: ShadowRecord): void {
    const { key, state, change } = record;
    const base = shadowTopic(key);
    if (isTombstone(state)) {
      if (this.#wants(base, 'update/documents')) this.previous.keep(id, record);
      if (this.#wants(base, 'delete/accepted'))
        this.#send(record, base, 'delete/accepted', deleteAccepted(state, change));
      return;
    }
    if (this.#wants(base, 'update/delta')) {
      const delta = deltaMessage(state, change);
      if (delta !== null) this.#send(record, base, 'update/delta', delta);
    }
    if (!this.#wants(base, 'update/documents')) return this.#accepted(record, state, base);
    const previous = this.previous.before(id, record);
    this.previous.keep(id, record);
    if (previous === undefined) return this.#readPrevious(id, record);
    this.#documents(record, state, base, previous);
    this.#accepted(record, state, base);
  }

  #documents(record: ShadowRecord, state: ShadowDocument, base: string, previous: ShadowState | null): void {
    this.#send(record, base, 'update/documents', documentsMessage(previous, state, record.change));
  }

  #accepted(record: ShadowRecord, state: ShadowDocument, base: string): void {
    if (!this.#wants(base, 'update/accepted')) return;
    this.#send(record, base, 'update/accepted', updateAccepted(state, record.change));
  }

  /** Only this shadow waits; the others go on. */
  #readPrevious(id: string, record: ShadowRecord): void {
    const waiting: Waiting = { record, behind: [] };
    this.#waiting.set(id, waiting);
    this.previous.read(record).then(
      (previous) => this.#release(id, waiting, previous),
      (error: unknown) => {
        this.logger.warn({ ...record.key, version: record.state.version, err: error }, 'documents message left out');
        this.#release(id, waiting, undefined);
      },
    );
  }

  /** @param previous undefined: it could not be had, and the message is left out */
  #release(id: string, waiting: Waiting, previous: ShadowState | null | undefined): void {
    // It was released before, because too many waited.
    if (this.#waiting.get(id) !== waiting) return;
    this.#waiting.delete(id);
    this.#waitingRecords -= waiting.behind.length;
    const { record, behind } = waiting;
    const base = shadowTopic(record.key);
    const state = record.state as ShadowDocument;
    if (previous !== undefined) this.#documents(record, state, base, previous);
    this.#accepted(record, state, base);
    // One of them may wait again; then those behind it join its queue.
    for (const next of behind) this.#record(next);
  }

  #wants(base: string, tail: Tail): boolean {
    return this.broker.wants(`${base}/${tail}`, tail !== 'update/delta' || this.broker.keepsDeltas);
  }

  #send({ key, position }: ShadowRecord, base: string, tail: Tail, body: unknown): void {
    const message = { tenant: key.tenant, topic: `${base}/${tail}`, payload: Buffer.from(JSON.stringify(body)) };
    this.broker.send(tail === 'update/delta' ? { ...message, revision: position.revision } : message);
  }
}

function idOf({ key }: ShadowRecord): string {
  return `${key.tenant}/${key.thing}/${key.name ?? ''}`;
}
