import type { Server as HttpServer } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import { actorOf } from '../../access/audit.js';
import { CONFIG, type Config } from '../../config/config.js';
import { ServiceError } from '../../errors/service-error.js';
import { spanOf } from '../../resilience/evenly.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { MqttBroker, SHUTTING_DOWN } from './broker.js';
import { MqttListeners, type MqttAddresses } from './listeners.js';
import { MqttPublisher } from './publisher.js';
import { Connection } from './connections/connection.js';
import { EvenEnd, type EvenEndOptions } from './connections/even-end.js';
import { Shedding, someOf } from './connections/shedding.js';
import type { IncomingRequest } from './connections/incoming-request.js';
import { REASON } from './packets/reason-codes.js';
import type { Answer, AnswerMessage } from '../answer.js';
import { RequestAnswerer } from '../request-answerer.js';
import { CALLED_DIRECTLY } from '../request-handlers.js';

/** How often a drain looks whether requests are still in flight, in milliseconds. */
const DRAIN_POLL_MS = 20;
/** Milliseconds for closing connections in good order before they are cut. */
const CLOSE_MS = 1000;

/** The built-in MQTT door as a Nest transport: has requests answered, publishes the answers, and settles the requests. */
@Injectable()
export class MqttTransport implements CustomTransportStrategy {
  readonly transportId = CALLED_DIRECTLY;
  #inFlight = 0;
  /** Revision of the last commit that came through this door. */
  #lastRevision = 0;
  /** Nothing new is accepted. */
  #stopping = false;
  /** Nothing new is begun on what was accepted. */
  #draining = false;
  #closing: Promise<void> | null = null;
  readonly #onAnswered = (incoming: IncomingRequest, answer: Answer): void => this.#answered(incoming, answer);

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(MqttBroker) private readonly broker: MqttBroker,
    @Inject(MqttListeners) private readonly listeners: MqttListeners,
    @Inject(MqttPublisher) private readonly publisher: MqttPublisher,
    @Inject(RequestAnswerer) private readonly answerer: RequestAnswerer,
  ) {}

  get health(): { readonly ok: boolean; readonly reason: string; readonly connections: number } {
    const reason = this.#stopping ? 'draining' : this.listeners.listening ? 'listening' : 'not listening';
    return { ok: reason === 'listening', reason, connections: this.broker.connections };
  }

  /** Nothing new is accepted, because the node shuts down. */
  get isStopping(): boolean {
    return this.#stopping;
  }

  listen(callback: (error?: unknown) => void): void {
    this.#start().then(() => callback(), callback);
  }

  /** Where MQTT is to be reached. @throws Error before it listens */
  addresses(): MqttAddresses {
    return this.listeners.addresses();
  }

  attachWebSocket(server: HttpServer): void {
    this.listeners.attachWebSocket(server);
  }

  /** Asks clients, taken at random, to use another node, at an even rate over `withinMs` milliseconds. No errors. */
  shed(connections: number, withinMs: number): Shedding {
    const clients = this.#stopping ? [] : someOf(this.broker.clients(), connections);
    const deadline = performance.now() + withinMs + this.config.drainTimeoutMs;
    const end = this.#evenEnd(REASON.useAnotherServer, 'use another node', { withinMs, deadline });
    return new Shedding(clients, end);
  }

  /**
   * Stops accepting, closes connections at an even rate, finishes what is in flight, and closes the rest; within
   * `config.drainTimeoutMs`.
   */
  drain(): Promise<void> {
    return (this.#closing ??= this.#end(this.config.drainTimeoutMs));
  }

  close(): Promise<void> {
    return this.drain();
  }

  async #start(): Promise<void> {
    this.answerer.open();
    this.broker.handle = (incoming) => this.#handle(incoming);
    this.broker.open();
    this.answerer.metrics.requests.readInFlight('mqtt', () => this.#inFlight);
    this.publisher.start();
    await this.listeners.open();
    this.log.info({ ...this.addresses() }, 'MQTT listens');
  }

  #handle(incoming: IncomingRequest): void {
    const { request } = incoming.route;
    if (request === null) return incoming.settle('unpublishable');
    if (!this.broker.mayPublish(incoming)) {
      this.answerer.count(request, 'denied');
      return incoming.settle('unpublishable');
    }
    if (this.#draining && request.problem === null) return this.#refuse(incoming);
    const excess = this.answerer.excessOf(incoming);
    if (excess !== null) return this.#refuseExcess(incoming, excess, 'done');
    const late = request.operation === 'get' ? null : this.#fence(incoming);
    if (late !== null) return this.#reject(incoming, late);
    const places = this.answerer.enter(incoming);
    if (places instanceof ServiceError) return this.#refuseExcess(incoming, places, 'excessive');
    incoming.places = places;
    this.#inFlight++;
    incoming.onAnswered = this.#onAnswered;
    const since = this.answerer.begin(incoming, incoming);
    // Its PUBACK is written in a later turn, even if it is answered by now.
    if (incoming.qos > 0) incoming.since = since;
  }

  /** Not for wills: their connections have ended. @returns why the request is refused; null: it is not */
  #fence(incoming: IncomingRequest): ServiceError | null {
    const { fenceOf } = this.broker;
    if (fenceOf === null || !(incoming.owner instanceof Connection)) return null;
    const fence = fenceOf(incoming.owner);
    if (fence instanceof ServiceError) return fence;
    if (fence !== null) incoming.writeOptions = { fence };
    return null;
  }

  #refuseExcess(incoming: IncomingRequest, excess: ServiceError, how: 'done' | 'excessive'): void {
    const { principal, address, clientId } = incoming.owner;
    this.broker.audit.record({
      ...{ action: 'mqtt:publish', actor: actorOf(principal), tenant: principal.tenant, target: incoming.topic },
      ...{ address, clientId, outcome: 'refused', code: excess.authCode ?? excess.code },
    });
    this.#reject(incoming, excess, how);
  }

  /** The node is draining: nothing new is begun. */
  #refuse(incoming: IncomingRequest): void {
    // `rejected` would no longer reach every subscriber, so no PUBACK may say that the message has been dealt with.
    if (incoming.qos > 0) {
      this.answerer.count(incoming.request, 'draining');
      return incoming.settle('unanswered');
    }
    this.#reject(incoming, new ServiceError('draining'));
  }

  /** Answers without asking the handler. */
  #reject(incoming: IncomingRequest, error: ServiceError, how: 'done' | 'excessive' = 'done'): void {
    const answer = this.answerer.reject(incoming, error);
    if (answer.outcome === 'rejected') this.#publish(incoming.principal.tenant, answer.message);
    incoming.settle(how);
  }

  #answered(incoming: IncomingRequest, answer: Answer): void {
    this.#inFlight--;
    incoming.places?.leave();
    try {
      if (answer.outcome === 'unknown') return incoming.settle('withheld');
      if (answer.outcome === 'accepted') this.#lastRevision = Math.max(this.#lastRevision, answer.revision);
      this.#publish(incoming.principal.tenant, answer.message);
      // A rejection is an answer too: the message has been dealt with, so its PUBACK follows.
      incoming.settle('done');
    } catch (error) {
      this.log.error({ err: error }, 'an MQTT request failed');
      incoming.settle('withheld');
    }
  }

  #publish(tenant: string, message: AnswerMessage | null): void {
    if (message === null || !this.broker.wants(message.topic)) return;
    this.broker.send({ tenant, topic: message.topic, payload: message.text });
  }

  async #end(withinMs: number): Promise<void> {
    this.#stopping = true;
    this.listeners.stopAccepting();
    // Not the injected clock: a stopped clock of a test must not stop the end.
    const deadline = performance.now() + withinMs - CLOSE_MS;
    const isMoving = this.config.mqtt.serverReference !== null;
    const reason = isMoving ? REASON.useAnotherServer : REASON.serverShuttingDown;
    await this.#spread(reason, deadline);
    this.#draining = true;
    while (this.#isBusy() && performance.now() < deadline) await pause(DRAIN_POLL_MS);
    if (this.#inFlight > 0) this.log.warn({ inFlight: this.#inFlight }, 'MQTT requests were cut off by the shutdown');
    this.publisher.stop();
    const closed = this.broker.close(reason);
    await Promise.race([closed, pause(Math.min(CLOSE_MS, withinMs))]);
    this.listeners.destroyAll();
    await Promise.race([closed, pause(CLOSE_MS)]);
  }

  #isBusy(): boolean {
    return this.#inFlight > 0 || this.publisher.revision < this.#lastRevision;
  }

  /** @param deadline milliseconds of performance.now() */
  async #spread(reason: number, deadline: number): Promise<void> {
    const { drainGraceMs, drainSpreadMs } = this.config;
    if (this.broker.connections === 0) return;
    if (drainGraceMs > 0) await pause(Math.min(drainGraceMs, deadline - performance.now()));
    const withinMs = Math.min(drainSpreadMs, deadline - performance.now());
    const clients = this.broker.clients();
    const times = { withinMs: spanOf(clients.length, withinMs), deadline };
    if (withinMs > 0) await this.#evenEnd(reason, SHUTTING_DOWN, times).end(clients);
  }

  #evenEnd(reason: number, why: string, times: Pick<EvenEndOptions, 'withinMs' | 'deadline'>): EvenEnd {
    const end = (connection: Connection): void => this.broker.sendAway(connection, reason, why);
    const committed = (): number => this.#lastRevision;
    const published = (): number => this.publisher.revision;
    return new EvenEnd({ ...times, end, committed, published });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
