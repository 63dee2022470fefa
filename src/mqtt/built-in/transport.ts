import { randomBytes } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import { Server, type CustomTransportStrategy, type MessageHandler } from '@nestjs/microservices';
import { CLOCK, type Clock } from '../../resilience/clock.js';
import { CONFIG, type Config } from '../../config/config.js';
import { rejected } from '../../document/messages.js';
import { parseClientToken } from '../../document/parse-request.js';
import { ServiceError } from '../../errors/service-error.js';
import { LOGGER, type Logger } from '../../telemetry/logger.js';
import { MqttBroker } from './broker.js';
import { connectionOf } from './connection.js';
import { MqttListeners, type MqttAddresses } from './listeners.js';
import { MQTT_DOOR, MqttRequest, Refused } from '../mqtt-request.js';
import { MqttPublisher } from './publisher.js';
import type { IncomingRequest } from './gates/publish-gate.js';
import { handlersByOperation, runHandler } from '../request-handlers.js';
import type { Acknowledgement } from '../request-queue.js';
import { isWithinLimits, type Operation } from '../topics.js';

/** How often a drain looks whether requests are still in flight, in milliseconds. */
const DRAIN_POLL_MS = 20;
/** Milliseconds for closing connections in good order before they are cut. */
const CLOSE_MS = 1000;

/** The MQTT door as a Nest transport: finds the handler of a topic, answers, and lets aedes acknowledge. */
@Injectable()
export class MqttTransport extends Server implements CustomTransportStrategy {
  override readonly transportId = MQTT_DOOR;
  #handlers = new Map<Operation, MessageHandler>();
  readonly #requestPrefix = randomBytes(6).toString('hex');
  #requests = 0;
  #inFlight = 0;
  /** Of the last commit that came through this door. */
  #lastRevision = 0;
  #draining = false;
  #closing: Promise<void> | null = null;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(LOGGER) private readonly log: Logger,
    @Inject(MqttBroker) private readonly broker: MqttBroker,
    @Inject(MqttListeners) private readonly listeners: MqttListeners,
    @Inject(MqttPublisher) private readonly publisher: MqttPublisher,
  ) {
    super();
  }

  get health(): { readonly ok: boolean; readonly reason: string; readonly connections: number } {
    const reason = this.#draining ? 'draining' : this.listeners.listening ? 'listening' : 'not listening';
    return { ok: reason === 'listening', reason, connections: this.broker.connections };
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

  /** Stops accepting, finishes what is in flight, and closes every connection; within `config.drainTimeoutMs`. */
  drain(): Promise<void> {
    return (this.#closing ??= this.#end(this.config.drainTimeoutMs));
  }

  close(): Promise<void> {
    return this.drain();
  }

  // Only what Nest's own servers offer and this one does not need.
  on(): void {}
  unwrap<T>(): T {
    return this.broker as T;
  }

  async #start(): Promise<void> {
    this.#handlers = handlersByOperation(this.getHandlers());
    this.broker.publishGate.handle = (incoming) => this.#handle(incoming);
    await this.broker.open();
    this.publisher.start();
    await this.listeners.open();
    this.log.info({ ...this.addresses() }, 'MQTT listens');
  }

  async #handle(incoming: IncomingRequest): Promise<Acknowledgement> {
    this.#inFlight++;
    try {
      return await this.#answer(incoming);
    } catch (error) {
      this.log.error({ err: error }, 'an MQTT request failed');
      return 'withheld';
    } finally {
      this.#inFlight--;
    }
  }

  async #answer(incoming: IncomingRequest): Promise<Acknowledgement> {
    const { client, request, payload } = incoming;
    const { principal } = connectionOf(client);
    if (request.problem !== null) return this.#reject(incoming, new ServiceError(request.problem));
    // `rejected` would no longer reach everybody, so a PUBACK must not say that the message has been dealt with.
    if (this.#draining && incoming.qos > 0) return 'unanswered';
    if (this.#draining) return this.#reject(incoming, new ServiceError('draining'));
    const { operation, thing, name } = request;
    const context = new MqttRequest(
      { tenant: principal.tenant, thing, name },
      operation,
      payload,
      { principal, clientId: client.id },
      `${this.#requestPrefix}-${(++this.#requests).toString(36)}`,
      this.clock.monotonic() + this.config.requestTimeoutMs,
    );
    const handler = this.#handlers.get(operation) as MessageHandler;
    const answer = await runHandler(handler, context);
    this.#lastRevision = Math.max(this.#lastRevision, context.revision);
    if (!(answer instanceof Refused)) {
      if (answer !== undefined) this.#publish(incoming, 'accepted', answer);
      return 'done';
    }
    const { refusal } = answer;
    return refusal.kind === 'rejected' ? this.#reject(incoming, refusal.error) : 'withheld';
  }

  /** Refusals are answers, not failures: the message has been dealt with, so its PUBACK follows. */
  #reject(incoming: IncomingRequest, error: ServiceError): Acknowledgement {
    this.#publish(incoming, 'rejected', rejected(error.withToken(this.#tokenOf(incoming, error))));
    return 'done';
  }

  #tokenOf({ payload }: IncomingRequest, error: ServiceError): string | undefined {
    if (error.code !== 'draining' && error.code !== 'invalidThingName' && error.code !== 'invalidShadowName')
      return undefined;
    try {
      return parseClientToken(payload, this.config.limits);
    } catch {
      return undefined;
    }
  }

  #publish({ client, topic }: IncomingRequest, tail: 'accepted' | 'rejected', body: unknown): void {
    const answerTopic = `${topic}/${tail}`;
    if (!isWithinLimits(answerTopic) || !this.broker.wants(answerTopic)) return;
    const { tenant } = connectionOf(client).principal;
    this.broker.send({ tenant, topic: answerTopic, payload: Buffer.from(JSON.stringify(body)) });
  }

  async #end(withinMs: number): Promise<void> {
    this.#draining = true;
    this.listeners.stopAccepting();
    // Not the injected clock: a stopped clock of a test must not stop the end.
    const deadline = performance.now() + withinMs;
    const isBusy = (): boolean => this.#inFlight > 0 || this.publisher.revision < this.#lastRevision;
    while (isBusy() && performance.now() < deadline - CLOSE_MS) await pause(DRAIN_POLL_MS);
    if (this.#inFlight > 0) this.log.warn({ inFlight: this.#inFlight }, 'MQTT requests were cut off by the shutdown');
    this.publisher.stop();
    // aedes writes what it was given in the next turn of the loop.
    await pause(0);
    const closed = this.broker.close();
    await Promise.race([closed, pause(Math.min(CLOSE_MS, withinMs))]);
    this.listeners.destroyAll();
    await Promise.race([closed, pause(CLOSE_MS)]);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
