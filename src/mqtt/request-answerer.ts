import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import {
  IN_FLIGHT_LIMITS,
  NO_IN_FLIGHT_LIMITS,
  TooManyInFlight,
  type InFlightLimits,
  type InFlightPlaces,
} from '../access/in-flight-limits.js';
import { NO_RATE_LIMITS, RATE_LIMITS, type RateLimits } from '../access/rate-limits.js';
import { CONFIG, type Config } from '../config/config.js';
import { rejectedText } from '../document/message-texts.js';
import { parseClientToken } from '../document/parse-request.js';
import { ServiceError } from '../errors/service-error.js';
import { CLOCK, type Clock } from '../resilience/clock.js';
import { LOGGER, type Logger } from '../telemetry/logger.js';
import { METRICS, Metrics } from '../telemetry/metrics.js';
import { OUTCOME_OF, type Outcome, type RequestRecorder } from '../telemetry/request-metrics.js';
import { idOfTrace, type Attributes, type RequestTrace } from '../telemetry/request-trace.js';
import { cellOf } from '../telemetry/sampling.js';
import { TRACER, Tracer } from '../telemetry/tracer.js';
import { messageOf, UNKNOWN, type Answer, type AnswerReceiver, type ReceivedRequest } from './answer.js';
import type { MqttHandler } from './mqtt-request.js';
import { OpenRequest, type OpenRequestHost } from './open-request.js';
import { RequestHandlers } from './request-handlers.js';
import { OPERATIONS, type Operation, type RequestTopic } from './topics.js';

interface Host extends OpenRequestHost {
  readonly recorders: Readonly<Record<Operation, RequestRecorder>>;
  /** For the tracer, see cellOf. */
  readonly cells: Readonly<Record<Operation, number>>;
}

interface Ended {
  readonly cell: number;
  readonly outcome: Outcome;
  readonly answer: Answer;
  /** Milliseconds of the monotonic clock. */
  readonly now: number;
}

function outcomeOf(answer: Answer): Outcome {
  if (answer.outcome === 'accepted') return 'ok';
  return answer.outcome === 'unknown' ? 'unknown' : OUTCOME_OF[answer.code];
}

/** What the span of a request says beside its door, operation and outcome. */
function attributesOf({ key, clientId, requestId }: OpenRequest, answer: Answer): Attributes {
  const { tenant, thing, name } = key;
  return {
    ...{ 'umbra.tenant': tenant, 'umbra.thing': thing, 'umbra.client_id': clientId, 'umbra.request_id': requestId },
    ...(name !== null && { 'umbra.shadow': name }),
    ...(answer.outcome === 'accepted' && answer.revision > 0 && { 'umbra.revision': answer.revision }),
    ...(answer.outcome === 'rejected' && { 'umbra.code': answer.code }),
  };
}

/**
 * Answers requests for both MQTT doors: calls the handler, translates its errors, and leaves one debug line per request.
 * The doors decide how to publish the message and when to acknowledge.
 */
@Injectable()
export class RequestAnswerer {
  readonly #prefix = randomBytes(6).toString('hex');
  #requests = 0;
  @Inject(METRICS) readonly metrics: Metrics = new Metrics();
  @Inject(TRACER) readonly tracer: Tracer = new Tracer();
  #builtIn: Host | null = null;
  #external: Host | null = null;
  #handlers: ReadonlyMap<Operation, MqttHandler> = new Map();

  constructor(
    @Inject(CONFIG) private readonly config: Pick<Config, 'limits' | 'requestTimeoutMs'>,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(RequestHandlers) private readonly declared: Pick<RequestHandlers, 'byOperation'>,
    @Inject(RATE_LIMITS) private readonly limits: RateLimits = NO_RATE_LIMITS,
    @Inject(IN_FLIGHT_LIMITS) private readonly inFlight: InFlightLimits = NO_IN_FLIGHT_LIMITS,
  ) {}

  /** To be called before the first request. @throws Error when an operation has no handler */
  open(): void {
    this.#handlers = this.declared.byOperation();
  }

