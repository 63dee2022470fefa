import type { IConnackPacket, IPublishPacket, MqttClient } from 'mqtt';
import type { BrokerConfig } from '../../config/config.js';
import type { Fence } from '../../store/shadow-store.js';
import type { Health } from '../../telemetry/health.js';
import type { Logger } from '../../telemetry/logger.js';
import type { TraceHeaders } from '../../telemetry/trace-context.js';
import { connackProblems, type BrokerProblem } from './broker-limits.js';
import { createExternalClient, endClient, RECONNECT_MS, sendPuback, WITHHELD } from './client.js';
import { requestPatterns } from '../mqtt-request.js';
import { RequestQueue, type Acknowledgement } from '../request-queue.js';
import { OPERATIONS } from '../topics.js';
import { traceHeadersOf } from '../trace-properties.js';

/** The claim of this node on a lane. */
export interface LaneClaim {
  /** What must hold for a write of this lane to count. */
  readonly fence: Fence;
  /**
   * Whether the lease of the claim lasts, by the monotonic clock. A process that was stopped reads what waited in its
   * sockets before its timers run, so no timer may answer this.
   */
  holds(): boolean;
}

export interface LaneRequest {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: number;
  readonly claim: LaneClaim;
  /** What its sender says of its trace; null: nothing. */
  readonly traceHeaders?: TraceHeaders | null;
  /** Aborted when this node loses the lane: the broker sends the request to the next holder. */
  readonly over: AbortSignal;
}

/** Answers one request. Resolves when its answer is safe at the broker; `unanswered` leaves the request in the session. */
export type LaneHandler = (request: LaneRequest) => Promise<Acknowledgement>;

interface Known extends LaneRequest {
  outcome: Acknowledgement | null;
  /** How often the broker has sent it again: the last one is acknowledged, in its place in the order. */
  repeats: number;
}

/** MQTT 5: session taken over. */
const TAKEN_OVER = 0x8e;
/** Milliseconds before a lane that was taken over tries again: two clients must not take turns as fast as they can. */
const RIVAL_PAUSE_MS = 5_000;
/** A connection that ends sooner, in milliseconds, so often in a row, was most likely taken over. */
const SHORT_MS = 5_000;
const MAX_SHORT_LIVES = 3;
/** Milliseconds for the last acknowledgements of a lane that is lost to leave. */
const END_MS = 500;
const DRAIN_POLL_MS = 10;
/** Milliseconds before subscriptions that the broker refused are asked for again. */
const SUBSCRIBE_RETRY_MS = 5_000;

/**
 * One persistent session at the broker: consumes requests side by side and acknowledges each when it has been dealt with,
 * in the order of arrival (MQTT-4.6.0-2). What is not acknowledged the broker sends again, to this node or to the one
 * that takes the lane over.
 *
 * Messages are bounded by the receive maximum; a broker that sends more (mosquitto 2.0.11 does) is not read while as many
 * are in flight, and keeps them in its own queue.
 */
export class Lane {
  readonly #client: MqttClient;
  readonly #queue: RequestQueue;
  /** Not acknowledged yet, by packet identifier: after a lost connection the broker sends these again. */
  readonly #known = new Map<number, Known>();
  #problems: BrokerProblem[] = [];
  /** Counts connections: what came over one is acknowledged over that one only. */
  #connection = 0;
  #connected = false;
  #error: string | null = null;
  #ending = false;
  #waiting: (() => void) | null = null;
  #cut = false;
  readonly #over = new AbortController();
  /** When the connection was made, by performance.now(). */
  #since: number | null = null;
  #shortLives = 0;
  #rival: string | null = null;

