import type { InFlightPlaces } from '../../../access/in-flight-limits.js';
import type { Principal } from '../../../access/principal.js';
import type { ServiceError } from '../../../errors/service-error.js';
import { KnownShadow } from '../../../store/known-shadow.js';
import type { Fence } from '../../../store/shadow-store.js';
import type { RequestTrace } from '../../../telemetry/request-trace.js';
import type { TraceHeaders } from '../../../telemetry/trace-context.js';
import type { Answer, AnswerReceiver, ReceivedRequest } from '../../answer.js';
import type { Acknowledgement } from '../../request-queue.js';
import { parseRequestTopic, type RequestTopic } from '../../topics.js';
import { RememberedDecision } from '../gates/remembered-decision.js';
import type { Properties } from '../packets/packet.js';
import type { PacketWriter } from '../packets/packet-writer.js';
import { REASON } from '../packets/reason-codes.js';
import { Reply } from './reply.js';

const NO_BYTES = Buffer.alloc(0);

/** A topic with what it stands for: clients say the same one again and again. */
export class Route {
  /** null: it is no request. */
  readonly request: RequestTopic | null;
  /** null: it is no request. */
  readonly key: KnownShadow | null;
  /** That its client may publish to it. */
  readonly publishing = new RememberedDecision();

  constructor(
    readonly topic: string,
    tenant: string,
  ) {
    const request = parseRequestTopic(topic);
    this.request = request;
    this.key = request && new KnownShadow(tenant, request.thing, request.name);
  }
}

/** Who sent a request, and hears once how it ended. */
export interface RequestOwner {
  readonly clientId: string;
  readonly principal: Principal;
  /** IP address of the client. */
  readonly address: string;
  settled(request: IncomingRequest, how: Acknowledgement): void;
  /** It has thrown as it heard that: whoever waits for an acknowledgement must not wait for ever. */
  fail(error: unknown): void;
}

/** Answers one request, and settles it once; never throws. */
export type RequestHandler = (request: IncomingRequest) => void;

/** One published message from its arrival to its PUBACK, which it writes itself. */
export class IncomingRequest extends Reply implements ReceivedRequest, AnswerReceiver {
  outcome: Acknowledgement | null = null;
  /** Why it is unpublishable, where its topic does not say it. */
  refusal: ServiceError | null = null;
  /** Who hears its answer; set by who has it answered. */
  onAnswered: ((request: IncomingRequest, answer: Answer) => void) | null = null;
  /** Where it counts as in flight; null: nowhere. */
  places: InFlightPlaces | null = null;
  /** Set where its write depends on the record of its connection. */
  writeOptions: { readonly fence: Fence } | undefined = undefined;
  /** What its client says of its trace; null: nothing. */
  traceHeaders: TraceHeaders | null = null;
  #payload: Buffer;

  /** @param payload unless it is forwarded, it may be bytes of a read buffer, until `handled` */
  constructor(
    readonly owner: RequestOwner,
    readonly route: Route,
    payload: Buffer,
    readonly qos: 0 | 1,
    /** 0 with QoS 0. */
    readonly packetId: number,
    /** Whether somebody is subscribed to its topic; who subscribes while it is answered gets later ones. */
    readonly isForwarded: boolean,
  ) {
    super();
    this.#payload = payload;
  }

  get payload(): Buffer {
    return this.#payload;
  }

  get topic(): string {
    return this.route.topic;
  }

  /** @throws Error when its topic is none of a request */
  get request(): RequestTopic {
    return present(this.route.request);
  }

  /** @throws Error when its topic is none of a request */
  get key(): KnownShadow {
    return present(this.route.key);
  }

  get principal(): Principal {
    return this.owner.principal;
  }

  get clientId(): string {
    return this.owner.clientId;
  }

  /** Keeps what its properties say of a trace. */
  carries({ traceparent, tracestate = '' }: Readonly<Properties>): void {
    if (traceparent !== undefined) this.traceHeaders = { traceparent, tracestate };
  }

  /** Its handler has returned, and the read buffer is about to change. */
  handled(): void {
    if (!this.isForwarded) this.#payload = NO_BYTES;
  }

  answered(answer: Answer, trace: RequestTrace | null): void {
    this.traceId = trace?.traceId ?? null;
    this.onAnswered?.(this, answer);
  }

  settle(how: Acknowledgement): void {
    if (this.outcome !== null) return;
    this.outcome = how;
    try {
      this.owner.settled(this, how);
    } catch (error) {
      this.owner.fail(error);
    }
  }

  write(writer: PacketWriter): void {
    writer.puback(this.packetId, REASONS[this.outcome ?? 'done'] ?? REASON.success);
  }
}

const REASONS: Readonly<Partial<Record<Acknowledgement, number>>> = {
  unpublishable: REASON.notAuthorized,
  excessive: REASON.quotaExceeded,
};

function present<T>(part: T | null): T {
  if (part === null) throw new Error('this topic is none of a request');
  return part;
}
