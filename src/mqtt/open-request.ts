import type { Principal } from '../access/principal.js';
import type { Fence, ShadowKey, ShadowRecord } from '../store/shadow-store.js';
import type { RequestTrace } from '../telemetry/request-trace.js';
import { messageOf, type Answer, type AnswerReceiver, type ReceivedRequest } from './answer.js';
import type { MqttOutcome, MqttRequest } from './mqtt-request.js';
import type { Operation } from './topics.js';

/** What open requests ask of the one that opened them. */
export interface OpenRequestHost {
  idOf(number: number): string;
  failed(request: OpenRequest, error: unknown): Answer;
  closed(request: OpenRequest, answer: Answer): void;
}

/** One request from its arrival to its answer: what its handler receives, and what it settles. */
export class OpenRequest implements MqttRequest, MqttOutcome {
  readonly key: ShadowKey;
  #settled = false;

  /** @param start @param deadline milliseconds of the monotonic clock */
  constructor(
    private readonly host: OpenRequestHost,
    readonly received: ReceivedRequest,
    private readonly receiver: AnswerReceiver,
    private readonly number: number,
    readonly start: number,
    readonly deadline: number,
  ) {
    this.key = received.key;
  }

  get operation(): Operation {
    return this.received.request.operation;
  }

  get payload(): Buffer {
    return this.received.payload;
  }

  get principal(): Principal {
    return this.received.principal;
  }

  get clientId(): string {
    return this.received.clientId;
  }

  get signal(): AbortSignal | undefined {
    return this.received.writeOptions?.signal;
  }

  get fence(): Fence | undefined {
    return this.received.writeOptions?.fence;
  }

  /** Null: it is not traced. */
  trace: RequestTrace | null = null;

  get requestId(): string {
    return this.host.idOf(this.number);
  }

  /** @param text the message of `{operation}/accepted` */
  accepted(text: string): void {
    this.settle({ outcome: 'accepted', message: messageOf(this.received.topic, 'accepted', text), revision: 0 });
  }

  committed({ position }: Pick<ShadowRecord, 'position'>): void {
    this.settle({ outcome: 'accepted', message: null, revision: position.revision });
  }

  failed(error: unknown): void {
    this.settle(this.host.failed(this, error));
  }

  /** Ends the request with its answer; later calls have no effect. */
  settle(answer: Answer): void {
    if (this.#settled) return;
    this.#settled = true;
    this.host.closed(this, answer);
    this.receiver.answered(answer, this.trace);
  }
}