  constructor(
    private readonly config: BrokerConfig,
    readonly clientId: string,
    private readonly claim: LaneClaim,
    private readonly handle: LaneHandler,
    private readonly logger: Logger,
  ) {
    this.#queue = new RequestQueue(config.maxInFlight);
    this.#client = createExternalClient(config, {
      clientId,
      sessionSeconds: config.sessionSeconds,
      receiveMaximum: config.maxInFlight,
    });
    this.#client.handleMessage = (packet, done) => this.#take(packet, done);
    this.#client.on('connect', (connack) => this.#onConnected(connack));
    this.#client.on('close', () => this.#closed());
    this.#client.on('error', (error) => (this.#error = error.message));
    this.#client.on('disconnect', ({ reasonCode }) => this.#disconnected(reasonCode));
  }

  get health(): Health {
    const fatal = this.#problems.find((problem) => problem.fatal);
    if (fatal) return { ok: false, reason: fatal.text };
    if (this.#rival !== null) return { ok: false, reason: this.#rival };
    if (this.#connected) return { ok: true, reason: 'connected' };
    return { ok: false, reason: `${this.clientId} is not connected: ${this.#error ?? 'no answer yet'}` };
  }

  /** Requests that are not acknowledged yet. */
  get inFlight(): number {
    return this.#queue.size;
  }

  start(): void {
    this.#client.connect();
  }

  /** Takes nothing new, finishes and acknowledges what was taken, and leaves the session to the next owner. */
  async drain(withinMs: number): Promise<void> {
    this.#ending = true;
    const deadline = performance.now() + withinMs;
    while (this.#queue.size > 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, DRAIN_POLL_MS).unref());
    const leftMs = deadline - performance.now();
    // A busy broker takes its time to read acknowledgements, and would send again what they are for.
    if (leftMs > 0) await this.#end(leftMs);
    else this.cut();
  }

  /** Ends the connection; what is not acknowledged by now stays in the session. */
  cut(): void {
    void this.#end(END_MS);
  }

  async #end(withinMs: number): Promise<void> {
    if (this.#cut) return;
    this.#cut = true;
    this.#ending = true;
    this.#connected = false;
    this.#over.abort();
    // The DISCONNECT of end() says nothing about the session, which therefore keeps its expiry (MQTT 5, 3.14.2.2.2).
    await endClient(this.#client, withinMs);
  }

  #take(packet: IPublishPacket, done: (error?: Error) => void): void {
    // Not taken and not acknowledged: the broker keeps it for the next owner.
    if (this.#ending || !this.claim.holds()) return done(WITHHELD);
    if (this.#queue.isFull) {
      // Read nothing more from this connection. Answers leave over another one, so no answer waits for itself.
      this.#waiting = () => this.#take(packet, done);
      return;
    }
    const { messageId, qos, dup } = packet;
    const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
    const traceHeaders = traceHeadersOf(packet.properties?.userProperties);
    const request = { topic: packet.topic, payload, qos, claim: this.claim, traceHeaders, over: this.#over.signal };
    if (qos === 0 || messageId === undefined) {
      this.#queue.push(
        () => this.handle(request),
        () => this.#room(),
      );
      return done();
    }
    const before = dup ? this.#known.get(messageId) : undefined;
    if (before && before.topic === request.topic && before.payload.equals(payload)) this.#again(messageId, before);
    else this.#first(messageId, request);
    done(WITHHELD);
  }

  #first(messageId: number, request: LaneRequest): void {
    const known: Known = { ...request, outcome: null, repeats: 0 };
    this.#known.set(messageId, known);
    const connection = this.#connection;
    this.#queue.push(
      () => this.handle(request),
      (outcome) => {
        known.outcome = outcome;
        if (known.repeats === 0) this.#acknowledge(messageId, outcome, connection);
        else this.#room();
      },
    );
  }

  /** This node has the request already: acknowledges the repeat when the first one has been answered, and applies it once. */
  #again(messageId: number, known: Known): void {
    const repeat = ++known.repeats;
    const connection = this.#connection;
    this.#queue.push(
      () => Promise.resolve('done'),
      () => {
        if (known.repeats === repeat) this.#acknowledge(messageId, known.outcome ?? 'withheld', connection);
        else this.#room();
      },
    );
  }

  /**
   * A request of an earlier connection is acknowledged when the broker sends it again: until then its identifier may
   * mean another message, if another client has had the session in between.
   */
  #acknowledge(messageId: number, outcome: Acknowledgement, connection: number): void {
    const dealtWith = outcome === 'done' || outcome === 'unpublishable';
    if (dealtWith && connection === this.#connection && this.#client.connected && !this.#cut) {
      this.#known.delete(messageId);
      sendPuback(this.#client, messageId);
    }
    this.#room();
  }

  #room(): void {
    const waiting = this.#waiting;
    if (!waiting || this.#queue.isFull) return;
    this.#waiting = null;
    waiting();
  }

  #onConnected(connack: IConnackPacket): void {
    const { config, clientId, logger } = this;
    this.#error = null;
    this.#waiting = null;
    this.#connection++;
    this.#since = performance.now();
    setTimeout(() => this.#settled(this.#since), SHORT_MS).unref();
    this.#problems = connackProblems(connack, config);
    for (const { text } of this.#problems) logger.warn({ reason: text }, 'the broker is not set up as needed');
    if (!connack.sessionPresent) {
      this.#known.clear();
      logger.warn({ clientId }, 'the broker has no session of this lane: a first start, or requests were lost');
    }
    this.#subscribe(connack.sessionPresent);
  }

  #subscribe(sessionPresent: boolean): void {
    const { clientId, logger } = this;
    const connection = this.#connection;
    const isCurrent = (): boolean => connection === this.#connection && this.#client.connected && !this.#ending;
    this.#client.subscribe(this.#filters(), { qos: 1 }, (error) => {
      if (!isCurrent()) return;
      this.#connected = error === null || error === undefined;
      this.#error = error ? `cannot subscribe to requests: ${error.message}` : null;
      if (!error) return void logger.info({ clientId, sessionPresent }, 'consuming requests');
      logger.error({ clientId, reason: error.message }, 'the broker refuses the subscriptions (its access rules?)');
      // Its rules may be mended without a new connection.
      setTimeout(() => isCurrent() && this.#subscribe(sessionPresent), SUBSCRIBE_RETRY_MS).unref();
    });
  }

  /** The connection has lasted. */
  #settled(since: number | null): void {
    if (since === null || performance.now() - since < SHORT_MS) return;
    this.#shortLives = 0;
    this.#rival = null;
    this.#client.options.reconnectPeriod = RECONNECT_MS;
  }

  #filters(): string[] {
    const filters = OPERATIONS.flatMap(requestPatterns);
    const { shared, clientId } = this.config;
    return shared ? filters.map((filter) => `$share/${clientId}/${filter}`) : filters;
  }

  /** Two clients with one identifier throw each other out. mosquitto 2.0.11 gives no reason, so short lives tell. */
  #closed(): void {
    this.#connected = false;
    if (this.#ending || this.#since === null) return;
    const short = performance.now() - this.#since < SHORT_MS;
    this.#since = null;
    this.#shortLives = short ? this.#shortLives + 1 : 0;
    if (this.#shortLives < MAX_SHORT_LIVES) return;
    this.#onRival();
  }

  #disconnected(reasonCode: number | undefined): void {
    if (reasonCode === TAKEN_OVER && !this.#ending) this.#onRival();
  }

  #onRival(): void {
    this.#client.options.reconnectPeriod = RIVAL_PAUSE_MS;
    this.#rival = `its connections end at once: does another client use the client id ${this.clientId}?`;
    this.logger.error({ clientId: this.clientId }, this.#rival);
  }
}
