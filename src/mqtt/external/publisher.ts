import type { IConnackPacket, MqttClient } from 'mqtt';
import type { BrokerConfig } from '../../config/config.js';
import type { ChangeTrace } from '../../document/shadow-document.js';
import type { SafePublisher } from './external-broker.sink.js';
import { Fifo } from '../../resilience/fifo.js';
import type { Health } from '../../telemetry/health.js';
import type { Logger } from '../../telemetry/logger.js';
import { connackProblems, versionProblems, type BrokerProblem } from './broker-limits.js';
import { createExternalClient, endClient } from './client.js';
import { userPropertiesOf } from '../trace-properties.js';

interface Outgoing {
  readonly topic: string;
  readonly payload: string;
  readonly over: AbortSignal | undefined;
  readonly trace: ChangeTrace | undefined;
  readonly sent: () => void;
}

/** Milliseconds until a message that the broker refused is sent again. */
const REFUSED_RETRY_MS = 1_000;
/** Reason codes of MQTT 5 after which the same message cannot succeed: topic name invalid, packet too large, payload
 * format invalid. */
const HOPELESS = new Set([0x90, 0x95, 0x99]);
const VERSION_TOPIC = '$SYS/broker/version';
/** mosquitto counts here the messages that it threw away, most likely because of max_queued_messages. */
const DROPPED_TOPIC = '$SYS/broker/publish/messages/dropped';
/** Messages in flight while the broker has not said how many it takes (MQTT 5, 3.2.2.3.3). */
const MAX_RECEIVE = 65_535;

/**
 * The connection over which this node publishes: not the one that consumes, which may stand still. QoS 1, in the order
 * of the calls, at most as many in flight as the broker takes. What waits is bounded by the callers, each of which waits
 * for its message: the window of the sink, and the window of each lane.
 */
export class ExternalPublisher implements SafePublisher {
  readonly #client: MqttClient;
  readonly #queue = new Fifo<Outgoing>();
  #inFlight = 0;
  #window = 0;
  #connackProblems: BrokerProblem[] = [];
  #versionProblems: BrokerProblem[] = [];
  /** Messages that the broker has refused and that are sent again, with its reason. */
  readonly #refused = new Map<Outgoing, string>();
  #error: string | null = null;
  #dropped = -1;
  #ended = false;

  /** @param onConnected called at every connection */
  constructor(
    private readonly config: BrokerConfig,
    clientId: string,
    private readonly logger: Logger,
    private readonly onConnected: () => void,
  ) {
    this.#client = createExternalClient(config, { clientId, sessionSeconds: 0, receiveMaximum: 100 });
    this.#client.on('connect', (connack) => this.#connected(connack));
    this.#client.on('close', () => this.#closed());
    this.#client.on('error', (error) => (this.#error = error.message));
    this.#client.on('message', (topic, payload) => this.#heard(topic, payload.toString()));
  }

  get isConnected(): boolean {
    return this.#window > 0;
  }

  get problems(): readonly BrokerProblem[] {
    return [...this.#connackProblems, ...this.#versionProblems];
  }

  get health(): Health {
    const fatal = this.problems.find((problem) => problem.fatal)?.text;
    if (fatal !== undefined) return { ok: false, reason: fatal };
    // Before the connection: mosquitto 2.0.11 may end it together with a refusal, which would then go unreported.
    const [refusal] = this.#refused.values();
    if (refusal !== undefined) return { ok: false, reason: refusal };
    if (this.isConnected) return { ok: true, reason: 'connected' };
    return { ok: false, reason: `not connected to ${this.config.url}: ${this.#error ?? 'no answer yet'}` };
  }

  start(): void {
    this.#client.connect();
  }

  /** @param over leaves out a message that is aborted while it waits; its promise resolves all the same */
  publish(topic: string, payload: string, over?: AbortSignal, trace?: ChangeTrace): Promise<void> {
    return new Promise((sent) => {
      this.#queue.push({ topic, payload, over, trace, sent });
      this.#next();
    });
  }

  /** Leaves what is not sent by now; the next owner sends it. */
  async stop(withinMs: number): Promise<void> {
    this.#ended = true;
    await endClient(this.#client, withinMs);
  }

  #connected(connack: IConnackPacket): void {
    this.#error = null;
    this.#connackProblems = connackProblems(connack, { ...this.config, sessionSeconds: 0 });
    for (const { text } of this.#connackProblems)
      this.logger.warn({ reason: text }, 'the broker is not set up as needed');
    this.#window = Math.min(connack.properties?.receiveMaximum ?? MAX_RECEIVE, MAX_RECEIVE);
    this.logger.info({ url: this.config.url, window: this.#window }, 'connected to the external broker');
    // Brokers that do not let us look there only tell less.
    this.#client.subscribe([VERSION_TOPIC, DROPPED_TOPIC], { qos: 0 }, () => undefined);
    this.onConnected();
    this.#next();
  }

  #closed(): void {
    if (this.isConnected && !this.#ended)
      this.logger.warn({ url: this.config.url, reason: this.#error }, 'the connection to the external broker is lost');
    this.#window = 0;
  }

  #next(): void {
    while (this.#inFlight < this.#window && !this.#ended) {
      const message = this.#queue.take();
      if (!message) return;
      if (message.over?.aborted) message.sent();
      else this.#send(message);
    }
  }

  /** mqtt.js keeps it over a lost connection and sends it again by itself, before anything newer. */
  #send(message: Outgoing): void {
    this.#inFlight++;
    const properties = message.trace && { properties: { userProperties: userPropertiesOf(message.trace) } };
    this.#client.publish(message.topic, message.payload, { qos: 1, ...properties }, (error) => {
      if (error) return this.#onRefused(message, error);
      this.#done(message);
    });
  }

  #done(message: Outgoing): void {
    this.#inFlight--;
    this.#refused.delete(message);
    message.sent();
    this.#next();
  }

  #onRefused(message: Outgoing, error: Error): void {
    const { code } = error as { code?: unknown };
    if (typeof code === 'number' && HOPELESS.has(code)) {
      this.logger.error(
        { topic: message.topic, code, reason: error.message },
        'the broker cannot take a message; left out',
      );
      return this.#done(message);
    }
    if (this.#ended) return;
    const reason = `the broker refuses what is published, e.g. on ${message.topic}: ${error.message} (its access rules?)`;
    if (this.isConnected) {
      if (this.#refused.size === 0) this.logger.error({ reason }, 'publishing is refused');
      this.#refused.set(message, reason);
    }
    setTimeout(() => {
      // A client that has ended throws.
      if (this.#ended) return;
      if (message.over?.aborted) return this.#done(message);
      this.#inFlight--;
      this.#send(message);
    }, REFUSED_RETRY_MS).unref();
  }

  #heard(topic: string, text: string): void {
    if (topic === VERSION_TOPIC) {
      this.#versionProblems = versionProblems(text, this.config);
      this.logger.info({ version: text }, 'the external broker');
      for (const problem of this.#versionProblems) this.logger.error({ reason: problem.text }, 'wrong broker setting');
    } else if (topic === DROPPED_TOPIC) {
      const dropped = Number(text);
      if (this.#dropped >= 0 && dropped > this.#dropped)
        this.logger.error({ dropped }, 'the broker has thrown messages away; see max_queued_messages');
      this.#dropped = dropped;
    }
  }
}
