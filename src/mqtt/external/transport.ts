import { randomBytes } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { ANONYMOUS, type Principal } from '../../access/principal.js';
import { CLOCK, type Clock } from '../../resilience/clock.js';
import { CONFIG, type BrokerConfig, type Config } from '../../config/config.js';
import { rejected } from '../../document/messages.js';
import { parseClientToken } from '../../document/parse-request.js';
import { ServiceError, type ServiceErrorCode } from '../../errors/service-error.js';
import { bucketOf } from '../../store/bucket.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { ExternalCoordinator } from './coordinator.js';
import type { LaneRequest } from './lane.js';
import { MQTT_DOOR, MqttRequest, Refused } from '../mqtt-request.js';
import { handlersByOperation, runHandler } from '../request-handlers.js';
import type { Acknowledgement } from '../request-queue.js';
import { isWithinLimits, parseRequestTopic, type Operation, type RequestTopic } from '../topics.js';

/** Who published it only the broker knows; its access rules decide. */
const PRINCIPAL: Principal = { id: 'external-broker', tenant: ANONYMOUS.tenant };
/** Milliseconds: first and longest pause before a request is carried out again. */
const RETRY = { first: 100, longest: 5_000 };
/** After so many tries the log says what a request waits for. */
const NAMED_AT = 5;
/**
 * Refusals that pass by themselves. With QoS 1 the broker has told the device that it has the request, and keeps it: it
 * waits, and the broker with it, instead of being refused.
 */
const PASSING: ReadonlySet<ServiceErrorCode> = new Set(['storageUnavailable', 'tooManyRequests', 'draining']);

/** The handlers of the built-in MQTT door behind an external broker: a Nest transport over consuming sessions. */
@Injectable()
export class ExternalTransport extends Server implements CustomTransportStrategy {
  override readonly transportId = MQTT_DOOR;
  readonly #broker: BrokerConfig;
  readonly #requestPrefix = randomBytes(6).toString('hex');
  #handlers = new Map<Operation, MessageHandler>();
  #requests = 0;
  readonly #drain = new AbortController();
  /** The last request under way of each shadow. */
  readonly #last = new Map<string, Promise<unknown>>();
  #closing: Promise<void> | null = null;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(ExternalCoordinator) private readonly external: ExternalCoordinator,
  ) {
    super();
    if (config.externalBroker === null) throw new Error('no external broker is configured');
    this.#broker = config.externalBroker;
  }

  get health(): { readonly ok: boolean; readonly reason: string } {
    return this.#drain.signal.aborted ? { ok: false, reason: 'draining' } : this.external.health;
  }

  /** Does not wait for the broker: a node starts without it, and says so on /health/ready. */
  listen(callback: (error?: unknown) => void): void {
    try {
      this.#handlers = handlersByOperation(this.getHandlers());
      this.external.start((lane, request) => this.#handle(lane, request));
      callback();
    } catch (error) {
      callback(error);
    }
  }

  /** Takes nothing new, finishes what is in flight, and gives its part to the other nodes. */
  drain(): Promise<void> {
    this.#drain.abort();
    return (this.#closing ??= this.external.stop(this.config.drainTimeoutMs));
  }

  close(): Promise<void> {
    return this.drain();
  }

  // Only what Nest's own servers offer and this one does not need.
  on(): void {}
  unwrap<T>(): T {
    return this.external as T;
  }

  #handle(lane: number, request: LaneRequest): Promise<Acknowledgement> {
    const parsed = parseRequestTopic(request.topic);
    if (parsed === null || !this.#isOf(lane, parsed)) return Promise.resolve('done');
    return this.#inTurn(`${parsed.thing}/${parsed.name ?? ''}`, () => this.#carryOut(request, parsed));
  }

  /** One that is carried out again must not come behind a later one of its shadow. As many wait as a lane may have taken. */
  #inTurn<T>(shadow: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(shadow);
    const done = before ? before.then(task) : task();
    this.#last.set(shadow, done);
    void done.finally(() => {
      if (this.#last.get(shadow) === done) this.#last.delete(shadow);
    });
    return done;
  }

  /** Never rejects. */
  async #carryOut(request: LaneRequest, parsed: RequestTopic): Promise<Acknowledgement> {
    // A lane that is lost is served by another node: a late repeat from here could undo what it has done since.
    const { over } = request;
    const drain = this.#drain.signal;
    for (let tries = 1; !drain.aborted && !over.aborted; tries++) {
      try {
        if ((await this.#answer(request, parsed)) === 'answered') return 'done';
      } catch (error) {
        this.log.error({ err: error }, 'an MQTT request failed');
      }
      // It may or must still be applied, and nobody else would do it (at least once).
      if (tries === NAMED_AT) this.log.warn({ topic: request.topic, tries }, 'a request waits for the storage');
      const signal = AbortSignal.any([drain, over]);
      const pauseMs = Math.min(RETRY.first * 2 ** (tries - 1), RETRY.longest);
      await pause(pauseMs * (0.5 + Math.random()), undefined, { signal, ref: false }).catch(() => undefined);
    }
    return 'unanswered';
  }

  /** Every lane is sent every request, but each is carried out by one, whoever holds it: see docs/external-broker.md. */
  #isOf(lane: number, { thing }: RequestTopic): boolean {
    const { shared, lanes } = this.#broker;
    return shared || bucketOf(PRINCIPAL.tenant, thing) % lanes === lane;
  }

  async #answer(request: LaneRequest, parsed: RequestTopic): Promise<'answered' | 'again'> {
    const { operation, thing, name, problem } = parsed;
    if (problem !== null) return this.#reject(request, new ServiceError(problem).withToken(this.#tokenOf(request)));
    const context = new MqttRequest(
      { tenant: PRINCIPAL.tenant, thing, name },
      operation,
      request.payload,
      { principal: PRINCIPAL, clientId: this.#broker.clientId },
      `${this.#requestPrefix}-${(++this.#requests).toString(36)}`,
      this.clock.monotonic() + this.config.requestTimeoutMs,
    );
    const answer = await runHandler(this.#handlers.get(operation) as MessageHandler, context);
    this.external.committed(context.revision);
    if (answer instanceof Refused) {
      const { refusal } = answer;
      // Whoever has the lane now answers it, and may well have accepted it.
      if (request.over.aborted || refusal.kind === 'unknown') return 'again';
      const { error } = refusal;
      return request.qos > 0 && PASSING.has(error.code) ? 'again' : this.#reject(request, error);
    }
    if (answer !== undefined) await this.#publish(request, 'accepted', answer);
    return 'answered';
  }

  async #reject(request: LaneRequest, error: ServiceError): Promise<'answered'> {
    await this.#publish(request, 'rejected', rejected(error));
    return 'answered';
  }

  #tokenOf({ payload }: LaneRequest): string | undefined {
    try {
      return parseClientToken(payload, this.config.limits);
    } catch {
      return undefined;
    }
  }

  /** The request is acknowledged when its answer is safe: a node that dies in between answers nothing twice too few. */
  async #publish({ topic }: LaneRequest, tail: 'accepted' | 'rejected', body: unknown): Promise<void> {
    const answerTopic = `${topic}/${tail}`;
    if (isWithinLimits(answerTopic)) await this.external.publisher.publish(answerTopic, JSON.stringify(body));
  }
}
