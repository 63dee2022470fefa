import type { Auth } from '../auth/auth.js';
import type { Platform } from '../platform.js';
import { clientError, isEnd, UmbraError } from '../umbra-error.js';
import { linked, within } from '../within.js';
import type { Answer, Call } from './call.js';
import type { Chain } from './chain.js';
import { bodyOf, queryOf, type CallOptions, type Request } from './request.js';

const KEY = 'idempotency-key';
/** Seconds after the time of a call in which its last attempt may still come to a node. */
const ARRIVAL_SECONDS = 30;
/** The longest that a service keeps an answer for. */
const MAX_LIFETIME = 86_400;

export interface CallerParts {
  readonly platform: Platform;
  readonly chain: Chain;
  readonly auth: Auth;
  /** Milliseconds for a call with all its attempts. */
  readonly timeoutMs: number;
  /** Whether writes carry an Idempotency-Key of their own. */
  readonly hasKeys: boolean;
}

/** Makes calls out of requests and sends them through the chain. All parts of a client share one. */
export class Caller {
  readonly platform: Platform;
  /** Aborts when the client is closed. */
  readonly closed: AbortSignal;
  /** Milliseconds for a call with all its attempts, unless it says otherwise. */
  readonly timeoutMs: number;
  readonly #parts: CallerParts;
  readonly #closing = new AbortController();

  constructor(parts: CallerParts) {
    this.#parts = parts;
    this.platform = parts.platform;
    this.timeoutMs = parts.timeoutMs;
    this.closed = this.#closing.signal;
  }

  /** @throws UmbraError */
  call(request: Request): Promise<Answer> {
    return this.#begun(request, request.signal, (signal) => this.#run(request, signal, false));
  }

  /**
   * A call whose answer is read as it comes. The time is for its beginning; it ends when the signal aborts, which its
   * reader has to see to.
   * @throws UmbraError
   */
  async stream(request: Request, signal: AbortSignal): Promise<Answer> {
    const control = linked([signal, this.closed], request.path);
    try {
      return await this.#begun(request, control.signal, () => this.#run(request, control.signal, true));
    } catch (error) {
      control.abort(error);
      throw error;
    }
  }

  /** Once is enough: a source that several share goes by how many of them are open. No errors. */
  close(): void {
    if (this.closed.aborted) return;
    this.#closing.abort(clientError('closed', 'the client was closed'));
    this.#parts.auth.close?.();
  }

  /**
   * Runs `task` until the time is over, its signal aborts or the client is closed.
   * @param isInDoubt whether it has sent what may be carried out, although nobody waits for it any more
   * @throws UmbraError timeout, aborted, closed; what `task` throws
   */
  async within<T>(
    what: string,
    { timeoutMs: ms = this.timeoutMs, signal }: CallOptions,
    task: (signal: AbortSignal) => Promise<T>,
    isInDoubt?: () => boolean,
  ): Promise<T> {
    try {
      return await within({ clock: this.platform.clock, ms, what, signals: [signal, this.closed] }, task);
    } catch (error) {
      throw error instanceof UmbraError && isEnd(error) && isInDoubt?.() ? error.withOutcome('unknown') : error;
    }
  }

  #begun(
    { method = 'GET', path, timeoutMs }: Request,
    signal: AbortSignal | undefined,
    task: (signal: AbortSignal) => Promise<Answer>,
  ): Promise<Answer> {
    let isBegun = false;
    const begun = (ends: AbortSignal): Promise<Answer> => {
      isBegun = method !== 'GET';
      return task(ends);
    };
    // The chain alone knows whether its request was sent.
    return this.within(`${method} ${path}`, { timeoutMs, signal }, begun, () => isBegun);
  }

  #run(request: Request, signal: AbortSignal, isStream: boolean): Promise<Answer> {
    const { method = 'GET', name = method, path, query, timeoutMs = this.timeoutMs } = request;
    const isWrite = method !== 'GET';
    const key = isWrite ? this.#keyOf(request, timeoutMs) : null;
    const { headers, body } = bodyOf(request.body);
    const call: Call = {
      ...{ name, method, signal, isWrite, isStream, attempt: 1, isRepeatable: !isWrite || key !== null },
      path: path + queryOf(query),
      headers: { ...headers, ...key, ...request.headers },
      ...(body !== undefined && { body }),
      deadline: this.platform.clock.monotonic() + timeoutMs,
    };
    return this.#parts.chain.run(call);
  }

  /** A key that the caller has made may be repeated later; one of this call is of no use after it. */
  #keyOf(
    { headers, idempotencyKey: given = headers?.[KEY] }: Request,
    timeoutMs: number,
  ): Record<string, string> | null {
    if (given !== undefined) return given === null ? null : { [KEY]: given };
    if (!this.#parts.hasKeys) return null;
    const seconds = Math.min(Math.ceil(timeoutMs / 1_000) + ARRIVAL_SECONDS, MAX_LIFETIME);
    return { [KEY]: this.platform.newId(), 'idempotency-lifetime': String(seconds) };
  }
}
