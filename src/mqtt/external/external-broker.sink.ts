import { setTimeout as pause } from 'node:timers/promises';
import { readChange, type ChangeTail } from '../../document/change-messages.js';
import { isTombstone, type ChangeTrace, type ShadowState } from '../../document/shadow-document.js';
import { ServiceError } from '../../errors/service-error.js';
import type { PreviousDocuments } from '../previous-documents.js';
import { shadowTopic } from '../topics.js';
import { toldOf } from '../trace-properties.js';
import type { ShadowRecord } from '../../store/shadow-store.js';
import type { Logger } from '../../telemetry/logger.js';
import type { Tracer } from '../../telemetry/tracer.js';
import type { Sink } from '../../sinks/sink.js';

/** Publishes in the order of the calls; resolves when the broker has it, and does not reject. */
export interface SafePublisher {
  publish(topic: string, payload: string, over?: AbortSignal, trace?: ChangeTrace): Promise<void>;
}

/** null: there was none; undefined: no documents message. */
type Previous = ShadowState | null | undefined;
const UNREAD = Symbol('unread');

/** Milliseconds until a previous document that the storage could not give is asked for again. */
const RETRY_MS = 500;

/**
 * delta, documents and accepted on the topics of an external broker. Who is subscribed there is not known, so everything
 * is published. Of one shadow, one change waits for the other when a document has to be read; other shadows go on.
 */
export class ExternalBrokerSink implements Sink {
  readonly #busy = new Map<string, Promise<void>>();

  constructor(
    private readonly publisher: SafePublisher,
    private readonly previous: PreviousDocuments,
    /** Whether update/documents is published. */
    private readonly documents: boolean,
    private readonly logger: Logger,
    private readonly signal: AbortSignal,
    /** Asked for each change that has a trace. */
    private readonly tracerOf: () => Tracer | null = () => null,
  ) {}

  deliver(record: ShadowRecord): Promise<void> {
    const id = idOf(record);
    const before = this.#busy.get(id);
    const previous = before ? UNREAD : this.#known(id, record);
    if (previous !== UNREAD) return this.#messages(record, previous);
    const turn = (before ?? Promise.resolve()).then(() => this.#inTurn(id, record));
    this.#busy.set(id, turn);
    return turn.finally(() => {
      if (this.#busy.get(id) === turn) this.#busy.delete(id);
    });
  }

  converge(record: ShadowRecord): Promise<void> {
    if (isTombstone(record.state)) return Promise.resolve();
    this.previous.keep(idOf(record), record);
    // What is told is what holds now, long after the request.
    return this.#send(record, undefined, (tail) => tail === 'update/delta', undefined);
  }

  #known(id: string, record: ShadowRecord): Previous | typeof UNREAD {
    if (isTombstone(record.state) || !this.documents) return undefined;
    const previous = this.previous.before(id, record);
    if (previous === undefined) return UNREAD;
    this.previous.keep(id, record);
    return previous;
  }

  async #inTurn(id: string, record: ShadowRecord): Promise<void> {
    const known = this.#known(id, record);
    if (known !== UNREAD) return this.#messages(record, known);
    const read = await this.#read(record);
    this.previous.keep(id, record);
    return this.#messages(record, read);
  }

  #messages(record: ShadowRecord, previous: Previous): Promise<void> {
    if (isTombstone(record.state) && this.documents) this.previous.keep(idOf(record), record);
    return this.#send(record, previous, () => true, record.change.trace);
  }

  /** undefined when the history does not have it any more. */
  async #read(record: ShadowRecord): Promise<Previous> {
    while (!this.signal.aborted) {
      try {
        return await this.previous.read(record);
      } catch (error) {
        const gone = !(error instanceof ServiceError) || error.code === 'cursorGone' || error.code === 'draining';
        const where = { ...record.key, version: record.state.version, err: error };
        if (gone) {
          this.logger.warn(where, 'documents message left out');
          return undefined;
        }
        await pause(RETRY_MS, undefined, { signal: this.signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  async #send(
    record: ShadowRecord,
    previous: Previous,
    wants: (tail: ChangeTail) => boolean,
    trace: ChangeTrace | undefined,
  ): Promise<void> {
    const base = shadowTopic(record.key);
    const tracer = trace === undefined ? null : this.tracerOf();
    const start = tracer?.now() ?? 0;
    const sent: Promise<void>[] = [];
    const take = (tail: ChangeTail, text: string): void => {
      sent.push(this.publisher.publish(`${base}/${tail}`, text, undefined, trace));
    };
    readChange(record, previous, { wants, take });
    await Promise.all(sent);
    if (trace === undefined || !tracer?.isOn) return;
    const times = { arrived: start, start, end: tracer.now() };
    const attributes = { ...toldOf(record), 'umbra.messages': sent.length };
    tracer.told({ trace, door: 'external', ...times, attributes });
  }
}

function idOf({ key }: ShadowRecord): string {
  return `${key.tenant}/${key.thing}/${key.name ?? ''}`;
}
