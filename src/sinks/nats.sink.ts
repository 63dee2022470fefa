import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import {
  jetstream,
  JetStreamApiCodes,
  JetStreamApiError,
  jetstreamManager,
  type JetStreamClient,
} from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { BackOff } from '../resilience/back-off.js';
import { Signal } from '../resilience/signal.js';
import type { ShadowRecord } from '../store/shadow-store.js';
import type { Health } from '../telemetry/health.js';
import { reasonOf } from '../telemetry/reason.js';
import { eventHead, eventText } from '../watch/event-text.js';
import { eventId, shadowId } from './event-id.js';
import { InOrder } from './in-order.js';
import { checkNats, natsSettings, type NatsSettings } from './nats-settings.js';
import { subjectOf, subjectsOf, takes } from './nats-subject.js';
import { checkHosts } from './server-address.js';
import type { OpenSink, SinkKind, SinkParts } from './sink-kind.js';

/** Milliseconds for an answer of the server. */
const ANSWER_MS = 5_000;
/** Milliseconds between two attempts. */
const BACK_OFF = { first: 100, longest: 5_000 };
/** Milliseconds between two pings; two that are not answered end the connection. */
const PING_MS = 10_000;
/** Nanoseconds for which a stream that is made knows the ids of its messages. */
const DUPLICATES_NS = 120_000_000_000;
const NS_PER_SECOND = 1_000_000_000;
const UNLIMITED = -1;

/**
 * @param hosts to which sinks may connect
 * @param answerMs milliseconds for a connection, and for the stream to confirm a message. No errors.
 */
export function natsKind(hosts: readonly string[], answerMs = ANSWER_MS): SinkKind {
  return {
    name: 'nats',
    check: (given, context) => checkNats(given, context, hosts),
    open: (stored, parts) => {
      const settings = natsSettings(stored);
      // Those of this node, now: its operator may have taken one away.
      checkHosts(settings.servers, hosts);
      return new NatsSink(settings, parts, answerMs);
    },
  };
}

/**
 * Changes as messages of a JetStream stream. A message counts as safe when the stream has confirmed it, and one that is
 * not confirmed is sent again under the same id, before any later one of its shadow.
 */
export class NatsSink implements OpenSink {
  readonly #abort = new AbortController();
  readonly #order = new InOrder();
  readonly #changed = new Signal();
  readonly #ended: Promise<void>;
  #stream: JetStreamClient | null = null;
  /** Of the connection. */
  #trouble: string | null = 'connecting';
  /** Why messages are not confirmed, until they are: others that go well must not hide one that never does. */
  readonly #stuck = new Map<ShadowRecord, string>();
  #server = '';

