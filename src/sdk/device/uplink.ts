import type { Auth } from '../auth/auth.js';
import { pauseAfter, type BackOff } from '../back-off.js';
import { forMany } from '../builtin.js';
import type { Platform } from '../platform.js';
import { clientError, UmbraError } from '../umbra-error.js';
import { aborted, pause, within } from '../within.js';
import type { Connection, Dial } from './connection.js';
import { cutOff, isOfCredential, lost } from './refusal.js';
import { keepRenewed, lifeOf, RENEW_TOPIC } from './renewal.js';
import { Subscriptions } from './subscriptions.js';
import { settled } from './settled.js';

export interface UplinkParts {
  readonly dial: Dial;
  readonly platform: Platform;
  readonly auth: Auth | undefined;
  /** Milliseconds for a CONNACK, a SUBACK or an answer; a connection that is silent for longer is cut. */
  readonly answerMs: number;
  readonly reconnect: BackOff;
}

export interface UplinkEvents {
  /** A connection is there, with all subscriptions of before. */
  up: () => void;
  down: (error: UmbraError) => void;
}

/** Milliseconds after which a connection was no failure. */
const STABLE_MS = 10_000;

/** One connection after another, until it is closed. */
export class Uplink {
  readonly #parts: UplinkParts;
  readonly #stop = new AbortController();
  readonly #listeners = { up: new Set<UplinkEvents['up']>(), down: new Set<UplinkEvents['down']>() };
  readonly #messages = new Map<string, (payload: string) => void>();
  /** Waits for a connection. */
  readonly #waiting = new Set<() => void>();
  #subscriptions: Subscriptions | null = null;
  #connection: Connection | null = null;
  #isFirst = true;
  /** What the connection goes by; null: there is none, or a certificate. */
  #token: string | null = null;
  /** Whether the token of a connection holds, which is being asked or has been denied. */
  #look: { readonly connection: Connection; readonly holds: Promise<boolean> } | null = null;
  /** A token that did not hold any more at its last refusal. */
  #doubted: string | null = null;
  /** Why there is no connection; null: there is one. */
  #error: UmbraError | null = lost('there is no connection yet');
  #running: Promise<void> | null = null;

  constructor(parts: UplinkParts) {
    this.#parts = parts;
    forMany(this.#stop.signal);
  }

  /** Aborts when the uplink is closed. */
  get closed(): AbortSignal {
    return this.#stop.signal;
  }

  get isUp(): boolean {
    return this.#connection !== null;
  }

  /** Why there is no connection; null: there is one. */
  get error(): UmbraError | null {
    return this.#error;
  }

  /** @param onRefused gets refusals of connections that would be refused again */
  start(onRefused?: (error: UmbraError) => void): void {
    this.#running ??= this.#run(onRefused);
  }

  /** What it returns ends it. */
  on<E extends keyof UplinkEvents>(event: E, listener: UplinkEvents[E]): () => void {
    const listeners = this.#listeners[event] as Set<UplinkEvents[E]>;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** From now on, messages of this topic go there. They come once `ready` has asked for them. No errors. */
  route(topic: string, listener: (payload: string) => void): void {
    this.#messages.set(topic, listener);
  }

  /** Waits for a connection. @throws UmbraError aborted, closed, timeout */
  async up(signal: AbortSignal): Promise<void> {
    while (this.#connection === null) {
      if (signal.aborted) throw aborted('waiting for a connection', signal);
      await new Promise<void>((resolve) => {
        const end = (): void => {
          this.#waiting.delete(end);
          signal.removeEventListener('abort', end);
          resolve();
        };
        this.#waiting.add(end);
        signal.addEventListener('abort', end, { once: true });
      });
    }
  }

  /** The present connection, if these topics are subscribed already. No errors. */
  readyNow(topics: readonly string[]): Connection | null {
    return this.#subscriptions?.has(topics) ? this.#connection : null;
  }

  /**
   * The present connection, with these topics subscribed.
   * @throws UmbraError unreachable, timeout; not-allowed for a topic that was refused
   */
  async ready(topics: readonly string[]): Promise<Connection> {
    const [connection, subscriptions] = [this.#connection, this.#subscriptions];
    if (!connection || !subscriptions) throw lost('there is no connection');
    if (!subscriptions.has(topics)) {
      await this.#answered(connection, 'a subscription', () => subscriptions.add(topics)).catch(
        async (error: UmbraError) => {
          throw await this.refusalOf(connection, error);
        },
      );
    }
    return connection;
  }

  /**
   * Waits for an answer over a connection; if there is none in time, the connection is cut, since it may be dead.
   * @param start gets what settles the wait
   * @throws UmbraError timeout; what settles it
   */
  answered<T>(
    connection: Connection,
    what: string,
    start: (resolve: (value: T) => void, reject: (error: UmbraError) => void) => void,
  ): Promise<T> {
    const { platform, answerMs } = this.#parts;
    const answer = settled({ clock: platform.clock, ms: answerMs, what }, start);
    answer.catch(({ code }: UmbraError) => {
      if (code === 'timeout') connection.cut();
    });
    return answer;
  }

  /** Calls the task after so many milliseconds, half of the time for an answer at most. No errors. */
  after(ms: number, task: () => void): void {
    this.#parts.platform.clock.after(Math.min(ms, this.#parts.answerMs / 2), task);
  }

  /**
   * The error of a message that a node has refused. If that is because the token of the connection does not hold any more,
   * it is no answer to the message: then the connection is cut, and the next one has a newer token. No errors.
   */
  async refusalOf(connection: Connection, error: UmbraError): Promise<UmbraError> {
    const token = this.#token;
    // A key does not end.
    if (!isOfCredential(error) || token === null || lifeOf(token) === null) return error;
    const known = this.#look?.connection === connection ? this.#look.holds : null;
    // A token that is taken at CONNECT and refused here tells nothing.
    if (known === null && token === this.#doubted) return error;
    const holds = known ?? this.#lookAt(token, connection);
    return (await holds) ? error : cutOff(error, 'not-applied');
  }

  /** Whatever clocks say: a node takes the token of a connection again for as long as it holds. One look serves all. */
  #lookAt(token: string, connection: Connection): Promise<boolean> {
    const holds = this.#answered(connection, 'a look at the token', () => connection.publish(RENEW_TOPIC, token)).then(
      () => true,
      (error: UmbraError) => {
        // The connection has ended, with all that was under way; that says nothing of the token.
        if (error.code === 'unreachable' || error.code === 'timeout') return false;
        if (!isOfCredential(error)) return true;
        this.#doubted = token;
        connection.cut();
        return false;
      },
    );
    this.#look = { connection, holds };
    void holds.then((isHeld) => {
      if (isHeld) this.#look = null;
    });
    return holds;
  }

  /** Says goodbye, to the source of the credential too. No errors. */
  async close(): Promise<void> {
    const connection = this.#connection;
    this.#stop.abort(clientError('closed', 'the device was closed'));
    await connection?.leave();
    await this.#running;
    this.#parts.auth?.close?.();
  }

  #answered<T>(connection: Connection, what: string, task: () => Promise<T>): Promise<T> {
    return this.answered<T>(connection, what, (resolve, reject) => void task().then(resolve, reject));
  }

