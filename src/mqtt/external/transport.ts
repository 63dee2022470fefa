import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { ANONYMOUS, type Principal } from '../../access/principal.js';
import { CONFIG, type BrokerConfig, type Config } from '../../config/config.js';
import type { ServiceErrorCode } from '../../errors/error-table.js';
import { bucketOf } from '../../store/bucket.js';
import type { Health } from '../../telemetry/health.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { ExternalCoordinator } from './coordinator.js';
import type { LaneRequest } from './lane.js';
import type { AnswerMessage } from '../answer.js';
import { RequestAnswerer } from '../request-answerer.js';
import { CALLED_DIRECTLY } from '../request-handlers.js';
import type { Acknowledgement } from '../request-queue.js';
import { parseRequestTopic, type RequestTopic } from '../topics.js';

/** Only the broker knows who published a request; its access rules decide. */
const PRINCIPAL: Principal = { id: 'external-broker', tenant: ANONYMOUS.tenant };
/** Milliseconds: first and longest pause before a request is carried out again. */
const RETRY = { first: 100, longest: 5_000 };
/** After so many tries the log says what a request waits for. */
const NAMED_AT = 5;
/**
 * Rejections whose reason passes by itself. With QoS 1 the broker has acknowledged the request to the device and keeps
 * it, so the request waits instead of being rejected.
 */
const PASSING: ReadonlySet<ServiceErrorCode> = new Set(['storageUnavailable', 'tooManyRequests', 'draining']);

/** The handlers of the built-in MQTT door behind an external broker: a Nest transport over consuming sessions. */
@Injectable()
export class ExternalTransport implements CustomTransportStrategy {
  readonly transportId = CALLED_DIRECTLY;
  readonly #broker: BrokerConfig;
  readonly #drain = new AbortController();
  /** The last request under way of each shadow. */
  readonly #last = new Map<string, Promise<unknown>>();
  #closing: Promise<void> | null = null;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(ExternalCoordinator) private readonly external: ExternalCoordinator,
    @Inject(RequestAnswerer) private readonly answerer: RequestAnswerer,
  ) {
    if (config.externalBroker === null) throw new Error('no external broker is configured');
    this.#broker = config.externalBroker;
  }

  get health(): Health {
    return this.#drain.signal.aborted ? { ok: false, reason: 'draining' } : this.external.health;
  }

  /** Does not wait for the broker: a node starts without it, and says so on /health/ready. */
  listen(callback: (error?: unknown) => void): void {
    try {
      this.answerer.open();
      this.external.start((lane, request) => this.#handle(lane, request));
      callback();
    } catch (error) {
      callback(error);
    }
  }

  /** Takes nothing new, finishes what is in flight, and gives its shards to the other nodes. */
  drain(): Promise<void> {
    this.#drain.abort();
    return (this.#closing ??= this.external.stop(this.config.drainTimeoutMs));
  }

  close(): Promise<void> {
    return this.drain();
  }

  #handle(lane: number, request: LaneRequest): Promise<Acknowledgement> {
    const parsed = parseRequestTopic(request.topic);
    if (parsed === null || !this.#isOf(lane, parsed)) return Promise.resolve('done');
    return this.#inTurn(`${parsed.thing}/${parsed.name ?? ''}`, () => this.#carryOut(request, parsed));
  }

  /** Runs requests for one shadow in order, so a retry never follows a later request. Bounded by the lane's window. */
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
    // Another node serves a lane that this one has lost: a late attempt from here could undo what it has done since.
    const { claim, over } = request;
    const drain = this.#drain.signal;
    for (let tries = 1; !drain.aborted && !over.aborted && claim.holds(); tries++) {
      try {
        if ((await this.#answer(request, parsed)) === 'answered') return 'done';
      } catch (error) {
        this.log.error({ err: error }, 'an MQTT request failed');
      }
      // The request may or must still be applied, and no other node would do it (at least once).
      if (tries === NAMED_AT) this.log.warn({ topic: request.topic, tries }, 'a request waits for the storage');
      const signal = AbortSignal.any([drain, over]);
      const pauseMs = Math.min(RETRY.first * 2 ** (tries - 1), RETRY.longest);
      await pause(pauseMs * (0.5 + Math.random()), undefined, { signal, ref: false }).catch(() => undefined);
    }
    return 'unanswered';
  }

  /** Every lane receives every request, and one lane carries it out, on any node: see docs/external-broker.md. */
  #isOf(lane: number, { thing }: RequestTopic): boolean {
    const { shared, lanes } = this.#broker;
    return shared || bucketOf(PRINCIPAL.tenant, thing) % lanes === lane;
  }

  async #answer(request: LaneRequest, parsed: RequestTopic): Promise<'answered' | 'again'> {
    const { topic, payload, traceHeaders } = request;
    const sender = { principal: PRINCIPAL, clientId: this.#broker.clientId };
    const writeOptions = { fence: request.claim.fence, signal: request.over };
    const key = { tenant: PRINCIPAL.tenant, thing: parsed.thing, name: parsed.name };
    const answer = await this.answerer.answer({
      topic,
      request: parsed,
      key,
      payload,
      ...sender,
      writeOptions,
      traceHeaders,
    });
    if (answer.outcome === 'unknown') return 'again';
    if (answer.outcome === 'accepted') this.external.committed(answer.revision);
    // The node that holds the lane now answers the request, and may well have accepted it.
    if (request.over.aborted || !request.claim.holds()) return 'again';
    if (answer.outcome === 'rejected' && (answer.code === 'fenced' || (request.qos > 0 && PASSING.has(answer.code))))
      return 'again';
    await this.#publish(request, answer.message);
    return 'answered';
  }

  /**
   * The request is acknowledged only after its answer is published: if the node dies in between, the broker sends the
   * request again, so none goes unanswered. An answer that still waits when the lane is lost is left out: the next owner
   * gets the request too, and may accept what this node has rejected. With QoS 0 nobody else gets it.
   */
  async #publish({ qos, over }: LaneRequest, message: AnswerMessage | null): Promise<void> {
    if (message === null) return;
    await this.external.publisher.publish(message.topic, message.text, qos > 0 ? over : undefined);
  }
}
