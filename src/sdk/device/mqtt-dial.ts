// By its default export: that of browsers has no other.
import mqttjs, { type IClientOptions, type MqttClient } from 'mqtt';
import { cutOff, lost, reasonOf } from './refusal.js';
import { afterThisTurn, type Clock } from '../platform.js';
import { MISMATCH } from '../tls/pins.js';
import { clientError, type UmbraError } from '../umbra-error.js';
import { aborted } from '../within.js';
import type { Connection, ConnectionEvents, Dial } from './connection.js';

export interface MqttTarget {
  readonly url: string;
  readonly clientId: string;
  readonly username: string | undefined;
  readonly protocolVersion: 4 | 5;
  /** Seconds for which the node keeps the session of a connection that was lost; 0: it keeps none. */
  readonly sessionSeconds: number;
  readonly clock: Clock;
  /** Options of mqtt.js: certificates, keep-alive, WebSocket. */
  readonly mqtt: IClientOptions;
}

/** Milliseconds for a goodbye. */
const LEAVE_MS = 1_000;

/**
 * Dials by mqtt.js, with a client for each connection: what one has not sent is sent again by this library, which knows
 * what it is, and not by mqtt.js as well.
 */
export const mqttDial =
  (target: MqttTarget): Dial =>
  ({ password, isFirst, signal }, events) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(aborted('connecting', signal));
      const client = mqttjs.connect(target.url, optionsOf(target, password, isFirst));
      const connection = new MqttConnection(client, target, events);
      const abort = (): void => {
        connection.cut();
        reject(aborted('connecting', signal));
      };
      signal.addEventListener('abort', abort, { once: true });
      connection.opened.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });

function optionsOf(target: MqttTarget, password: string | null, isFirst: boolean): IClientOptions {
  const { clientId, username, protocolVersion, sessionSeconds, mqtt } = target;
  const isFive = protocolVersion === 5;
  return {
    ...mqtt,
    ...{ clientId, protocolVersion, reconnectPeriod: 0, resubscribe: false, queueQoSZero: false },
    // A session of MQTT 3.1.1 is asked for by the first connection already, or there is none for the second one.
    clean: sessionSeconds === 0 || (isFive && isFirst),
    ...(isFive && { properties: { ...mqtt.properties, sessionExpiryInterval: sessionSeconds } }),
    ...(username !== undefined && { username }),
    ...(password !== null && { password }),
  };
}

class MqttConnection implements Connection {
  hasSession = false;
  /** @throws UmbraError unreachable; the refusal of a CONNACK */
  readonly opened: Promise<this>;
  /** Ends of waits. */
  readonly #waiting = new Set<(error: UmbraError) => void>();
  #isOpen = false;
  #isHeldBack = false;
  #error: UmbraError | null = null;

  constructor(
    private readonly client: MqttClient,
    private readonly target: MqttTarget,
    private readonly events: ConnectionEvents,
  ) {
    client.on('message', (topic, payload) => {
      this.#holdBack();
      events.message(topic, payload.toString());
    });
    client.on('disconnect', ({ reasonCode = 0 }) => this.#close(reasonOf(reasonCode, 'The node ended the connection')));
    client.on('error', (error) => {
      const { code } = error as { code?: unknown };
      if (typeof code === 'number') return this.#close(reasonOf(code, error.message));
      // The next connection would meet the same key.
      if (code === MISMATCH) return this.#close(clientError('unreachable', error.message, { cause: error }));
      this.#close(lost('the node cannot be reached', 'not-applied', error));
    });
    client.on('close', () => this.#close(lost('the connection was lost')));
    this.opened = new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      client.once('connect', ({ sessionPresent }) => {
        this.#waiting.delete(reject);
        this.#isOpen = true;
        this.hasSession = sessionPresent;
        // Nagle's algorithm and delayed acknowledgements together cost 40 ms a request, for nothing.
        (client.stream as { setNoDelay?(): void }).setNoDelay?.();
        resolve(this);
      });
    });
  }

  subscribe(topics: readonly string[]): Promise<readonly string[]> {
    return this.#wait((resolve, reject) => {
      this.client.subscribe([...topics], { qos: 1 }, (error, _granted, packet) => {
        if (!packet) return reject(lost('the subscription was cut off', 'not-applied', error));
        resolve(topics.filter((_, i) => Number(packet.granted[i]) >= 128));
      });
    });
  }

  publish(topic: string, payload: string, properties?: Readonly<Record<string, string>>): Promise<void> {
    const isFive = this.target.protocolVersion === 5;
    const told = properties && isFive && { properties: { userProperties: { ...properties } } };
    return this.#wait((resolve, reject) => {
      this.client.publish(topic, payload, { qos: 1, ...told }, (error) => {
        const { code } = (error ?? {}) as { code?: unknown };
        if (!error) resolve();
        else if (typeof code === 'number') reject(reasonOf(code, 'The node refused a message', 'unknown'));
        else reject(lost('the connection was lost before the answer', 'unknown', error));
      });
    });
  }

  cut(): void {
    this.#close(lost('the connection was cut'));
  }

  async leave(): Promise<void> {
    const { client, target } = this;
    await new Promise<void>((resolve) => {
      const cancel = target.clock.after(LEAVE_MS, resolve);
      client.once('close', () => {
        cancel();
        resolve();
      });
      const isFive = target.protocolVersion === 5;
      client.end(false, isFive ? { reasonCode: 0, properties: { sessionExpiryInterval: 0 } } : {});
    });
    this.cut();
  }

  /** What a message brings about, its PUBACK and often the next report, goes out in one piece: that halves the writes. */
  #holdBack(): void {
    const { stream } = this.client;
    if (this.#isHeldBack) return;
    // Browsers have no system call to spare.
    this.#isHeldBack = afterThisTurn(() => {
      this.#isHeldBack = false;
      stream.uncork();
    });
    if (this.#isHeldBack) stream.cork();
  }

  #wait<T>(start: (resolve: (value: T) => void, reject: (error: UmbraError) => void) => void): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#error !== null) return reject(cutOff(this.#error, 'not-applied'));
      const end = (error: UmbraError): void => {
        this.#waiting.delete(end);
        reject(error);
      };
      this.#waiting.add(end);
      start((value) => {
        this.#waiting.delete(end);
        resolve(value);
      }, end);
    });
  }

  /** The first reason counts. */
  #close(error: UmbraError): void {
    if (this.#error !== null) return;
    this.#error = error;
    // Before mqtt.js ends them without the reason.
    for (const end of [...this.#waiting]) end(this.#isOpen ? cutOff(error) : error.withOutcome('not-applied'));
    this.client.end(true);
    // end() does nothing while a goodbye is under way.
    this.client.stream.destroy();
    if (this.#isOpen) this.events.closed(error);
  }
}