  async #run(onRefused?: (error: UmbraError) => void): Promise<void> {
    const { platform, reconnect } = this.#parts;
    for (let failures = 0; !this.closed.aborted;) {
      const began = platform.clock.monotonic();
      const error = await this.#live();
      if (this.closed.aborted) return;
      failures = platform.clock.monotonic() - began > STABLE_MS ? 1 : failures + 1;
      this.#error = error;
      platform.logger.warn({ code: error.code, failures }, 'the device has no connection');
      if (!error.retryable) onRefused?.(error);
      const ms = pauseAfter(failures, reconnect, platform.random());
      await pause(platform.clock, ms, this.closed, 'the next connection').catch(() => undefined);
    }
  }

  /** From dialling to the end of the connection; why it has ended. No errors. */
  async #live(): Promise<UmbraError> {
    let ended!: (error: UmbraError) => void;
    const end = new Promise<UmbraError>((resolve) => (ended = resolve));
    let connection: Connection | null = null;
    const control = new AbortController();
    try {
      const [opened, password] = await this.#dial(ended);
      connection = opened;
      const subscriptions = new Subscriptions(opened, this.#subscriptions);
      await this.#answered(opened, 'subscribing', () => subscriptions.again());
      if (this.closed.aborted) throw aborted('connecting', this.closed);
      this.#token = password;
      this.#up(opened, subscriptions);
      if (password !== null) this.#renew(opened, password, control.signal);
      return await end;
    } catch (error) {
      connection?.cut();
      return error instanceof UmbraError ? error : lost('the connection failed', 'not-applied', error);
    } finally {
      control.abort();
      this.#down(await Promise.race([end, Promise.resolve(lost('the connection failed'))]));
    }
  }

  async #dial(closed: (error: UmbraError) => void): Promise<readonly [Connection, string | null]> {
    const { platform, answerMs, auth } = this.#parts;
    const message = (topic: string, payload: string): void => this.#messages.get(topic)?.(payload);
    const limit = { clock: platform.clock, ms: answerMs, what: 'connecting', signals: [this.closed] };
    return within(limit, async (signal) => {
      const password = (await auth?.token?.(signal)) ?? null;
      try {
        const options = { password, isFirst: this.#isFirst, signal };
        const connection = await this.#parts.dial(options, { message, closed });
        if (signal.aborted) connection.cut();
        this.#isFirst = false;
        return [connection, password];
      } catch (error) {
        throw await this.#afterRefusal(error as UmbraError, password, signal);
      }
    });
  }

  /** Tells the source of the credential that it was refused; it may have a better one for the next attempt. */
  async #afterRefusal(error: UmbraError, password: string | null, signal: AbortSignal): Promise<UmbraError> {
    const { auth } = this.#parts;
    if (!isOfCredential(error) || !auth?.refused || password === null) return error;
    const isBetter = await auth.refused({ authorization: `Bearer ${password}` }, error, signal).catch(() => false);
    return isBetter ? new UmbraError({ ...error, message: error.message, retryable: true, cause: error.cause }) : error;
  }

  #renew(connection: Connection, token: string, signal: AbortSignal): void {
    const { auth, platform } = this.#parts;
    if (!auth?.token) return;
    const publish = async (topic: string, text: string): Promise<void> => {
      await this.#answered(connection, 'the renewal of the session', () => connection.publish(topic, text));
      this.#token = text;
    };
    keepRenewed({ auth, platform, publish, signal }, token).catch((error: UmbraError) => {
      if (signal.aborted) return;
      platform.logger.warn({ code: error.code }, 'the session was not renewed; connecting again');
      connection.cut();
    });
  }

  #up(connection: Connection, subscriptions: Subscriptions): void {
    [this.#connection, this.#subscriptions, this.#error] = [connection, subscriptions, null];
    for (const end of [...this.#waiting]) end();
    for (const listener of [...this.#listeners.up]) listener();
  }

  #down(error: UmbraError): void {
    if (this.#connection === null) return;
    this.#connection = null;
    this.#error = error;
    for (const listener of [...this.#listeners.down]) listener(error);
  }
}