  /** Never rejects. */
  answer(received: ReceivedRequest): Promise<Answer> {
    this.#external ??= this.#hostOf('external');
    return new Promise((answered) => this.#begin(received, { answered }, this.#external!));
  }

  /**
   * As `answer`, for the built-in broker; calls `receiver` once, perhaps before it returns. No errors.
   * @returns when the request came, in milliseconds of the monotonic clock
   */
  begin(received: ReceivedRequest, receiver: AnswerReceiver): number {
    return this.#begin(received, receiver, (this.#builtIn ??= this.#hostOf('mqtt')));
  }

  #begin(received: ReceivedRequest, receiver: AnswerReceiver, host: Host): number {
    const start = this.clock.monotonic();
    const deadline = start + this.config.requestTimeoutMs;
    const request = new OpenRequest(host, received, receiver, ++this.#requests, start, deadline);
    const { problem, operation } = received.request;
    const { tracer } = this;
    if (tracer.isOn) {
      const { principal, traceHeaders = null } = received;
      request.trace = tracer.begins(host.cells[operation], principal.tenant, traceHeaders, start);
    }
    if (problem !== null) request.settle(this.#rejected(received, new ServiceError(problem)));
    else this.#handle(request, operation);
    return start;
  }

  #handle(request: OpenRequest, operation: Operation): void {
    try {
      const result = (this.#handlers.get(operation) as MqttHandler)(request, request);
      result?.then(
        (handled) => ('accepted' in handled ? request.accepted(handled.accepted) : request.committed(handled)),
        (error: unknown) => request.failed(error),
      );
    } catch (error) {
      request.settle(this.#failed(request, error, 'internal'));
    }
  }

  /** Counts a request that policies allow. Null: there is room for it, else it is to be rejected. No errors. */
  excessOf({ principal, request }: ReceivedRequest): ServiceError | null {
    return this.limits.take(principal, request.thing);
  }

  /** Counts a request as in flight; the error says that its principal has too many. No errors. */
  enter({ principal }: ReceivedRequest): InFlightPlaces | TooManyInFlight {
    return this.inFlight.enter(principal) ?? new TooManyInFlight('principal', this.inFlight.ofPrincipal);
  }

  /** Counts a request of the built-in broker that is not answered. */
  count({ operation }: RequestTopic, outcome: Outcome): void {
    (this.#builtIn ??= this.#hostOf('mqtt')).recorders[operation].count(outcome);
  }

  /** Rejects a request of the built-in broker without calling its handler. */
  reject(received: ReceivedRequest, error: ServiceError): Answer {
    this.count(received.request, OUTCOME_OF[error.code]);
    const answer = this.#rejected(received, error);
    this.#log(received, this.#id(++this.#requests), answer, 0);
    return answer;
  }

  #hostOf(door: 'mqtt' | 'external'): Host {
    const recorders = this.metrics.requests.door(door, OPERATIONS);
    const cells = Object.fromEntries(OPERATIONS.map((each) => [each, cellOf(door, each)])) as Host['cells'];
    return {
      recorders,
      cells,
      idOf: (number) => this.#id(number),
      failed: (request, error) =>
        this.#failed(request, error, request.operation === 'get' ? 'internal' : 'outcomeUnknown'),
      closed: (request, answer) => {
        const now = this.clock.monotonic();
        const ms = now - request.start;
        const outcome = outcomeOf(answer);
        recorders[request.operation].record(outcome, ms);
        if (this.tracer.isOn)
          this.#trace(request, recorders[request.operation], { cell: cells[request.operation], outcome, answer, now });
        if (this.logger.isLevelEnabled('debug'))
          this.#log(request.received, request.requestId, answer, ms, request.trace);
      },
    };
  }

  #trace(request: OpenRequest, recorder: RequestRecorder, { cell, outcome, answer, now }: Ended): void {
    const { tracer } = this;
    const { start, operation } = request;
    const trace = tracer.ends(request.trace, operation, outcome, now - start, now);
    request.trace = trace;
    if (trace === null) return;
    recorder.remember(now - start, trace.traceId, this.clock.now());
    tracer.keep(trace, cell, outcome, { start, end: now }, attributesOf(request, answer));
  }

  #id(number: number): string {
    return `${this.#prefix}-${number.toString(36)}`;
  }

  /** The one translation of errors. @param unforeseen what an error that is no ServiceError stands for */
  #failed(request: OpenRequest, error: unknown, unforeseen: 'internal' | 'outcomeUnknown'): Answer {
    const { received, requestId, clientId, operation, key } = request;
    const where = { requestId, clientId, operation, thing: key.thing, shadow: key.name, ...idOfTrace(request.trace) };
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

  /** The client token of a request that was not parsed as a whole. Later errors bring it with them. */
  #tokenOf(payload: Buffer): string | undefined {
    try {
      return parseClientToken(payload, this.config.limits);
    } catch {
      return undefined;
    }
  }

  #log(
    { topic, clientId }: ReceivedRequest,
    requestId: string,
    answer: Answer,
    ms: number,
    trace: RequestTrace | null = null,
  ): void {
    if (!this.logger.isLevelEnabled('debug')) return;
    const code = answer.outcome === 'rejected' ? { code: answer.code } : {};
    const times = { ms: Math.round(ms * 100) / 100, ...idOfTrace(trace) };
    const line = { requestId, clientId, topic, outcome: answer.outcome, ...code, ...times };
    this.logger.debug(line, 'mqtt request');
  }
}