  constructor(
    private readonly settings: NatsSettings,
    private readonly parts: SinkParts,
    private readonly answerMs: number,
  ) {
    // Each change in flight may wait for it.
    setMaxListeners(0, this.#abort.signal);
    this.#ended = this.#stay();
  }

  get health(): Health {
    const [stuck = null] = this.#stuck.values();
    const trouble = this.#trouble ?? stuck;
    if (trouble !== null) return { ok: false, reason: trouble };
    return { ok: true, reason: `connected to ${this.#server}` };
  }

  async deliver(record: ShadowRecord, reading: AbortSignal): Promise<void> {
    let isSafe = false;
    await this.#order.run(shadowId(record), async () => {
      isSafe = await this.#publish(record, reading).finally(() => this.#stuck.delete(record));
    });
    // What is not safe must not look so; later changes of the shadow go on.
    if (!isSafe) await new Promise(() => undefined);
  }

  /** The present state is the last change once more, under its own id. */
  converge(record: ShadowRecord, reading: AbortSignal): Promise<void> {
    return this.deliver(record, reading);
  }

  async close(): Promise<void> {
    const isConnected = this.#stream !== null;
    this.#abort.abort();
    // A connection that is being opened is closed when it comes, or does not come in time: nobody waits for that.
    if (isConnected) await this.#ended;
  }

  /** True: the stream has the message. False: the reading has ended before, or the sink. */
  async #publish(record: ShadowRecord, reading: AbortSignal): Promise<boolean> {
    const { signal } = this.#abort;
    const backOff = new BackOff(BACK_OFF);
    const options = { msgID: eventId(record), timeout: this.answerMs, expect: { streamName: this.settings.stream } };
    const subject = subjectOf(this.settings.prefix, record.key, eventHead(record).kind);
    while (!signal.aborted && !reading.aborted) {
      const stream = this.#stream;
      if (stream === null) {
        await this.#changed.until(() => this.#stream !== null, { signal, limitMs: BACK_OFF.longest });
        continue;
      }
      if (!this.parts.isOwner() && reading.aborted) break;
      try {
        await stream.publish(subject, eventText(record), options);
        return true;
      } catch (error) {
        this.#stuck.set(record, `the stream does not confirm ${eventId(record)}: ${reasonOf(error)}`);
        await pause(backOff.next(), undefined, { signal }).catch(() => undefined);
      }
    }
    return false;
  }

  /** Keeps a connection, as long as the sink is open. Never rejects. */
  async #stay(): Promise<void> {
    const { signal } = this.#abort;
    const backOff = new BackOff(BACK_OFF);
    while (!signal.aborted) {
      try {
        await this.#follow(await connect(this.#options()), () => backOff.reset());
      } catch (error) {
        this.#trouble = `not connected: ${reasonOf(error)}`;
        this.parts.logger.warn({ reason: this.#trouble }, 'a sink has no connection to NATS');
      }
      await pause(backOff.next(), undefined, { signal }).catch(() => undefined);
    }
  }

  async #follow(connection: NatsConnection, onReady: () => void): Promise<void> {
    const { signal } = this.#abort;
    const end = (): void => void connection.close();
    signal.addEventListener('abort', end, { once: true });
    try {
      if (signal.aborted) return;
      await this.#prepare(connection);
      this.#server = connection.getServer();
      this.#trouble = null;
      this.#stream = jetstream(connection);
      onReady();
      this.#changed.notify();
      const error = await connection.closed();
      if (!signal.aborted) throw error ?? new Error('the server has closed the connection');
    } finally {
      this.#stream = null;
      signal.removeEventListener('abort', end);
      await connection.close();
    }
  }

  #options() {
    const { servers, tls, user, password, token } = this.settings;
    return {
      servers: [...servers],
      name: `umbra ${this.parts.tenant}/${this.parts.sink}`,
      timeout: this.answerMs,
      pingInterval: PING_MS,
      // Its own attempts would not come through here, where the stream is looked for again.
      reconnect: false,
      // A server could otherwise name others, to which nobody has allowed a connection.
      ignoreClusterUpdates: true,
      ...(tls && { tls: {} }),
      ...(user !== null && { user, pass: password ?? '' }),
      ...(token !== null && { token }),
    };
  }

  /** @throws Error that says what is wrong with the stream */
  async #prepare(connection: NatsConnection): Promise<void> {
    const { stream, createStream, prefix } = this.settings;
    const { tenant } = this.parts;
    const wanted = subjectsOf(prefix, tenant);
    const { streams } = await jetstreamManager(connection, { timeout: this.answerMs });
    try {
      const { config } = await streams.info(stream);
      if (config.subjects.some((subject) => takes(subject, prefix, tenant))) return;
      throw new Error(`the stream ${stream} does not take ${wanted}; add it to its subjects`);
    } catch (error) {
      const isMissing = error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound;
      if (!isMissing) throw error;
      if (!createStream) throw new Error(`there is no stream ${stream}; make it, or set createStream`);
    }
    const { maxAgeSeconds, maxBytes, replicas } = this.settings;
    await streams.add({
      ...{ name: stream, subjects: [wanted], num_replicas: replicas, duplicate_window: DUPLICATES_NS },
      max_age: maxAgeSeconds * NS_PER_SECOND,
      max_bytes: maxBytes === 0 ? UNLIMITED : maxBytes,
    });
  }
}
