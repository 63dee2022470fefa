import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { Principal } from '../access/principal.js';
import { CONFIG, type Config } from '../config/config.js';
import { rejectedText } from '../document/message-texts.js';
import { parseClientToken } from '../document/parse-request.js';
import type { ServiceErrorCode } from '../errors/error-table.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import type { RequestOptions } from '../store/shadow-store.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import type { MqttHandler, MqttRequest, MqttResult } from './mqtt-request.js';
import { RequestHandlers } from './request-handlers.js';
import { isWithinLimits, type Operation, type RequestTopic } from './topics.js';

/** One published request, as a door hands it over. */
export interface ReceivedRequest {
  readonly topic: string;
  /** `topic`, parsed. */
  readonly request: RequestTopic;
  readonly payload: Buffer;
  readonly principal: Principal;
  readonly clientId: string;
  /** The conditions without which a change of this request must not count. */
  readonly writeOptions?: Omit<RequestOptions, 'deadline'>;
}

/** A message that the door must publish. */
export interface AnswerMessage {
  readonly topic: string;
  /** JSON. */
  readonly text: string;
}

export type Answer =
  | {
      readonly outcome: 'accepted';
      /** null: the feed brings the answer. */
      readonly message: AnswerMessage | null;
      /** Revision of the commit; 0 when nothing was committed. */
      readonly revision: number;
    }
  | {
      readonly outcome: 'rejected';
      /** null: the topic of the answer would be too long. */
      readonly message: AnswerMessage | null;
      readonly code: ServiceErrorCode;
    }
  /** It may have been applied, so it is not rejected. */
  | { readonly outcome: 'unknown' };

/**
 * Answers requests for both MQTT doors: calls the handler, translates its errors, and leaves one debug line per request.
 * The doors decide how to publish the message and when to acknowledge.
 */
@Injectable()
export class RequestAnswerer {
  readonly #prefix = randomBytes(6).toString('hex');
  #requests = 0;
  #handlers: ReadonlyMap<Operation, MqttHandler> = new Map();

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'limits' | 'requestTimeoutMs'>,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(RequestHandlers) private readonly declared: Pick<RequestHandlers, 'byOperation'>,
  ) {}

  /** To be called before the first request. @throws Error when an operation has no handler */
  open(): void {
    this.#handlers = this.declared.byOperation();
  }

  /** Never rejects. */
  async answer(received: ReceivedRequest): Promise<Answer> {
    const start = this.clock.monotonic();
    const requestId = this.#nextId();
    const answer = await this.#answer(received, requestId, start + this.config.requestTimeoutMs);
    this.#log(received, requestId, answer, this.clock.monotonic() - start);
    return answer;
  }

  /** Rejects a request without calling its handler. */
  reject(received: ReceivedRequest, error: ServiceError): Answer {
    const answer = this.#rejected(received, error);
    this.#log(received, this.#nextId(), answer, 0);
    return answer;
  }

  #nextId(): string {
    return `${this.#prefix}-${(++this.#requests).toString(36)}`;
  }

  async #answer(received: ReceivedRequest, requestId: string, deadline: number): Promise<Answer> {
    const { principal, clientId, payload, writeOptions, topic } = received;
    const { operation, thing, name, problem } = received.request;
    if (problem !== null) return this.#rejected(received, new ServiceError(problem));
    const key = { tenant: principal.tenant, thing, name };
    const request = { key, operation, payload, principal, clientId, requestId, deadline, ...writeOptions };
    let result: Promise<MqttResult>;
    try {
      result = (this.#handlers.get(operation) as MqttHandler)(request);
    } catch (error) {
      return this.#failed(received, request, error, 'internal');
    }
    try {
      const handled = await result;
      if (!('accepted' in handled)) return { outcome: 'accepted', message: null, revision: handled.position.revision };
      return { outcome: 'accepted', message: messageOf(topic, 'accepted', handled.accepted), revision: 0 };
    } catch (error) {
      return this.#failed(received, request, error, operation === 'get' ? 'internal' : 'outcomeUnknown');
    }
  }

  /** The one translation of errors. @param unforeseen what an error that is no ServiceError stands for */
  #failed(
    received: ReceivedRequest,
    request: MqttRequest,
    error: unknown,
    unforeseen: 'internal' | 'outcomeUnknown',
  ): Answer {
    const { requestId, clientId, operation, key } = request;
    const where = { requestId, clientId, operation, thing: key.thing, shadow: key.name };
    if (!(error instanceof ServiceError)) {
      this.logger.error({ ...where, err: error }, 'request failed');
      return unforeseen === 'internal' ? this.#rejected(received, new ServiceError('internal')) : UNKNOWN;
    }
    if (error.code !== 'outcomeUnknown') return this.#rejected(received, error);
    this.logger.warn({ ...where, reason: error.code }, 'outcome unknown');
    return UNKNOWN;
  }

  #rejected({ topic, payload }: ReceivedRequest, error: ServiceError): Answer {
    const text = rejectedText(error.clientToken === undefined ? error.withToken(this.#tokenOf(payload)) : error);
    return { outcome: 'rejected', message: messageOf(topic, 'rejected', text), code: error.code };
  }

  /** The client token of a request that was not parsed as a whole. */
  #tokenOf(payload: Buffer): string | undefined {
    try {
      return parseClientToken(payload, this.config.limits);
    } catch {
      return undefined;
    }
  }

  #log({ topic, clientId }: ReceivedRequest, requestId: string, answer: Answer, ms: number): void {
    if (!this.logger.isLevelEnabled('debug')) return;
    const code = answer.outcome === 'rejected' ? { code: answer.code } : {};
    const line = { requestId, clientId, topic, outcome: answer.outcome, ...code, ms: Math.round(ms * 100) / 100 };
    this.logger.debug(line, 'mqtt request');
  }
}

const UNKNOWN: Answer = { outcome: 'unknown' };

function messageOf(topic: string, outcome: 'accepted' | 'rejected', text: string): AnswerMessage | null {
  const answerTopic = `${topic}/${outcome}`;
  return isWithinLimits(answerTopic) ? { topic: answerTopic, text } : null;
}
